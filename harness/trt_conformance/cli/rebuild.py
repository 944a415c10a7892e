"""``trt-conformance rebuild``: builds cases many times, or with each tactic, and judges every engine."""

from __future__ import annotations

import shlex
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trt_conformance.cli.folders import Cases, Golden, folders_of
from trt_conformance.cli.output import AsJson, note, print_json
from trt_conformance.cli.processes import opener, shared_out
from trt_conformance.cli.selection import PATTERN_HELP, read_catalog, select_cases
from trt_conformance.cli.streams import sigterm_as_ctrl_c
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.paths import RUNS, from_here
from trt_conformance.core.words import closest, counted, one_line, percent

if TYPE_CHECKING:
    from trt_conformance.catalog.catalog import Catalog
    from trt_conformance.checks.rebuilds.runs import EveryTactic, Judging, RebuildRuns
    from trt_conformance.checks.subject import Golden as GoldenOf
    from trt_conformance.core.case import Case
    from trt_conformance.core.case_folder import CaseFolder
    from trt_conformance.core.verdict import Verdict
    from trt_conformance.numerics.reference.result import Result
    from trt_conformance.results.record.record import RecordWriter
    from trt_conformance.targets.worker_pool import WorkerPool

MOST_CASES, MOST_LAYERS = 100, 50
MOST_JOBS = 32
# Builds that are requested ahead for each thread that builds: one in progress and one that waits.
AHEAD = 2

TargetName = Annotated[str, typer.Option(metavar="NAME", help="A registered name, or path/to/file.py:Class.")]
Chosen = Annotated[
    list[str] | None,
    typer.Option("--case", metavar="PATTERN", help=f"{PATTERN_HELP} Repeatable."),
]
Times = Annotated[int, typer.Option(metavar="N", min=1, max=10_000, help="How many times to build each case.")]
ByTactic = Annotated[
    bool,
    typer.Option("--every-tactic", help="Instead, build each case with each tactic that the builder could choose."),
]
Count = Annotated[
    int | None,
    typer.Option(
        metavar="N", min=1, help="At most N cases, spread evenly over the selected ones.", show_default="100; 50"
    ),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=1,
        max=MOST_JOBS,
        help="Builds at the same time; with several, nothing is timed.",
        show_default="1; 4 with --every-tactic",
    ),
]
Budget = Annotated[
    float | None,
    typer.Option(min=1.0, metavar="SECONDS", help="Start no further build after this time.", show_default="none"),
]
Tactics = Annotated[
    str,
    typer.Option(metavar="WORD", help="How long TensorRT searches for GPU kernels: fast, default or exhaustive."),
]
RecordRoot = Annotated[
    Path, typer.Option(metavar="DIR", help="The folder for the record.", show_default="reports/runs")
]


def rebuild(
    target: TargetName,
    case: Chosen = None,
    times: Times = 20,
    every_tactic: ByTactic = False,
    count: Count = None,
    cases: Cases = None,
    golden: Golden = None,
    jobs: Jobs = None,
    budget: Budget = None,
    tactics: Tactics = "default",
    record_root: RecordRoot = RUNS,
    as_json: AsJson = False,
) -> None:
    """Build cases many times without any cache, and judge every engine.

    The record says which GPU kernels were chosen and how often, whether
    the output bits differ between builds, and how much slower the
    slowest choice is than the fastest.

    With --every-tactic, each case is built with each tactic that the
    builder could choose for the convolution, including those that its
    timings never select.

    Exit code 1 if an output is beyond its bound or a build fails.
    """
    from trt_conformance.targets.device.sharing import gpus_of_one_kind
    from trt_conformance.targets.options import MOST_BUILDERS, TACTICS, Options
    from trt_conformance.targets.run_environment import described
    from trt_conformance.targets.worker_pool import WorkerPool

    if tactics not in TACTICS:
        raise ConformanceError(f"--tactics: expected {', '.join(TACTICS)}, got {tactics!r}{closest(tactics, TACTICS)}")
    folders = folders_of(cases, golden)
    catalog = read_catalog(folders, tier=None)
    jobs = jobs or (MOST_BUILDERS if every_tactic else 1)
    processes, builders = shared_out(jobs, gpus_of_one_kind(), MOST_BUILDERS)
    options = Options(tactics=tactics, fresh=True, builders=builders, eager=True)
    with sigterm_as_ctrl_c(), WorkerPool(opener(target, options), processes, budget) as pool:
        pool.open()
        name, facts = pool.ask(described)
        judging = _judging(catalog, name, _rerun(target, times, every_tactic, tactics, folders))
        chosen: Sequence[Case] = _select(catalog, case or (), judging)
        if not case:
            chosen = pool.ask(lambda opened: [one for one in chosen if opened.supports(one) is None])
        chosen = _spread(chosen, count or (MOST_LAYERS if every_tactic else MOST_CASES))
        run = _RebuildRun(record_root, name, facts, folders, quiet=as_json)
        if every_tactic:
            run.every_tactic(_every_tactic(chosen, judging, builders), pool)
        else:
            run.rebuilds(_rebuilds(chosen, times, judging, jobs == 1, builders), pool)
    if as_json:
        print_json([verdict.to_json() for verdict in run.verdicts])
    raise typer.Exit(run.exit_code)


class _RebuildRun:
    """Prints verdicts as they come, and writes them into a record."""

    def __init__(
        self, root: Path, target: str, facts: dict[str, Any], folders: Sequence[CaseFolder], quiet: bool
    ) -> None:
        self._root, self._target, self._facts, self._folders, self._quiet = root, target, facts, folders, quiet
        self._writer: RecordWriter | None = None
        self.verdicts: list[Verdict] = []
        self.is_stopped = False

    @property
    def exit_code(self) -> int:
        from trt_conformance.core.verdict import FAULTS

        if self.is_stopped:
            return 128 + signal.SIGINT
        return int(any(verdict.status in FAULTS and not verdict.known for verdict in self.verdicts))

    def rebuilds(self, work: RebuildRuns, pool: WorkerPool) -> None:
        """Build everything; what Ctrl-C leaves is judged by the builds that it had."""
        with self._recorded():
            try:
                self._take(work.run(pool))
            except KeyboardInterrupt:
                self.is_stopped = True
                self._take(work.rest())

    def every_tactic(self, work: EveryTactic, pool: WorkerPool) -> None:
        """List the tactics, then build with each; as in `rebuilds`."""
        with self._recorded():
            try:
                began = time.monotonic()
                self._take(work.find_tactics(pool))
                listed_s, began = time.monotonic() - began, time.monotonic()
                note(f"{counted(work.listed, 'tactic')} of {counted(work.cases_listed, 'case')} in {listed_s:.1f} s")
                self._take(work.run(pool))
                note(f"{work.tried / (time.monotonic() - began):.1f} tactics tried a second")
            except KeyboardInterrupt:
                self.is_stopped = True
                self._take(work.rest())
        if work.listed:
            share = percent(work.ran / work.listed)
            self._say(f"\n{work.ran} of {counted(work.listed, 'tactic')} ran: {share}")
            for reason, count in work.reasons.most_common():
                self._say(f"{count} not run: {reason}")

    def _take(self, verdicts: Iterator[Verdict]) -> None:
        for verdict in verdicts:
            if self._writer is not None:
                self._writer.write(verdict)
            self.verdicts.append(verdict)
            status = "known" if verdict.known else verdict.status
            self._say(f"{status:<11}  {verdict.case}  {_shown(verdict)}".rstrip())

    def _say(self, line: str) -> None:
        if not self._quiet:
            typer.echo(line)

    @contextmanager
    def _recorded(self) -> Iterator[None]:
        from trt_conformance.core.signals import uninterrupted
        from trt_conformance.core.verdict import FAULTS
        from trt_conformance.results.record.record import RecordWriter
        from trt_conformance.results.summary import counts

        try:
            self._writer = RecordWriter(self._root, [self._target], self._facts, folders=self._folders)
            yield
            with uninterrupted():
                end = {"counts": dict(counts(self.verdicts)), "exit": self.exit_code, "stopped": self.is_stopped}
                self._writer.close(end)
        except OSError as fault:
            raise ConformanceError(f"{self._root}: the record cannot be written: {fault.strerror or fault}") from None
        faults = sum(verdict.status in FAULTS and not verdict.known for verdict in self.verdicts)
        path = from_here(self._writer.path)
        self._say(f"\n{counted(len(self.verdicts), 'case')}, {counted(faults, 'fault')}; record: {path}")


def _shown(verdict: Verdict) -> str:
    """A verdict's message in a line; of a fault, with the lines below its headline."""
    first, *rest = verdict.message.splitlines() or [""]
    if " FAILED in " in first:
        return "\n".join([rest[0].strip() if rest else "", *(f"    {one_line(line)}" for line in rest[1:])])
    return one_line("; ".join([first, *(line.strip() for line in rest)]))


def _rebuilds(cases: Sequence[Case], times: int, judging: Judging, timed: bool, builders: int) -> RebuildRuns:
    from trt_conformance.checks.rebuilds.runs import RebuildRuns

    return RebuildRuns(cases, times, judging, timed, AHEAD * builders)


def _every_tactic(cases: Sequence[Case], judging: Judging, builders: int) -> EveryTactic:
    from trt_conformance.checks.rebuilds.runs import EveryTactic

    return EveryTactic(cases, judging, AHEAD * builders)


def _select(catalog: Catalog, globs: Sequence[str], judging: Judging) -> list[Case]:
    """The cases to build: those named, else all accepted ones without a known difference but the suite's timed ones."""
    chosen = [case for case in select_cases(catalog, globs) if case.reject is None and not case.large]
    if not globs:
        chosen = [
            case for case in chosen if not (case.latency and case.folder.is_suite) and not judging.may_differ(case)
        ]
    if not chosen:
        raise ConformanceError("all selected cases must be refused, or are large: there is nothing to build")
    return chosen


def _spread(cases: Sequence[Case], most: int) -> Sequence[Case]:
    """At most so many cases, at equal distances in the order of the catalog."""
    if len(cases) <= most:
        return cases
    note(f"{most} of {len(cases)} cases; --count {len(cases)} takes all of them")
    return [cases[index * len(cases) // most] for index in range(most)]


def _judging(catalog: Catalog, target: str, rerun: str) -> Judging:
    from trt_conformance.catalog.expectations import load_expectations
    from trt_conformance.checks.padding import sample
    from trt_conformance.checks.rebuilds.runs import Judging

    expectations = load_expectations(catalog, sample.ids_beside(catalog.folders))

    return Judging(
        target=target,
        golden=_golden(),
        known=expectations.apply,
        may_differ=lambda case: expectations.may_differ(target, case.id, "forward"),
        rerun=lambda case: f"{rerun} --case {shlex.quote(case.id)}",
    )


def _rerun(target: str, times: int, every_tactic: bool, tactics: str, folders: Sequence[CaseFolder]) -> str:
    words = ["trt-conformance", "rebuild", "--target", target]
    words += ["--every-tactic"] if every_tactic else ["--times", str(times)]
    words += ["--tactics", tactics] if tactics != "default" else []
    return shlex.join(words) + "".join(folder.options for folder in folders)


def _golden() -> GoldenOf:
    """The reference of a case. Each is read or computed once, by one thread at a time."""
    from trt_conformance.golden import expected_result

    lock = threading.Lock()
    results: dict[tuple[str, int], Result] = {}

    def golden(case: Case, index: int) -> Result:
        with lock:
            if (case.id, index) not in results:
                results[case.id, index] = expected_result(case, index)
            return results[case.id, index]

    return golden
