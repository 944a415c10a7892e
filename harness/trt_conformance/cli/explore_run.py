"""A run of ``trt-conformance explore``: prints finds and progress, and writes verdicts into a record."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count, islice
from pathlib import Path
from typing import Any, BinaryIO

import typer

from trt_conformance.cli.progress import ProgressLine
from trt_conformance.core.case import Case
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.files import replacing
from trt_conformance.core.paths import from_here
from trt_conformance.core.signals import uninterrupted
from trt_conformance.core.verdict import Verdict
from trt_conformance.core.words import counted, one_line, percent
from trt_conformance.explore.draw import Draws
from trt_conformance.explore.finds import Find
from trt_conformance.explore.judge import Judge
from trt_conformance.explore.resume import Earlier
from trt_conformance.explore.search import FOLDER, DrawOutcome, Search
from trt_conformance.results.causes import reason
from trt_conformance.results.record.record import RecordWriter
from trt_conformance.results.summary import counts
from trt_conformance.targets.worker_pool import WorkerPool

SecondOpinion = Callable[[Case], Verdict]
"""What a second target gives for the case of a find."""


SAID = "stderr.txt"
"""The file beside the record that has what the target's libraries wrote on stderr."""


class SearchRun:
    """One search, or the continuation of an earlier one, with its record."""

    def __init__(
        self,
        root: Path,
        target: str,
        facts: dict[str, Any],
        seconds: float,
        earlier: Earlier | None = None,
        quiet: bool = False,
    ) -> None:
        """Begin.

        Args:
            root: the folder in which a new record is written.
            target: its name.
            facts: the environment of a new record.
            seconds: how long the search will last.
            earlier: the search that is continued, in its record.
            quiet: whether nothing but progress is printed.
        """
        self._root, self._target, self._facts, self._quiet = root, target, facts, quiet
        self._seconds, self._started, self._earlier = seconds, time.monotonic(), earlier
        self._writer: RecordWriter | None = None
        self._search: Search | None = None
        self._second: SecondOpinion | None = None
        self.verdicts: list[Verdict] = [] if earlier is None else list(earlier.record.verdicts)
        self.done = self.faulty = 0
        self.is_stopped = False

    @property
    def finds(self) -> list[Find]:
        return [] if self._search is None else self._search.finds.known

    @property
    def exit_code(self) -> int:
        return 128 + signal.SIGINT if self.is_stopped else int(bool(self.finds))

    def search(
        self,
        draws: Draws,
        judge: Judge,
        described: str,
        pool: WorkerPool,
        most: int | None = None,
        second: SecondOpinion | None = None,
    ) -> None:
        """Search until the time is up, the draws are done, or Ctrl-C.

        Args:
            draws: what is judged; those that the earlier search has done are left out.
            judge: how.
            described: the command, for the case files.
            pool: the targets.
            most: the number of draws at most.
            second: judges each find, too.
        """
        done = frozenset() if self._earlier is None else self._earlier.done
        known = () if self._earlier is None else self._earlier.finds
        self._second = second
        with self._recorded() as folder, ProgressLine() as line:
            self._search = Search(draws, judge, folder / FOLDER, described, known=known)
            self._search.reach(done)
            numbers = islice((number for number in count() if number not in done), most)
            try:
                for outcome in self._search.run(pool, numbers):
                    self._take(outcome, line)
            except KeyboardInterrupt:
                self.is_stopped = True

    def write_stderr(self, said: BinaryIO) -> None:
        """Write what the target's libraries said on stderr beside the record, if anything. Raises WriteError."""
        said.seek(0)
        content = said.read()
        if content and self._writer is not None:
            with replacing(self._writer.folder / SAID) as temporary:
                temporary.write_bytes(content)

    def _take(self, outcome: DrawOutcome, line: ProgressLine) -> None:
        self.done += 1
        self.faulty += outcome.is_fault
        self._write(outcome.verdict)
        if outcome.find is not None:
            self._write(outcome.find.verdict)
            text = _find_text(len(self.finds), outcome.find)
            if self._second is not None:
                other = self._second(outcome.find.case)
                self._write(other)
                text += f"\n  {other.target}: {_opinion(other)}"
            if not self._quiet:
                line.clear()
                typer.echo(text)
        line.show(self._progress())

    def _write(self, verdict: Verdict) -> None:
        self.verdicts.append(verdict)
        if self._writer is not None:
            self._writer.write(verdict)

    def _progress(self) -> str:
        passed = time.monotonic() - self._started
        return (
            f"{counted(self.done, 'draw')}, {self.done / max(passed, 1e-3):.1f}/s, {self._reached()}, "
            f"{counted(len(self.finds), 'find')}, {clock(passed)} of {clock(self._seconds)}"
        )

    def _reached(self) -> str:
        share = 0.0 if self._search is None else self._search.reached.share
        return f"{percent(share)} of the edges reached"

    @contextmanager
    def _recorded(self) -> Iterator[Path]:
        """The folder of the record, which is closed at the end."""
        try:
            if self._earlier is None:
                self._writer = RecordWriter(self._root, [self._target], self._facts)
            else:
                self._writer = RecordWriter.continuing(self._earlier.folder, self._earlier.record)
            yield self._writer.folder
            with uninterrupted():
                end = {"counts": dict(counts(self.verdicts)), "exit": self.exit_code, "stopped": self.is_stopped}
                self._writer.close(end)
        except OSError as fault:
            raise ConformanceError(f"{self._root}: the record cannot be written: {fault.strerror or fault}") from None
        if not self._quiet:
            typer.echo(self._summary(self._writer.folder))

    def _summary(self, folder: Path) -> str:
        found = counted(len(self.finds), "find")
        lines = [f"{counted(self.done, 'draw')}, {self.faulty} of them failed, {found}; {self._reached()}"]
        lines.append(f"record: {from_here(folder)}")
        if self.finds:
            lines.append(f"case files: {from_here(folder / FOLDER)}")
        return "\n".join(lines)


def clock(seconds: float) -> str:
    """``1:02:03`` or ``2:03``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _find_text(number: int, find: Find) -> str:
    """A find in a few lines: its case and its message."""
    _, *lines = find.verdict.message.splitlines() or [""]
    size = f"{find.layer.precision} input {list(find.layer.input_shape)}, kernel {list(find.layer.kernel_shape)}"
    lines_of_find = [f"find {number}: {find.verdict.check} fails; {size} ({find.case.location})"]
    lines_of_find += [f"  {one_line(text.strip())}" for text in lines]
    lines_of_find += [f"  the case file has a fault: {one_line(fault)}" for fault in find.faults]
    return "\n".join(lines_of_find)


def _opinion(verdict: Verdict) -> str:
    """What a second target gives, in a line."""
    if verdict.is_fault:
        return one_line(f"fails in {verdict.check}: {reason(verdict.message)}")
    return one_line(": ".join(filter(None, (verdict.status, reason(verdict.message)))))
