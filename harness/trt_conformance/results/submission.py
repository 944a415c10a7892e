"""Whether a record can be submitted: complete, of a known commit, of these goldens, with the machine stated."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

from trt_conformance.core.target_name import TargetName
from trt_conformance.core.types import Tier
from trt_conformance.core.verdict import Verdict
from trt_conformance.core.words import counted, one_line
from trt_conformance.results import summary
from trt_conformance.results.profiles import ProfileResult
from trt_conformance.results.record.own_targets import posing
from trt_conformance.results.record.record import COMPRESSED_NAME, Record

FOLDER = "results"
"""The folder of submitted records: ``results/<version>/<gpu>/record.jsonl.gz``."""
RUN_AGAIN = "run the suite again"
SHOWN = 5
TENSORRT = ("tensorrt", "tensorrt_rtx")

_TIERS: tuple[Tier, ...] = get_args(Tier)


@dataclass(frozen=True)
class SubmissionFault:
    """Why a record cannot be submitted, and what to do about it."""

    what: str
    mend: str


@dataclass(frozen=True)
class RunChoice:
    """What the arguments of a run chose. ``part``: the words that leave cases out."""

    tier: Tier
    timed: bool
    large: bool
    part: tuple[str, ...]


@dataclass(frozen=True)
class Checkout:
    """What a record is checked against.

    Attributes:
        goldens: the sums of this checkout's goldens, as a record has them.
        goldens_at: those of the goldens at a commit; None if Git cannot tell.
        has_same_cases: whether the cases at a commit are this checkout's; None if Git cannot tell.
        cases: the ids of the cases that a choice leaves.
        has_commit: whether a commit is one of this repository; None if Git cannot tell.
        profiles: the results of a target, by its name and verdicts.
    """

    goldens: Mapping[str, str]
    goldens_at: Callable[[str], Mapping[str, str] | None]
    has_same_cases: Callable[[str], bool | None]
    cases: Callable[[RunChoice], Sequence[str]]
    has_commit: Callable[[str], bool | None]
    profiles: Callable[[str, Sequence[Verdict]], Sequence[ProfileResult]]


@dataclass(frozen=True)
class Submission:
    """A record's check: where it belongs, how many of the cases that its run chose it has, and what is wrong."""

    path: Path
    place: str
    cases: int
    of: int
    choice: RunChoice
    faults: tuple[SubmissionFault, ...]
    notes: tuple[str, ...] = ()
    profiles: tuple[ProfileResult, ...] = ()
    """The profiles that have a case in the run."""

    def to_json(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self) | {"path": str(self.path), "profiles": [one.to_json() for one in self.profiles]}


def check(path: Path, record: Record, checkout: Checkout) -> Submission:
    """Check a record that has been read, so that each of its lines is one that the schema allows."""
    choice = choice_of(record.header.environment.arguments)
    expected = checkout.cases(choice)
    found = {verdict.case for verdict in record.verdicts if verdict.target in subjects(record)}
    faults = (
        *_incomplete(record),
        *_shards(record),
        *_without_cases(record, choice, expected, found, checkout),
        *_source(record, checkout),
        *_goldens(record, checkout),
        *_subject(record),
        *_misplaced(path, record),
    )
    notes = tuple(_notes(record, checkout))
    profiles = (one for name in subjects(record) for one in checkout.profiles(name, record.verdicts))
    return Submission(
        path=path,
        place=place_of(record),
        cases=len(found.intersection(expected)),
        of=len(expected),
        choice=choice,
        faults=faults,
        notes=notes,
        profiles=tuple(one for one in profiles if one.ran),
    )


def choice_of(arguments: Sequence[str]) -> RunChoice:
    """What the arguments of a run chose."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--tier", default="smoke")
    parser.add_argument("--latency", nargs="?", const="full")
    parser.add_argument("--large", action="store_true")
    for option in ("--case", "--deselect", "-k", "-m"):
        parser.add_argument(option, action="append", default=[])
    for option in ("--lf", "--last-failed"):
        parser.add_argument(option, action="store_true")
    try:
        given, rest = parser.parse_known_args(list(arguments))
    except argparse.ArgumentError as fault:  # pytest would have refused them
        return RunChoice("smoke", timed=False, large=False, part=(str(fault),))
    named = {"--case": given.case, "--deselect": given.deselect, "-k": given.k, "-m": given.m}
    part = [f"{option} {value}" for option, values in named.items() for value in values]
    part += [word for word in rest if not word.startswith("-") and word.partition("::")[0].endswith(".py")]
    part += ["--lf"] if given.lf or given.last_failed else []
    tier: Tier = given.tier if given.tier in _TIERS else "smoke"
    return RunChoice(tier, given.latency == "full", given.large, tuple(part))


def subjects(record: Record) -> tuple[str, ...]:
    """The targets that a record is about: those of TensorRT, or else all."""
    found = tuple(name for name in record.targets if TargetName.parse(name).flavor in TENSORRT)
    return found or record.targets


def place_of(record: Record) -> str:
    """Where a record belongs: ``results/tensorrt-8.6.1/h200/record.jsonl.gz``."""
    name = TargetName.parse((*subjects(record), "unknown")[0])
    gpu = (record.header.environment.device.gpu or "no GPU").removeprefix("NVIDIA ")
    version = "-".join(filter(None, name[:2]))
    return f"{FOLDER}/{_plain(version)}/{_plain(gpu)}/{COMPRESSED_NAME}"


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9_.]+", "-", text.lower()).strip("-.") or "unknown"


def _incomplete(record: Record) -> Iterator[SubmissionFault]:
    if record.end is None:
        yield SubmissionFault(
            "it has no closing line: the run was killed, or is still running", f"{RUN_AGAIN}, to its end"
        )
    elif record.end.stopped:
        yield SubmissionFault("the run was stopped before all its tests had run", f"{RUN_AGAIN}, without -x and Ctrl-C")
    elif record.end.exit not in (0, 1):
        yield SubmissionFault(
            f"the run ended with exit code {record.end.exit}, not 0 or 1", f"{RUN_AGAIN}, and see what it says"
        )
    elif record.end.counts and (counts := dict(summary.counts(record.verdicts))) != record.end.counts:
        text = f"its closing line counts {_numbers(record.end.counts)}, but it has {_numbers(counts)}"
        yield SubmissionFault(text, "submit the record as the run wrote it: lines are missing or changed")


def _is_part(record: Record) -> bool:
    """Whether it is one shard of several."""
    return record.header.shard is not None and record.header.shard.of > 1


def _shards(record: Record) -> Iterator[SubmissionFault]:
    shard = record.header.shard
    if shard is not None and _is_part(record):
        text = f"it is shard {shard.index} of {shard.of} alone"
        yield SubmissionFault(text, "merge the records of all shards: trt-conformance merge RECORD... -o DIR")
    parts = record.header.merged or []
    shards = [part.shard for part in parts if part.shard is not None]
    missing = sorted(set(range(1, shards[0].of + 1)) - {one.index for one in shards}) if shards else []
    if missing:
        text = f"it lacks {counted(len(missing), 'shard')} of {shards[0].of}: {_listed(map(str, missing))}"
        yield SubmissionFault(text, "run the missing shards and merge again, without --partial")
    if any(part.ended is None for part in parts):
        yield SubmissionFault("one of the merged parts has no closing line", "run that part again and merge again")


def _without_cases(
    record: Record, choice: RunChoice, expected: Sequence[str], found: set[str], checkout: Checkout
) -> Iterator[SubmissionFault]:
    if record.header.case_folders:
        yield SubmissionFault("it has cases from folders other than the suite's own", f"{RUN_AGAIN}, without --cases")
    elif not found:
        yield SubmissionFault("it has no check of a target", f"{RUN_AGAIN}, with --target")
    elif choice.part or _is_part(record) or not _has_same_cases(record, checkout):
        return
    elif missing := [case for case in expected if case not in found]:
        text = f"{len(missing)} of {len(expected)} cases of tier {choice.tier} have no verdict: {_listed(missing)}"
        yield SubmissionFault(text, f"{RUN_AGAIN}, and see why these do not run")


def _source(record: Record, checkout: Checkout) -> Iterator[SubmissionFault]:
    source = record.header.environment.source
    if source.commit is None:
        text = "it does not state which commit was tested"
        yield SubmissionFault(text, f"{RUN_AGAIN} in a clone of the repository, with git installed")
        return
    if checkout.has_commit(source.commit) is False:
        text = f"commit {source.commit[:12]} is not in this repository"
        yield SubmissionFault(text, f"{RUN_AGAIN} at a published commit; in a shallow clone, fetch the history first")
    if source.clean is not True:
        words = {False: "the tree had uncommitted changes", None: "it does not state whether the tree was clean"}
        yield SubmissionFault(words[source.clean], f"{RUN_AGAIN} in a clean clone: git status prints nothing there")


def _goldens(record: Record, checkout: Checkout) -> Iterator[SubmissionFault]:
    stated = record.header.goldens
    if not stated:
        yield SubmissionFault(
            "it does not state the goldens that it was compared with", f"{RUN_AGAIN} with this version"
        )
        return
    if stated != checkout.goldens and stated == checkout.goldens_at(_commit(record)):
        return
    wrong = sorted(file for file, digest in stated.items() if checkout.goldens.get(file) != digest)
    wrong += sorted(set(checkout.goldens) - set(stated))
    if wrong:
        text = f"{len(wrong)} of {len(checkout.goldens)} golden files match neither this checkout nor the run's commit"
        yield SubmissionFault(f"{text}: {_listed(wrong)}", f"{RUN_AGAIN} in a clean clone")


def _has_same_cases(record: Record, checkout: Checkout) -> bool:
    """Whether the cases that it ran are this checkout's; so they are taken to be where Git cannot tell."""
    return checkout.has_same_cases(_commit(record)) is not False


def _notes(record: Record, checkout: Checkout) -> Iterator[str]:
    """What is no fault: it is of an older commit."""
    if not _has_same_cases(record, checkout):
        yield "cases were changed since its commit"
    stated = record.header.goldens
    if stated and stated != checkout.goldens and stated == checkout.goldens_at(_commit(record)):
        changed = sum(checkout.goldens.get(file) != digest for file, digest in stated.items())
        yield f"it was compared with the goldens of its commit; {counted(changed, 'file')} changed since"


def _subject(record: Record) -> Iterator[SubmissionFault]:
    found = subjects(record)
    if file := posing(record):
        yield SubmissionFault(
            f"its target is {file}, not the registered one of that name", f"{RUN_AGAIN} with a registered target"
        )
    versions = {TargetName.parse(name)[:2] for name in found}
    if len(versions) > 1:
        yield SubmissionFault(f"it has several versions: {_listed(found)}", f"{RUN_AGAIN} for each of them alone")
    device = record.header.environment.device
    for name in found:
        if not TargetName.parse(name).version or not record.header.environment.targets.get(name):
            yield SubmissionFault(
                f"it does not state which version {one_line(name)} is", f"{RUN_AGAIN} with a registered target"
            )
        if device.gpu is None and (device.reason is None or TargetName.parse(name).gpu.startswith("sm")):
            yield SubmissionFault(
                f"it does not state on which GPU {one_line(name)} ran", f"{RUN_AGAIN} where nvidia-smi shows a GPU"
            )


def _misplaced(path: Path, record: Record) -> Iterator[SubmissionFault]:
    """A record in a folder of submissions is where its version and GPU say."""
    parts = path.resolve().parts
    if FOLDER in parts[-4:-1]:
        place = "/".join(parts[-4:])
        if place != place_of(record):
            yield SubmissionFault(f"it is at {place}", f"move it to {place_of(record)}")


def _numbers(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in sorted(counts.items())) or "nothing"


def _commit(record: Record) -> str:
    return record.header.environment.source.commit or ""


def _listed(names: Iterator[str] | Sequence[str] | map[str]) -> str:
    every = [one_line(name) for name in names]
    return ", ".join(every[:SHOWN]) + (f" and {len(every) - SHOWN} more" if len(every) > SHOWN else "")
