"""What a report says about the changes since the last run."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from trt_conformance.core.paths import relative
from trt_conformance.results.changes import Changes, between
from trt_conformance.results.cost_changes import CostChanges, cost_changes
from trt_conformance.results.latency.gate import LatencyComparison, latency_section
from trt_conformance.results.latency.kernel_groups import KernelGroup, slower_by_kernel
from trt_conformance.results.previous import Previous, previous_run
from trt_conformance.results.record.record import Record
from trt_conformance.results.report import compare_text
from trt_conformance.results.report.answer import counted
from trt_conformance.results.report.compare_text import Table

MOST_ROWS = 25
"""The number of rows of each table that are shown; the named command shows all."""
TOP = 5


@dataclass(frozen=True)
class Since:
    """The earlier run and everything that changed."""

    previous: Previous
    changes: Changes
    latency: LatencyComparison
    slower: tuple[KernelGroup, ...]
    costs: CostChanges
    command: str
    left_out: int
    """Checks of the earlier run that this one does not have."""

    @property
    def sentence(self) -> str:
        return compare_text.sentence(self.changes, self.latency.slower)

    @property
    def regressions(self) -> int:
        """Results that are worse, and latencies of layers and models that became longer."""
        models = sum(change.is_regression for change in self.latency.models)
        return len(self.changes.regressions) + len(self.latency.regressions) + models

    @property
    def started(self) -> datetime:
        return datetime.fromisoformat(self.previous.record.header.started)

    @property
    def where(self) -> str:
        """The folder of the earlier run."""
        return self.previous.path.parent.name

    @property
    def tables(self) -> list[Table]:
        return list(compare_text.tables(self.changes, TOP, self.costs))

    @property
    def notes(self) -> list[str]:
        latency = [f"latency: {self.latency.summary}"] if self.latency.summary else []
        left_out = [f"not in this run: {counted(self.left_out, 'check')} of that run"] if self.left_out else []
        return [*compare_text.notes(self.changes), *left_out, *latency, *self.costs.lines()]

    @property
    def latency_lines(self) -> list[str]:
        """Each latency that became longer or shorter, as a line."""
        return [change.text() for change in self.latency.changes if change.answer == "different"]


def since_last(path: Path, record: Record, accepted: Path) -> Since | None:
    """What changed since the last run of these targets, for the record in a file; None if there is no such run.

    Runs may choose other cases: a check that only the earlier one has is counted, and is not worse.
    """
    previous = previous_run(path.parent, record, accepted)
    if previous is None:
        return None
    every = between(previous.record, record)
    changes = replace(every, checks=tuple(check for check in every.checks if check.new is not None))
    latency = latency_section(previous.record, record)
    return Since(
        previous=previous,
        changes=changes,
        latency=latency,
        slower=slower_by_kernel(latency),
        costs=cost_changes(changes),
        left_out=len(every.checks) - len(changes.checks),
        command=shlex.join(["trt-conformance", "compare", relative(previous.path.parent), relative(path.parent)]),
    )
