"""Collects verdicts in the process that the user started: record, closing summary, exit code, report, headline."""

from __future__ import annotations

import shutil
import time
from collections.abc import Generator

import pytest

from trt_conformance.core.paths import from_here
from trt_conformance.core.signals import uninterrupted
from trt_conformance.core.verdict import Verdict
from trt_conformance.core.words import one_line, printable
from trt_conformance.results import claims, summary
from trt_conformance.runner.failures import Failures
from trt_conformance.runner.headline import headline, untested
from trt_conformance.runner.session import Run

# What the progress display reads of a verdict.
NEEDED_LATER = frozenset(("status", "known"))
INTERRUPTED = (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR)


class Controller:
    """Collects verdicts in the only process, or in pytest-xdist's controller."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.unmatched: list[str] = []
        self.untested: list[str] = []
        self.exit = 0
        self.failures = Failures()
        self.began = time.perf_counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for entry in getattr(report, "verdicts", ()):
            verdict = Verdict.from_json(entry)
            self.run.recorder.note(verdict)
            if report.failed and verdict.is_fault and not verdict.known:
                self.failures.add(report, verdict)
            for name in set(entry) - NEEDED_LATER:  # pytest does not release a report before the run ends
                del entry[name]

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        run, verdicts = self.run, self.run.recorder.verdicts
        if run.is_empty_shard and session.exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
            session.exitstatus = pytest.ExitCode.OK  # a shard of nothing is right, and merging needs its record
            run.recorder.begin()
        # An interrupted run may have missed the checks that an expectation or claim is about.
        finished = session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        stopped = bool(session.shouldfail or session.shouldstop)
        if finished and verdicts:
            self.unmatched = [entry.id for entry in run.expectations.unused(verdicts)]
        if finished and verdicts and run.options.targets and not stopped and run.options.shard is None:
            self.untested = untested(verdicts, [target.name for target in run.targets], run.options.min_claims)
        if self.unmatched or self.untested:
            session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED
        self.exit = int(session.exitstatus)
        engines = {target: dict(counted) for target, counted in summary.engines(verdicts).items()}
        cost = summary.timing(verdicts, time.perf_counter() - self.began)
        end = {
            "counts": dict(summary.counts(verdicts)),
            "exit": self.exit,
            **({"stopped": True} if stopped or session.exitstatus in INTERRUPTED else {}),
            **({"engines": engines} if engines else {}),
            **({"quick_latencies": cost} if cost else {}),
        }
        with uninterrupted():
            run.recorder.close(end)

    @pytest.hookimpl(wrapper=True, tryfirst=True, specname="pytest_terminal_summary")
    def pytest_show_each_cause_once(self, terminalreporter: pytest.TerminalReporter) -> Generator[None]:
        """Group the failures by cause in what pytest shows, but not in what it counts."""
        stats = terminalreporter.stats
        failed = stats.get("failed", [])
        if failed:
            stats["failed"] = self.failures.one_of_each(failed)
        try:
            yield
        finally:
            if failed:
                stats["failed"] = failed
        lines = self.failures.short_lines() if terminalreporter.hasopt("f") else []
        if lines:
            terminalreporter.section("short test summary info")
        for line in lines:
            terminalreporter.write_line(line, red=True)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        run, verdicts = self.run, self.run.recorder.verdicts
        stats = terminalreporter.stats
        if "failed" in stats:  # pytest's own short summary follows; its lines begin with the id
            stats["failed"] = self.failures.of_others(stats["failed"])
        if not verdicts:
            if run.is_empty_shard:
                self._say_nothing_was_to_run(terminalreporter)
            return

        def write(line: str, **markup: bool) -> None:
            terminalreporter.write_line(printable(line), **markup)

        terminalreporter.section("conformance")
        for line in summary.table(verdicts):
            write(line)
        for title, lines in (
            ("claims of the Cookbook, or of the named document:", claims.lines(verdicts, run.catalog.claims)),
            ("largest fraction of the error bound that a right output uses:", summary.bounds(verdicts)),
            ("known differences (cases/expectations):", summary.known(verdicts)),
            ("", summary.engine_lines(verdicts)),
            ("", summary.timing_lines(verdicts, time.perf_counter() - self.began)),
            ("without a result:", summary.reasons(verdicts)),
            (
                "not tested, because they cannot run here:",
                [f"{name}: {reason}" for name, reason in run.unavailable.items()],
            ),
        ):
            if lines:
                write("")
                write(title) if title else None
                for line in lines:
                    write(f"  {line}" if title else line)
        for name in self.unmatched:
            write(f"expectation {name!r} matched nothing in this run: remove it, or narrow it", red=True)
        for reason in self.untested:
            write(reason, red=True)
        if run.recorder.path is not None:
            write("")
            write(f"record: {from_here(run.recorder.path)}")

    def _say_nothing_was_to_run(self, terminal: pytest.TerminalReporter) -> None:
        shard = self.run.options.shard
        assert shard is not None
        terminal.section("conformance")
        terminal.write_line(f"shard {shard.index}/{shard.of} has no test: there are fewer cases than shards")
        if self.run.recorder.path is not None:
            path = printable(from_here(self.run.recorder.path))
            terminal.write_line(f"its record is empty, and `trt-conformance merge` needs it: {path}")

    def pytest_unconfigure(self, config: pytest.Config) -> None:
        """Write the report, and the headline as the last lines. A report that cannot be written fails no run."""
        run, terminal = self.run, config.pluginmanager.get_plugin("terminalreporter")
        if terminal is None or not run.recorder.verdicts:
            return
        if run.recorder.path is not None:
            try:
                from trt_conformance.results.report import write_beside

                path = write_beside(run.recorder.path, run.catalog, run.expectations.entries)
                terminal.write_line(one_line(f"report: {from_here(path)}"))
            except Exception as fault:  # whatever prevents the report, the run's result is valid
                terminal.write_line(one_line(f"report: not written: {type(fault).__name__}: {fault}".splitlines()[0]))
        reasons = [*(f"expectation {name!r} matched nothing" for name in self.unmatched), *self.untested]
        # A terminal without a size has 0 columns in Python 3.10.
        width = (shutil.get_terminal_size().columns or None) if terminal.isatty else None
        for line in headline(run.recorder.verdicts, run.catalog.claims, self.exit, reasons, width):
            terminal.write_line(line)
