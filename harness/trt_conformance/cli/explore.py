"""``trt-conformance explore``: searches for faults that no case states."""

from __future__ import annotations

import random
import re
import shlex
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trt_conformance.cli.output import AsJson, print_json
from trt_conformance.cli.progress import ProgressLine
from trt_conformance.cli.streams import sigterm_as_ctrl_c
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.paths import CASES, RUNS
from trt_conformance.core.words import counted, one_line, percent

if TYPE_CHECKING:
    from trt_conformance.core.case import Case
    from trt_conformance.core.verdict import Verdict
    from trt_conformance.explore.judge import Judge, Known
    from trt_conformance.explore.search import Outcome, Search
    from trt_conformance.results.record.record import RecordWriter

FOLDER = "finds"
"""The folder of the case files, in that of the record."""
MOST_JOBS = 32
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|)")
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


def duration(text: str) -> float:
    """Seconds of a duration: ``90s``, ``30m``, ``8h``, or a number of seconds. Raises ConformanceError."""
    found = _DURATION.fullmatch(text.strip())
    if found is None or float(found[1]) <= 0:
        raise ConformanceError(f"--time: expected a duration such as 90s, 30m or 8h, got {text!r}")
    return float(found[1]) * _UNITS[found[2]]


def explore(
    target: Annotated[str, typer.Option(metavar="NAME", help="A registered name, or path/to/file.py:Class.")],
    for_time: Annotated[str, typer.Option("--time", metavar="TIME", help="How long to search: 90s, 30m, 8h.")] = "10m",
    draws: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Stop after so many draws.", show_default="no limit")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Determines every draw.", show_default="a random number")
    ] = None,
    focus: Annotated[
        str, typer.Option(metavar="WORD", help="A precision that every draw has, or a theme that each begins with.")
    ] = "",
    jobs: Annotated[int, typer.Option(min=1, max=MOST_JOBS, help="Processes that build and run.")] = 1,
    record_root: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder in which the record is written.", show_default="reports/runs")
    ] = RUNS,
    as_json: AsJson = False,
) -> None:
    """Draw cases at random, judge them, and make the ones that fail small.

    Each fault that no earlier one explains is a find: it is made as small
    as possible and written as a case file beside the record.

    Exit code 0 if nothing was found, 1 if there are finds, 130 after
    Ctrl-C; 2 for wrong arguments.
    """
    from trt_conformance.explore.draw import Draws
    from trt_conformance.targets.crew import Crew
    from trt_conformance.targets.isolation.proxy import open_target

    seconds = duration(for_time)
    chosen = Draws(random.randrange(1_000_000) if seed is None else seed, focus)  # noqa: S311 - no secret
    with sigterm_as_ctrl_c(), Crew(lambda: open_target(target), jobs, seconds) as crew:
        name, facts = crew.ask(_described)
        words = ["trt-conformance", "explore", "--target", target, "--seed", str(chosen.seed)]
        words += ["--focus", focus] if focus else []
        run = _Run(record_root, name, facts | {"explore": _settings(chosen)}, seconds, quiet=as_json)
        run.search(chosen, _judge(), shlex.join(words), crew, draws)
    if as_json:
        print_json([find.verdict.to_json() | {"file": find.case.location} for find in run.finds])
    raise typer.Exit(run.exit_code)


def _settings(draws: Any) -> dict[str, Any]:
    """What a record says of the draws, so that the search can be continued."""
    return {"seed": draws.seed, "focus": draws.focus}


class _Run:
    """Prints finds and progress, and writes the verdicts into a record."""

    def __init__(self, root: Path, target: str, facts: dict[str, Any], seconds: float, quiet: bool) -> None:
        self._root, self._target, self._facts, self._quiet = root, target, facts, quiet
        self._seconds, self._started = seconds, time.monotonic()
        self._writer: RecordWriter | None = None
        self._search: Search | None = None
        self.verdicts: list[Verdict] = []
        self.done = self.faulty = 0
        self.is_stopped = False

    @property
    def finds(self) -> list[Any]:
        return [] if self._search is None else self._search.finds.known

    @property
    def exit_code(self) -> int:
        return 128 + signal.SIGINT if self.is_stopped else int(bool(self.finds))

    def search(self, draws: Any, judge: Judge, described: str, crew: Any, most: int | None) -> None:
        """Search until the time is up, the draws are done, or Ctrl-C."""
        from trt_conformance.explore.search import Search

        with self._recorded() as folder, ProgressLine() as line:
            self._search = Search(draws, judge, folder / FOLDER, described)
            try:
                for outcome in self._search.run(crew, islice(count(), most)):
                    self._take(outcome, line)
            except KeyboardInterrupt:
                self.is_stopped = True

    def _take(self, outcome: Outcome, line: ProgressLine) -> None:
        assert self._search is not None
        self.done += 1
        self.faulty += outcome.is_fault
        self._write(outcome.verdict)
        if outcome.find is not None:
            self._write(outcome.find.verdict)
            if not self._quiet:
                line.clear()
                typer.echo(_told(len(self.finds), outcome))
        line.show(self._progress())

    def _write(self, verdict: Verdict) -> None:
        self.verdicts.append(verdict)
        if self._writer is not None:
            self._writer.write(verdict)

    def _progress(self) -> str:
        assert self._search is not None
        passed = time.monotonic() - self._started
        return (
            f"{counted(self.done, 'draw')}, {self.done / max(passed, 1e-3):.1f}/s, "
            f"{percent(self._search.reached.share)} of the edges, {counted(len(self.finds), 'find')}, "
            f"{clock(passed)} of {clock(self._seconds)}"
        )

    @contextmanager
    def _recorded(self) -> Iterator[Path]:
        from trt_conformance.core.signals import uninterrupted
        from trt_conformance.results.record.record import RecordWriter
        from trt_conformance.results.summary import counts

        try:
            self._writer = RecordWriter(self._root, [self._target], self._facts)
            yield self._writer.folder
            with uninterrupted():
                end = {"counts": dict(counts(self.verdicts)), "exit": self.exit_code, "stopped": self.is_stopped}
                self._writer.close(end)
        except OSError as fault:
            raise ConformanceError(f"the record cannot be written: {fault.strerror or fault}") from None
        if not self._quiet:
            typer.echo(self._summary(self._writer.folder))

    def _summary(self, folder: Path) -> str:
        assert self._search is not None
        lines = [
            f"{counted(self.done, 'draw')}, {self.faulty} of them failed, {counted(len(self.finds), 'find')}; "
            f"{percent(self._search.reached.share)} of the edges reached",
            f"record: {folder}",
        ]
        if self.finds:
            lines.append(f"case files: {folder / FOLDER}")
        return "\n".join(lines)


def clock(seconds: float) -> str:
    """``1:02:03`` or ``2:03``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _told(number: int, outcome: Outcome) -> str:
    """A find in a few lines: its case and its message."""
    find = outcome.find
    assert find is not None
    _, *lines = find.verdict.message.splitlines() or [""]
    size = f"{find.layer.precision} input {list(find.layer.input_shape)}, kernel {list(find.layer.kernel_shape)}"
    told = [f"find {number}: {find.verdict.check} fails; {size} ({find.case.location})"]
    told += [f"  {one_line(text.strip())}" for text in lines]
    told += [f"  the case file has a fault: {one_line(fault)}" for fault in find.faults]
    return "\n".join(told)


def _described(target: Any) -> tuple[str, dict[str, Any]]:
    from trt_conformance.targets.run_environment import describe

    return target.name, describe([target])


def _judge() -> Judge:
    from trt_conformance.explore.judge import Judge
    from trt_conformance.mutants.diagnosis import diagnosis

    return Judge(known=_known(), diagnose=diagnosis)


def _known() -> Known:
    """Marks the faults that the suite's expectations explain by what a case is."""
    from trt_conformance.catalog.expectations import Expectations, read_expectations
    from trt_conformance.catalog.source import CaseFileError

    entries, faults = read_expectations(CASES / "expectations", ids=None)
    if faults:
        raise CaseFileError(faults)
    general = [entry for entry in entries if entry.where is not None]

    def known(verdict: Verdict, case: Case) -> Verdict:
        return Expectations(general, lambda case_id: case).apply(verdict) if verdict.is_fault else verdict

    return known
