"""``trt-conformance explore``: searches for faults that no case covers."""

from __future__ import annotations

import random
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trt_conformance.cli.folders import Cases, folders_of
from trt_conformance.cli.output import AsJson, print_json
from trt_conformance.cli.processes import opener
from trt_conformance.cli.streams import captured_stderr, sigterm_as_ctrl_c
from trt_conformance.core.case_folder import SUITE
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.paths import RUNS

if TYPE_CHECKING:
    from trt_conformance.cli.explore_run import SecondOpinion
    from trt_conformance.core.case import Case
    from trt_conformance.core.case_folder import CaseFolder
    from trt_conformance.core.verdict import Verdict
    from trt_conformance.explore.draw import Draws
    from trt_conformance.explore.judge import Judge, Known, MayBeKnown
    from trt_conformance.explore.resume import Earlier
    from trt_conformance.targets.protocols import Target

MOST_JOBS = 32
HANG_S = 120.0
"""A build or a run that takes longer is a hang."""
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|)")
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


def duration(text: str) -> float:
    """Seconds of a duration: ``90s``, ``30m``, ``8h``, or a number of seconds. Raises ConformanceError."""
    found = _DURATION.fullmatch(text.strip())
    if found is None or float(found[1]) <= 0:
        raise ConformanceError(f"--time: expected a duration such as 90s, 30m or 8h, got {text!r}")
    return float(found[1]) * _UNITS[found[2]]


TargetName = Annotated[str, typer.Option(metavar="NAME", help="A registered name, or path/to/file.py:Class.")]
ForTime = Annotated[str, typer.Option("--time", metavar="TIME", help="How long to search: 90s, 30m, 8h.")]
MostDraws = Annotated[int | None, typer.Option(min=1, metavar="N", help="Stop after N draws.", show_default="no limit")]
Seed = Annotated[
    int | None, typer.Option(metavar="N", min=0, help="Determines every draw.", show_default="a random number")
]
Focus = Annotated[
    str, typer.Option(metavar="WORD", help="A precision for every draw, or a theme that each begins with.")
]
Near = Annotated[str, typer.Option(metavar="CASE", help="Draw variations of this case (of --cases, if given).")]
Against = Annotated[str, typer.Option(metavar="NAME", help="A second target that also judges each find.")]
Resume = Annotated[
    Path | None, typer.Option(metavar="RUN", help="Continue the search of a record, in the same record.")
]
Jobs = Annotated[
    int | None,
    typer.Option(
        metavar="N", min=1, max=MOST_JOBS, help="Processes that build and run.", show_default="one for each visible GPU"
    ),
]
RecordRoot = Annotated[
    Path, typer.Option(metavar="DIR", help="The folder for the record.", show_default="reports/runs")
]


def explore(
    target: TargetName,
    for_time: ForTime = "10m",
    draws: MostDraws = None,
    seed: Seed = None,
    focus: Focus = "",
    near: Near = "",
    against: Against = "",
    resume: Resume = None,
    jobs: Jobs = None,
    cases: Cases = None,
    record_root: RecordRoot = RUNS,
    as_json: AsJson = False,
) -> None:
    """Draw cases at random, judge them, and shrink those that fail.

    A fault that no earlier find explains is a new find: its case is shrunk
    and written as a case file beside the record.

    A fault that matches a condition in the known differences, of the suite
    or of --cases, is not a find.

    Exit code 0 if nothing was found, 1 if there are finds, 130 after
    Ctrl-C; 2 for wrong arguments.
    """
    from trt_conformance.cli.explore_run import SearchRun
    from trt_conformance.explore.resume import SETTINGS
    from trt_conformance.targets.options import Options
    from trt_conformance.targets.run_environment import described
    from trt_conformance.targets.worker_pool import WorkerPool

    seconds = duration(for_time)
    earlier = _earlier(resume, seed, focus, near)
    if earlier is not None:
        seed, focus, near = earlier.seed, earlier.focus, earlier.near
    folders = folders_of(cases)
    chosen = _draws(seed, focus, near, folders)
    words = ["trt-conformance", "explore", "--target", target, "--seed", str(chosen.seed)]
    words += [word for name, value in (("--focus", focus), ("--near", near)) if value for word in (name, value)]
    words += [word for folder in folders for word in shlex.split(folder.options)]
    judge = _judge(folders)
    with (
        captured_stderr() as captured,
        sigterm_as_ctrl_c(),
        WorkerPool(opener(target, Options()), _size(jobs), seconds, HANG_S) as pool,
        _Second(against, judge) as second,
    ):
        name, facts = pool.ask(described)
        if earlier is not None and name not in earlier.record.targets:
            raise ConformanceError(f"--resume: the record's target is {earlier.record.targets[0]}, not {name}")
        settings = {SETTINGS: {"seed": chosen.seed, "focus": focus, "near": near}}
        run = SearchRun(record_root, name, facts | settings, seconds, earlier, quiet=as_json)
        run.search(chosen, judge, shlex.join(words), pool, draws, second.opinion)
        run.write_stderr(captured)
    if as_json:
        print_json([find.verdict.to_json() | {"file": find.case.location} for find in run.finds])
    raise typer.Exit(run.exit_code)


def _earlier(resume: Path | None, seed: int | None, focus: str, near: str) -> Earlier | None:
    from trt_conformance.explore.resume import read_earlier

    if resume is None:
        return None
    for name, given in (("--seed", seed is not None), ("--focus", focus), ("--near", near)):
        if given:
            raise ConformanceError(f"{name}: a resumed search uses the value of its record; leave this option out")
    return read_earlier(resume)


def _draws(seed: int | None, focus: str, near: str, folders: Sequence[CaseFolder]) -> Draws:
    from trt_conformance.cli.selection import one_case, read_catalog
    from trt_conformance.explore.draw import Draws
    from trt_conformance.explore.layer import layer_of

    layer = None
    if near:
        catalog = read_catalog(folders, tier=None)
        case = catalog.find(near) or one_case(catalog, near)
        if case.reject is not None:
            raise ConformanceError(f"--near: {case.id} must be refused, so its variations cannot be judged")
        layer = layer_of(case)
    return Draws(random.randrange(1_000_000) if seed is None else seed, focus, layer)  # noqa: S311 - no secret


def _size(jobs: int | None) -> int:
    """The number of processes."""
    from trt_conformance.targets.device.sharing import gpus_of_one_kind

    return jobs or min(max(1, gpus_of_one_kind()), MOST_JOBS)


class _Second:
    """The second target, where there is one."""

    def __init__(self, spec: str, judge: Judge) -> None:
        self._spec, self._judge = spec, judge
        self._target: Target | None = None

    def __enter__(self) -> _Second:
        """Open it. Raises ConformanceError if there is no such target."""
        from trt_conformance.targets.isolation.proxy import open_target

        self._target = open_target(self._spec) if self._spec else None
        return self

    def __exit__(self, *_: object) -> None:
        from trt_conformance.targets.isolation.proxy import IsolatedTarget

        if isinstance(self._target, IsolatedTarget):
            self._target.close()

    @property
    def opinion(self) -> SecondOpinion | None:
        """What it gives for the case of a find."""
        from trt_conformance.explore.judge import summary

        target, judge = self._target, self._judge
        return None if target is None else lambda case: summary(judge(target, case))


def _judge(folders: Sequence[CaseFolder]) -> Judge:
    from trt_conformance.explore.judge import Judge
    from trt_conformance.mutants.diagnosis import diagnosis

    known, may_be_known = _known(folders)
    return Judge(known=known, may_be_known=may_be_known, diagnose=diagnosis)


def _known(folders: Sequence[CaseFolder]) -> tuple[Known, MayBeKnown]:
    """What marks the faults that expectations explain by what a case is: the suite's, and those of folders of cases."""
    from trt_conformance.catalog.expectations import Expectation, Expectations, by_condition, read_expectations
    from trt_conformance.catalog.source import CaseFileError

    general: list[Expectation] = []
    for folder in dict.fromkeys((SUITE, *folders)):
        entries, faults = read_expectations(folder.expectations, ids=None)
        if faults:
            raise CaseFileError(faults)
        general += by_condition(entries)

    def known(verdict: Verdict, case: Case) -> Verdict:
        return Expectations(general, lambda case_id: case).apply(verdict) if verdict.is_fault else verdict

    def may_be_known(verdict: Verdict, case: Case) -> bool:
        return Expectations(general, lambda case_id: case).may_differ(verdict.target, verdict.case, verdict.check)

    return known, may_be_known
