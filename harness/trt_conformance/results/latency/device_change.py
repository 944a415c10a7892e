"""Whether a latency became longer because the GPU was slower: judged by its clock, or else by a fixed kernel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trt_conformance.results.latency.recorded import Timing

CERTAIN = 2.0
"""Standard errors by which the yardstick must have moved, where several runs show how much it varies."""


@dataclass(frozen=True)
class DeviceChange:
    """What is known of the device on two sides, as logarithms of ratios, new over base; None if not recorded.

    Attributes:
        moved: of the yardstick's time. Its kernel is slower only if the SM clock is lower.
        error: its standard error; 0 if single runs say nothing of it.
        cycles: of the number of clock cycles that the latency takes.
    """

    moved: float | None
    error: float
    cycles: float | None

    @classmethod
    def of(cls, before: Sequence[Timing], after: Sequence[Timing]) -> DeviceChange:
        moved, error = _yardstick(before, after)
        return cls(moved, error, _cycles(before, after))

    def reason(self, effect: float, limit: float) -> str:
        """Why a latency that changed by ``effect`` is not called different; "" if the device is no reason.

        Clock cycles decide where they are known. Else the yardstick does, which is timed for a moment only: it must
        have moved by half of the effect, and by more than it varies from run to run.

        Args:
            effect: the logarithm of the latency's ratio, beyond chance.
            limit: the logarithm of what is tolerated.
        """
        if self.cycles is not None:
            if effect <= 0 or self.cycles >= limit:
                return ""
            return f"{_signed(self.cycles)} in clock cycles: the SM clock was lower, not the kernel slower"
        if self.moved is None or self.moved * effect <= 0 or abs(self.moved) < abs(effect) / 2:
            return ""
        if abs(self.moved) <= CERTAIN * self.error:
            return ""
        return f"the reference kernel changed by {_signed(self.moved)}: the device itself changed"


def _yardstick(before: Sequence[Timing], after: Sequence[Timing]) -> tuple[float | None, float]:
    """How the yardstick's time changed, and the standard error of that, from the runs of both sides."""
    sides = [np.log([timing.yardstick for timing in side if timing.yardstick]) for side in (before, after)]
    if not all(side.size for side in sides):
        return None, 0.0
    freedom = sum(side.size - 1 for side in sides)
    variance = sum(float(np.var(side)) * side.size for side in sides) / freedom if freedom else 0.0
    error = math.sqrt(variance * sum(1 / side.size for side in sides))
    return float(np.median(sides[1]) - np.median(sides[0])), error


def _cycles(before: Sequence[Timing], after: Sequence[Timing]) -> float | None:
    """How the number of clock cycles changed; None if a clock is not known."""
    sides = [[timing.cycles for timing in side if timing.cycles] for side in (before, after)]
    if len(sides[0]) < len(before) or len(sides[1]) < len(after):
        return None
    old, new = (sum(map(math.log, side)) / len(side) for side in sides)
    return new - old


def _signed(logarithm: float) -> str:
    return f"{100 * math.expm1(logarithm):+.1f} %"
