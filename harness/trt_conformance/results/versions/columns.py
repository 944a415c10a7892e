"""The versions that runs tested: one for each target, of all its runs together, in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fnmatch import fnmatchcase
from functools import cached_property
from itertools import pairwise

from packaging.version import InvalidVersion
from packaging.version import Version as Number

from trt_conformance.catalog.expectations import Expectations
from trt_conformance.core.check_names import QUICK_LATENCY
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.target_name import TargetName
from trt_conformance.core.verdict import Verdict
from trt_conformance.core.words import shown
from trt_conformance.results.causes import cause, way
from trt_conformance.results.known_today import KnownToday, explained, known_today
from trt_conformance.results.record.keys import keyed
from trt_conformance.results.record.record import Record
from trt_conformance.results.summary import DIFFERS, outcome

Key = tuple[str, str, int]
"""Case, check, and number, since a check may judge a case twice."""


@dataclass(frozen=True)
class Version:
    """One version of a target: its runs as one record, when they started, and which of their faults are known today.

    Of a check that several runs have, the verdict of the last counts. A fault that is known today counts as known.
    """

    target: str
    record: Record
    started: tuple[str, ...]
    known_today: KnownToday

    @property
    def name(self) -> TargetName:
        return TargetName.parse(self.target)

    @property
    def series(self) -> tuple[str, str]:
        """What versions that are compared have in common: flavor and GPU."""
        return self.name.flavor, self.name.gpu

    @property
    def label(self) -> str:
        """The version alone; the whole name if it states none."""
        return self.name.version or self.target

    @cached_property
    def verdicts(self) -> Mapping[Key, Verdict]:
        """Every verdict except those of quick latencies, which are not checks."""
        return {key[1:]: v for key, v in keyed(self.record, {}).items() if v.check != QUICK_LATENCY}


@dataclass(frozen=True)
class Trait:
    """A result other than a pass: the outcome, and its cause without the figures of a case.

    ``is_known``: the cause is the id of an expectation.
    """

    outcome: str
    cause: str
    is_known: bool

    @property
    def state(self) -> str:
        """The outcome; ``differs`` of a failure, an error, and a known difference."""
        return "differs" if self.outcome in DIFFERS else self.outcome


def trait(verdict: Verdict) -> Trait | None:
    """The trait that a verdict shows; None for a pass."""
    found = outcome(verdict)
    if found == "pass":
        return None
    return Trait(found, verdict.known or way(verdict).reason, bool(verdict.known))


def is_same(old: Verdict, new: Verdict) -> bool:
    """Whether two verdicts show the same: both pass, or have the same outcome for the same cause.

    The same difference may have an expectation of its own in each version.
    """
    was, now = trait(old), trait(new)
    if was is None or now is None or was == now:
        return was == now
    return was.outcome == now.outcome and cause(old).reason == cause(new).reason


def versions(records: Sequence[Record], expectations: Expectations | None = None) -> tuple[Version, ...]:
    """The versions that records have verdicts of, by flavor and GPU, the oldest version first.

    Args:
        records: runs, in any order.
        expectations: what is known today. A fault that was not known in its run is given the expectation that
            explains it now.

    Raises:
        ConformanceError: no record has a verdict of a target.
    """
    runs = sorted(records, key=lambda record: datetime.fromisoformat(record.header.started))
    names = dict.fromkeys(v.target for record in runs for v in record.verdicts if v.target in record.targets)
    if not names:
        raise ConformanceError("no run has a verdict of a target")
    found = [_joined(name, [record for record in runs if name in record.targets], expectations) for name in names]
    return tuple(sorted(found, key=lambda version: (version.series, number(version.name.version))))


def of_targets(records: Sequence[Record], pattern: str) -> list[Record]:
    """The records that have targets of a pattern, with only their verdicts.

    Raises:
        ConformanceError: no record has such a target.
    """
    named = ((record, [name for name in record.targets if fnmatchcase(name, pattern)]) for record in records)
    found = [only(record, names) for record, names in named if names]
    if not found:
        every = sorted({name for record in records for name in record.targets})
        raise ConformanceError(f"no run has a target like {shown(pattern)}; there are {', '.join(every) or 'none'}")
    return found


def only(record: Record, targets: Sequence[str]) -> Record:
    """The record with only some of its targets."""
    names = [name for name in record.targets if name in targets]
    header = record.header.model_copy(update={"targets": names})
    return replace(record, header=header, verdicts=tuple(v for v in record.verdicts if v.target in names))


def neighbors(found: Sequence[Version]) -> list[tuple[Version, Version]]:
    """Each version with the next one of the same flavor and GPU."""
    return [(old, new) for old, new in pairwise(found) if old.series == new.series]


def number(version: str) -> Number:
    """The sort key of a version; other texts come first."""
    try:
        return Number(version)
    except InvalidVersion:
        return Number("0")


def _joined(target: str, runs: Sequence[Record], expectations: Expectations | None) -> Version:
    by_check: dict[tuple[str, str], list[Verdict]] = {}
    for record in runs:
        mine: dict[tuple[str, str], list[Verdict]] = {}
        for verdict in record.verdicts:
            if verdict.target == target:
                mine.setdefault((verdict.case, verdict.check), []).append(verdict)
        by_check |= mine
    recorded = [verdict for verdicts in by_check.values() for verdict in verdicts]
    last = runs[-1]
    record = replace(
        last,
        header=last.header.model_copy(update={"targets": [target]}),
        verdicts=tuple(explained(verdict, expectations) for verdict in recorded),
        end=last.end if all(run.complete for run in runs) else None,
    )
    known = known_today((v for v in recorded if v.check != QUICK_LATENCY), expectations)
    return Version(target, record, tuple(run.header.started for run in runs), known)
