"""The two phases of a run: tests that build and judge, and then tests that builders would disturb."""

from __future__ import annotations

LAST = frozenset({"test_execution_modes", "test_quick_latency", "test_quick_latency_of_sweep"})
"""The tests of the second phase: while one of them runs on a GPU, nothing may be built there."""


def comes_last(node_id: str) -> bool:
    """Whether a test belongs to the second phase. pytest-xdist's controller knows only the ids of tests."""
    return node_id.partition("[")[0].rpartition("::")[2] in LAST
