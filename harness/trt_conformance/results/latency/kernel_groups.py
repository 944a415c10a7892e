"""The layers that became slower, in groups of one change of GPU kernels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from trt_conformance.core.types import Effort
from trt_conformance.core.words import one_line
from trt_conformance.results.latency.change import LatencyChange, signed
from trt_conformance.results.latency.gate import LatencyComparison
from trt_conformance.results.latency.recorded import SameKernels


@dataclass(frozen=True)
class KernelGroup:
    """Latencies that changed with the same change of kernels; the largest ratio first.

    ``before`` and ``now`` are the kernels that one side alone ran; both are empty if they are the same or unknown.
    Quick latencies are in groups of their own.
    """

    kernels: SameKernels
    before: tuple[str, ...]
    now: tuple[str, ...]
    effort: Effort
    changes: tuple[LatencyChange, ...]

    @property
    def ratio(self) -> float:
        """The geometric mean of the ratios."""
        return math.exp(sum(math.log(change.ratio) for change in self.changes) / len(self.changes))

    @property
    def cause(self) -> str:
        """What changed of the kernels, in words."""
        if self.kernels != "other kernel":
            return "the same kernel" if self.kernels == "same kernel" else "kernels not recorded"
        return f"{' + '.join(self.before) or 'nothing'} -> {' + '.join(self.now) or 'nothing'}"

    @property
    def cases(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(change.case for change in self.changes))

    def text(self) -> str:
        """``12 slower, +8.1 % on average, at most +20.3 % (net/a): sm80_x -> sm80_y``."""
        what = "quick latencies slower" if self.effort == "quick" else "slower"
        worst = self.changes[0]
        return f"{len(self.changes)} {what}, {signed(self.ratio)} on average, at most {signed(worst.ratio)} " + (
            f"({worst.case}): {self.cause}"
        )

    def to_json(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "kernels": self.kernels,
            "before": list(self.before),
            "now": list(self.now),
            "effort": self.effort,
            "ratio": self.ratio,
            "cases": list(self.cases),
        }


def slower_by_kernel(comparison: LatencyComparison) -> tuple[KernelGroup, ...]:
    """Groups of what became slower, full latencies first, the largest group first."""
    return by_kernel(comparison.regressions)


def by_kernel(changes: Sequence[LatencyChange]) -> tuple[KernelGroup, ...]:
    """Groups of changes, full latencies first, the largest group first."""
    found: dict[tuple[SameKernels, tuple[str, ...], tuple[str, ...], Effort], list[LatencyChange]] = {}
    for change in changes:
        found.setdefault((change.kernels, change.base_kernels, change.new_kernels, change.effort), []).append(change)
    groups = [KernelGroup(*key, tuple(sorted(mine, key=lambda change: -change.ratio))) for key, mine in found.items()]
    return tuple(sorted(groups, key=lambda group: (group.effort == "quick", -len(group.changes), -group.ratio)))


def lines(groups: Sequence[KernelGroup]) -> list[str]:
    """One text line for each group, after a heading; none without groups."""
    if not groups:
        return []
    return ["slower latencies by change of kernel:", *(f"  {one_line(group.text())}" for group in groups)]
