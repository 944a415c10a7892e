"""Shows progress while the suite runs: checks done, their outcomes, the rate, the time left and the current case.

The line replaces pytest's dots; everything else that pytest prints is unchanged.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from typing import Any

import pytest
from rich.console import Console
from rich.progress import Progress as Rates
from rich.progress import Task
from rich.text import Text

from trt_conformance.core.live import line_on
from trt_conformance.core.paths import CASES
from trt_conformance.core.verdict import NEUTRAL
from trt_conformance.core.words import one_line

NO_RESULT = "no result"
SHOWN = ("pass", "fail", "error", "known", NO_RESULT)
PLAIN_STEPS = 10
PLAIN_EVERY_S = 10.0


def outcome(report: pytest.TestReport) -> str | None:
    """The outcome of a check; None if this report of its test does not contain it."""
    verdicts = getattr(report, "verdicts", ())
    if verdicts:
        found = "known" if verdicts[-1]["known"] else verdicts[-1]["status"]
        return NO_RESULT if found in NEUTRAL else str(found)
    if report.failed:
        return "error"
    if report.skipped:
        return NO_RESULT
    return "pass" if report.when == "call" else None


class Progress:
    """Follows a run by the reports on its tests, so that it works without pytest-xdist and in its controller.

    On a ``terminal`` one line is redrawn in place; without one, plain lines are written from time to time.
    """

    def __init__(
        self,
        config: pytest.Config,
        reporter: pytest.TerminalReporter,
        terminal: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.config, self.reporter, self.clock = config, reporter, clock
        self.live = None if terminal is None else line_on(terminal)
        self.rates = Rates(disable=True, get_time=clock)  # it only counts, and shows nothing
        self.is_on = False
        self.counts: Counter[str] = Counter()
        self.running: dict[str, str] = {}  # the outcome of each running test so far
        self.last_shown = clock()

    @property
    def task(self) -> Task:
        """The run, with its rate and the time left."""
        return self.rates.tasks[0]

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.expect([item.nodeid for item in session.items])

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        self.expect(ids)

    def expect(self, ids: Sequence[str]) -> None:
        """Replace the dots, unless tests from outside the suite run too."""
        files = {name.partition("::")[0] for name in ids}
        self.is_on = all((self.config.rootpath / file).is_relative_to(CASES) for file in files)
        if not self.is_on:
            return
        if self.rates.tasks:
            self.rates.update(self.task.id, total=len(ids))
        else:
            self.rates.add_task("", start=False, total=len(ids))
        self.reporter.showfspath = False
        # The percentages at the right edge. Older versions of pytest write them anyway.
        self.reporter._show_progress_info = False

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self) -> Generator[None, Any, Any]:
        try:
            return (yield)
        finally:
            self.erase()
            self.is_on = False

    @pytest.hookimpl(wrapper=True)
    def pytest_report_teststatus(self) -> Generator[None, Any, Any]:
        status = yield
        return (status[0], "", "") if self.is_on else status

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.running[nodeid] = ""
        if not self.is_on:
            return
        if not self.task.started:
            self.rates.start_task(self.task.id)
            self.last_shown = self.clock()
        self.draw()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        found = outcome(report) or self.running.get(report.nodeid, "")
        self.running[report.nodeid] = found
        # Its teardown, or pytest-xdist's report on the test during which a worker crashed.
        if report.when not in {"setup", "call"}:
            del self.running[report.nodeid]
            self.counts[found] += 1
            if self.is_on:
                self.rates.update(self.task.id, completed=self.counts.total())
                if self.live is None:
                    self.write_sometimes()
                elif self.task.finished:
                    self.draw()

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_testnodedown(self) -> None:
        """pytest-xdist is about to write a line of its own."""
        self.erase()

    def draw(self) -> None:
        """Draw the line as each test starts, so that it names the one that runs."""
        if self.live is not None:
            self.live.start()
            self.live.update(Text(self.line(), no_wrap=True, overflow="ellipsis"), refresh=True)

    def erase(self) -> None:
        if self.live is not None:
            self.live.stop()

    def write_sometimes(self) -> None:
        """Write a plain line after each tenth of the run, and after ten seconds without one."""
        done, total = int(self.task.completed), int(self.task.total or 1)
        is_step = done * PLAIN_STEPS // total > (done - 1) * PLAIN_STEPS // total
        if is_step or self.clock() - self.last_shown >= PLAIN_EVERY_S:
            self.last_shown = self.clock()
            self.reporter.write_line(self.line())
            self.reporter.flush()

    def line(self) -> str:
        """The state. The case that has run longest is last, where a narrow terminal cuts the line."""
        speed = self.task.finished_speed or self.task.speed
        parts = [f"{self.task.completed:.0f}/{self.task.total:.0f}", self.found, f"{speed:.3g}/s" if speed else ""]
        if self.task.time_remaining is not None:
            minutes, seconds = divmod(round(self.task.time_remaining), 60)
            parts.append(f"{minutes}:{seconds:02} left")
        return "  ".join(part for part in (*parts, self.case) if part)

    @property
    def found(self) -> str:
        """The outcomes so far: ``12 pass, 1 fail``."""
        return ", ".join(f"{self.counts[name]} {name}" for name in SHOWN if self.counts[name])

    @property
    def case(self) -> str:
        """The case that has run longest; empty if none runs."""
        return next(map(_short, self.running), "")


def _short(nodeid: str) -> str:
    """The id of the case; the name of the test if it has none."""
    name = nodeid.partition("::")[2]
    return one_line(name.partition("[")[2].removesuffix("]") or name)
