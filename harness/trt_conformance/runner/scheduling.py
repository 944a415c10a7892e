"""How pytest-xdist's controller distributes the tests to its workers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from xdist.scheduler import WorkStealingScheduling
from xdist.scheduler.worksteal import MIN_PENDING
from xdist.workermanage import WorkerController

from trt_conformance.runner.phases import comes_last


class TwoPhases(WorkStealingScheduling):  # type: ignore[misc]
    """Deals the tests of the second phase once all others are done, save the one that each worker still holds.

    So a worker that times something need not wait for the builds of others each time. A worker gets the tests of the
    cases that it ran before, since it knows whether their values are right; those that remain are dealt evenly. Within
    a phase, workers that are done take tests from others.
    """

    collection: list[str] | None
    pending: list[int]
    node2pending: dict[WorkerController, list[int]]
    steal_requested_from_node: WorkerController | None

    def __init__(self, config: pytest.Config, log: Any = None) -> None:
        super().__init__(config, log)
        self._later: list[int] | None = None
        """The places of the second phase's tests, until they are dealt; None before the first phase is."""
        self._ran: dict[str, WorkerController] = {}
        """The worker that last ran a test of a case on a target."""

    @property
    def tests_finished(self) -> bool:
        return not self._later and bool(super().tests_finished)

    @property
    def has_pending(self) -> bool:
        return bool(self._later) or bool(super().has_pending)

    def mark_test_complete(self, node: WorkerController, item_index: int, duration: float | None = None) -> None:
        self._ran[self._pair(item_index)] = node
        super().mark_test_complete(node, item_index, duration)

    def check_schedule(self) -> None:
        if self._later is None and self.collection is not None:
            self._later = [index for index in self.pending if comes_last(self.collection[index])]
            self.pending = [index for index in self.pending if not comes_last(self.collection[index])]
        if self._later and not self.pending and self.steal_requested_from_node is None:
            queues = [len(queue) for node, queue in self.node2pending.items() if not node.shutting_down]
            if max(queues, default=0) < MIN_PENDING:
                self._deal_later(self._later)
                self._later = []
            elif max(queues) == MIN_PENDING:
                return  # nothing can be taken from any worker, and those that wait must not be ended
        super().check_schedule()

    def _deal_later(self, later: Sequence[int]) -> None:
        """Give each worker the tests of its own cases; `check_schedule` deals the others."""
        up = [node for node in self.node2pending if not node.shutting_down]
        owners = {index: self._ran.get(self._pair(index)) for index in later}
        for node in up:
            own = [index for index in later if owners[index] is node]
            if own:
                self.node2pending[node].extend(own)
                node.send_runtest_some(own)
        self.pending = [index for index in later if owners[index] not in up]

    def _pair(self, index: int) -> str:
        """The part of a test's id that names its case and target."""
        assert self.collection is not None
        return self.collection[index].partition("[")[2]
