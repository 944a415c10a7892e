"""The change of one latency from one run to another, and whether it is a change at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from trt_conformance.core.types import Effort, Mode
from trt_conformance.core.words import seconds
from trt_conformance.results.latency.recorded import SameKernels

Answer = Literal["same", "different", "ambiguous"]

TOLERANCE = 0.02
"""A change of less than this fraction is tolerated."""


@dataclass(frozen=True)
class LatencyChange:
    """The change of one latency. ``ratio`` is new over base, with its 95 % interval; ``p`` is Holm's.

    ``within`` is the fraction within which an answer "same" holds: the tolerance, or more for a quick latency.
    """

    case: str
    mode: Mode
    cache: str
    base_target: str
    new_target: str
    base_median: float
    new_median: float
    ratio: float
    low: float
    high: float
    p: float
    answer: Answer
    kernels: SameKernels
    base_kernels: tuple[str, ...] = ()
    new_kernels: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    effort: Effort = "full"
    within: float = TOLERANCE

    @property
    def is_regression(self) -> bool:
        return self.answer == "different" and self.ratio > 1

    @property
    def other_kernel(self) -> bool:
        return self.kernels == "other kernel"

    @property
    def word(self) -> str:
        """The answer, with its direction."""
        return ("slower" if self.ratio > 1 else "faster") if self.answer == "different" else self.answer

    def text(self) -> str:
        """One line for people."""
        times = f"{seconds(self.base_median)} -> {seconds(self.new_median)}"
        parts = [f"{self.word}: {times}, {signed(self.ratio)} ({signed(self.low)} to {signed(self.high)})"]
        if self.other_kernel:
            parts.append(f"other kernel: {' + '.join(self.base_kernels)} -> {' + '.join(self.new_kernels)}")
        elif self.kernels == "same kernel" and self.answer == "different":
            parts.append("same kernel")
        mode = f"quick {self.mode}" if self.effort == "quick" else self.mode
        return f"{self.case} [{mode}] {'; '.join([*parts, *self.notes])}"


def signed(ratio: float) -> str:
    """``+3.1 %`` for a ratio of 1.031."""
    return f"{100 * (ratio - 1):+.1f} %" if ratio < 100 else "? %"
