"""Gathers verdicts in the process that the user sees: record, closing summary, exit code, report."""

from __future__ import annotations

from functools import cached_property

import pytest

from trt_conformance.core.paths import relative
from trt_conformance.core.verdict import Verdict
from trt_conformance.results import summary
from trt_conformance.runner.session import Run

TOLD = frozenset(("status", "known"))
INTERRUPTED = (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR)


class Controller:
    """Gathers verdicts where the user sees them: in the only process, or in pytest-xdist's controller."""

    def __init__(self, run: Run) -> None:
        self.run = run

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for entry in getattr(report, "verdicts", ()):
            self.run.note(Verdict.from_json(entry))
            for told in set(entry) - TOLD:  # pytest keeps each report to the end
                del entry[told]

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        # A run that was interrupted cannot tell what would not have been met.
        finished = session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        if finished and self.run.verdicts:
            self.unused.extend(entry.id for entry in self.run.expectations.unused(self.run.verdicts))
        if self.unused:
            session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED
        if self.run.writer is not None:
            engines = {target: dict(counted) for target, counted in summary.engines(self.run.verdicts).items()}
            stopped = session.shouldfail or session.shouldstop or session.exitstatus in INTERRUPTED
            end = {
                "counts": dict(summary.counts(self.run.verdicts)),
                "exit": int(session.exitstatus),
                **({"stopped": True} if stopped else {}),
                **({"engines": engines} if engines else {}),
            }
            with self.run.recording():
                self.run.writer.close(end)

    @cached_property
    def unused(self) -> list[str]:
        return []

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        run = self.run
        if not run.verdicts:
            return
        write = terminalreporter.write_line
        terminalreporter.section("conformance")
        for line in summary.table(run.verdicts):
            write(line)
        for title, lines in (
            ("", summary.claims(run.verdicts, run.catalog.claims)),
            ("largest part of an error bound that an output used:", summary.bounds(run.verdicts)),
            ("known differences (cases/expectations):", summary.known(run.verdicts)),
            ("", summary.engine_lines(run.verdicts)),
            ("without a result:", summary.reasons(run.verdicts)),
        ):
            if lines:
                write("")
                write(title) if title else None
                for line in lines:
                    write(f"  {line}" if title else line)
        for entry in self.unused:
            write(f"expectation {entry!r} matched nothing in this run: remove it, or narrow it", red=True)
        if run.writer is not None:
            write("")
            write(f"record: {relative(run.writer.path)}")

    def pytest_unconfigure(self, config: pytest.Config) -> None:
        """Write the report, and say where it lies as the last line of all. That fails no run."""
        terminal = config.pluginmanager.get_plugin("terminalreporter")
        if self.run.writer is None or terminal is None:
            return
        try:
            from trt_conformance.results.report import write_beside

            path = write_beside(self.run.writer.path, self.run.catalog, self.run.expectations.entries)
            terminal.write_line(f"report: {relative(path)}")
        except Exception as fault:  # whatever keeps the report from being made, the run's result stands
            terminal.write_line(f"report: not made: {type(fault).__name__}: {fault}".splitlines()[0])
