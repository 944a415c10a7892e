"""Shows progress while the suite runs: checks done, their outcomes, the rate, the time left and the current case.

The line replaces pytest's dots; everything else that pytest prints is unchanged.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Generator, Sequence
from typing import Any, TextIO

import pytest

from trt_conformance.core.paths import CASES
from trt_conformance.core.verdict import NEUTRAL
from trt_conformance.core.words import one_line

CHOICES = ("auto", "plain", "off")
NO_RESULT = "no result"
SHOWN = ("pass", "fail", "error", "known", NO_RESULT)
PLAIN_STEPS = 10
PLAIN_EVERY_S = 10.0


def progress_for(config: pytest.Config, choice: str) -> Progress | None:
    """The progress display for the value of ``--progress``; None with -v and -s, whose output it would disturb."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if choice == "off" or reporter is None or reporter.verbosity > 0 or config.getoption("capture") == "no":
        return None
    if choice == "plain":
        return Progress(config, reporter)
    is_live = (
        sys.stdout is not None and sys.stdout.isatty() and os.environ.get("TERM") != "dumb" and not os.environ.get("CI")
    )
    return Progress(config, reporter, sys.stdout) if is_live else None


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
        self, config: pytest.Config, reporter: pytest.TerminalReporter, terminal: TextIO | None = None
    ) -> None:
        self.config, self.reporter, self.terminal = config, reporter, terminal
        self.is_on = self.is_drawn = False
        self.total = 0
        self.counts: Counter[str] = Counter()
        self.running: dict[str, str] = {}  # the outcome of each running test so far
        self.started = self.last_line = 0.0

    @property
    def done(self) -> int:
        return self.counts.total()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.expect([item.nodeid for item in session.items])

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        self.expect(ids)

    def expect(self, ids: Sequence[str]) -> None:
        """Replace the dots, unless tests from outside the suite run too."""
        files = {name.partition("::")[0] for name in ids}
        self.is_on = all((self.config.rootpath / file).is_relative_to(CASES) for file in files)
        if self.is_on:
            self.total = len(ids)
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
        self.started = self.started or time.monotonic()
        self.running[nodeid] = ""
        if self.terminal is not None:
            self.draw(self.terminal)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        found = outcome(report) or self.running.get(report.nodeid, "")
        self.running[report.nodeid] = found
        # Its teardown, or pytest-xdist's report on the test during which a worker crashed.
        if report.when not in {"setup", "call"}:
            del self.running[report.nodeid]
            self.counts[found] += 1
            self.draw(self.terminal) if self.terminal is not None else self.write_sometimes()

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_testnodedown(self) -> None:
        """pytest-xdist is about to write a line of its own."""
        self.erase()

    def draw(self, terminal: TextIO) -> None:
        if self.is_on:
            columns = shutil.get_terminal_size().columns or 80  # Python 3.10 gives 0 if the terminal has no size
            terminal.write(f"\r{self.line()[: columns - 1]}\x1b[K")
            terminal.flush()
            self.is_drawn = True

    def erase(self) -> None:
        if self.terminal is not None and self.is_drawn:
            self.terminal.write("\r\x1b[K")
            self.terminal.flush()
            self.is_drawn = False

    def write_sometimes(self) -> None:
        """Write a plain line after each tenth of the run, and after ten seconds without one."""
        if not self.is_on:
            return
        now = time.monotonic()
        is_step = self.done * PLAIN_STEPS // self.total > (self.done - 1) * PLAIN_STEPS // self.total
        if is_step or now - max(self.last_line, self.started) >= PLAIN_EVERY_S:
            self.last_line = now
            self.reporter.write_line(self.line())
            self.reporter.flush()

    def line(self) -> str:
        """The current text. The case that has run longest is last, where a narrow terminal truncates it."""
        found = ", ".join(f"{self.counts[name]} {name}" for name in SHOWN if self.counts[name])
        parts = [f"{self.done}/{self.total}", found]
        passed_s = time.monotonic() - self.started
        if self.done and passed_s:
            minutes, seconds = divmod(round((self.total - self.done) * passed_s / self.done), 60)
            parts += [f"{self.done / passed_s:.3g}/s", f"{minutes}:{seconds:02} left"]
        parts += [_short(nodeid) for nodeid in list(self.running)[:1]]
        return "  ".join(part for part in parts if part)


def _short(nodeid: str) -> str:
    """The id of the case; the name of the test if it has none."""
    name = nodeid.partition("::")[2]
    return one_line(name.partition("[")[2].removesuffix("]") or name)
