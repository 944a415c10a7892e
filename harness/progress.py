"""Tells, while the suite runs, how far it is: checks done, what they found, rate, time left and the current case.

The line replaces pytest's dots; all else that pytest prints stays as it is.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Generator, Iterable
from typing import Any

import pytest

from harness.paths import CASES
from harness.verdict import NEUTRAL

CHOICES = ("auto", "plain", "off")
NO_RESULT = "no result"
SHOWN = ("pass", "fail", "error", "known", NO_RESULT)
PLAIN_EVERY_S = 10.0
PLAIN_STEPS = 10


def progress_for(config: pytest.Config) -> Progress | None:
    """What the options and the terminal ask for. With -v or -s, pytest's own lines tell more."""
    choice, reporter = config.getoption("progress"), config.pluginmanager.get_plugin("terminalreporter")
    if choice == "off" or reporter is None or reporter.verbosity > 0 or config.getoption("capture") == "no":
        return None
    in_place = choice == "auto"
    if in_place and (not sys.stdout.isatty() or os.environ.get("TERM") == "dumb" or os.environ.get("CI")):
        return None
    return Progress(config, reporter, in_place)


class Progress:
    """Follows a run by its reports, so that it works in the only process and in pytest-xdist's controller."""

    def __init__(self, config: pytest.Config, reporter: pytest.TerminalReporter, in_place: bool) -> None:
        self.config, self.reporter, self.in_place = config, reporter, in_place
        self.is_on = False
        self.total = self.done = 0
        self.counts: Counter[str] = Counter()
        self.running: dict[str, None] = {}
        self.started = self.told = 0.0
        self.is_drawn = False

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.expect([item.nodeid for item in session.items])

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        self.expect(ids)

    def expect(self, ids: Iterable[str]) -> None:
        """Take over from the dots, unless other tests than the suite's run too."""
        files = {name.partition("::")[0] for name in ids}
        self.is_on = all((self.config.rootpath / file).is_relative_to(CASES) for file in files)
        if self.is_on:
            self.total = len(list(ids))
            self.reporter.showfspath = False
            self.reporter._show_progress_info = False

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self) -> Generator[None, Any, Any]:
        self.started = self.told = time.monotonic()
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
        self.running[nodeid] = None
        if self.in_place:
            self.draw()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        found = outcome(report)
        if found is not None:
            self.counts[found] += 1
        if report.when in {"setup", "call"}:
            return
        self.running.pop(report.nodeid, None)
        self.done += 1
        self.draw() if self.in_place else self.tell()

    @pytest.hookimpl(tryfirst=True, optionalhook=True)
    def pytest_testnodedown(self) -> None:
        self.erase()

    def draw(self) -> None:
        """Write the line over the last one."""
        if self.is_on:
            line = self.line()[: self.columns - 1]
            self.reporter.write_raw(f"\r{line}\x1b[K", flush=True)
            self.is_drawn = True

    def erase(self) -> None:
        if self.is_drawn:
            self.reporter.write_raw("\r\x1b[K", flush=True)
            self.is_drawn = False
