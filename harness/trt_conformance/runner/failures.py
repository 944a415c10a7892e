"""Shows failed checks once per cause at the end of a run. In the short summary, the reason comes first."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from trt_conformance.core.verdict import Verdict
from trt_conformance.core.words import counted, one_line, printable
from trt_conformance.results.causes import Cause, cause, others, short_reason

MOST_REASON = 200
"""Characters of a reason in the short summary."""


@dataclass
class _Group:
    """The failures of one cause. ``first`` is shown for all of them."""

    first: pytest.TestReport
    reason: str
    cases: list[str] = field(default_factory=list)

    def extent(self) -> str:
        """How many checks and cases have this cause, and which."""
        cases = dict.fromkeys(self.cases)
        said = f"{counted(len(self.cases), 'check')} of {counted(len(cases), 'case')} failed for this reason"
        return f"{said}; the other cases: {others(list(cases)[1:])}" if len(cases) > 1 else said


class Failures:
    """Groups the reports of failed checks. Failures of other tests stay with pytest."""

    def __init__(self) -> None:
        self._groups: dict[Cause, _Group] = {}
        self._reports: set[int] = set()

    def add(self, report: pytest.TestReport, verdict: Verdict) -> None:
        """Add the report of a test that failed because of this verdict."""
        found = self._groups.setdefault(cause(verdict), _Group(report, short_reason(verdict.message) or verdict.status))
        found.cases.append(verdict.case)
        self._reports.add(id(report))  # pytest releases no report before the run ends

    def one_of_each(self, failed: list[pytest.TestReport]) -> list[pytest.TestReport]:
        """What pytest should show of its failed reports: the first of each cause, which names the others."""
        firsts = {id(group.first): group for group in self._groups.values()}
        shown = []
        for report in failed:
            group = firsts.get(id(report))
            if group is not None and len(group.cases) > 1:
                report.longrepr = f"{report.longreprtext}\n  {printable(group.extent())}"
            if group is not None or id(report) not in self._reports:
                shown.append(report)
        return shown

    def of_others(self, failed: list[pytest.TestReport]) -> list[pytest.TestReport]:
        """The failed reports of tests that are not conformance checks."""
        return [report for report in failed if id(report) not in self._reports]

    def short_lines(self) -> list[str]:
        """``FAILED output.shape is (1, 2), but should be (1, 3) (83 checks, the first: cases/test_...)``."""
        lines = []
        for group in self._groups.values():
            count = len(group.cases)
            which = group.first.nodeid if count == 1 else f"{count} checks, the first: {group.first.nodeid}"
            lines.append(f"FAILED {one_line(group.reason, MOST_REASON)} ({one_line(which)})")
        return lines
