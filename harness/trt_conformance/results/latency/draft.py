"""One latency of two runs before its p-value is corrected: the effect, its uncertainty, and the result."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from trt_conformance.numerics.samples import batches_of
from trt_conformance.results.latency.calibration import Thresholds
from trt_conformance.results.latency.change import Answer, LatencyChange
from trt_conformance.results.latency.device_change import DeviceChange
from trt_conformance.results.latency.recorded import Key, Timing, kernel_change
from trt_conformance.results.latency.student_t import quantile, two_sided

CONFIDENCE = 0.95
RESOLUTION = 0.5e-9
"""Records store samples to a nanosecond."""


@dataclass(frozen=True)
class Draft:
    """A change before its p-value is corrected. ``effect`` and its standard ``error`` are of the ratio's logarithm."""

    key: Key
    before: Sequence[Timing]
    after: Sequence[Timing]
    effect: float
    error: float
    freedom: float
    device: DeviceChange | None
    notes: tuple[str, ...]
    is_unknown: bool
    """It is not known how much such latencies vary from run to run."""

    @classmethod
    def of(
        cls,
        old: Key,
        before: Sequence[Timing],
        key: Key,
        after: Sequence[Timing],
        thresholds: Thresholds,
        normalize: bool,
    ) -> Draft:
        between, freedom = thresholds.of(key, all(len(t.placements) > 1 for t in (*before, *after)))
        effect, variance, freedoms = 0.0, 0.0, []
        for sign, side in ((-1, before), (1, after)):
            effect += sign * math.log(_median(side))
            within = sum(max(t.summary.error, RESOLUTION / t.summary.median) ** 2 for t in side) / len(side)
            placed = [t for t in side if len(t.placements) > 1]
            estimates = [(within, sum(batches_of(t.summary.count) - 1 for t in side)), (between, freedom)]
            if placed:
                mean = sum(t.placing**2 for t in placed) / len(placed)
                estimates.append((mean, sum(len(t.placements) - 1 for t in placed)))
            largest, known_by = max(estimates)
            variance += largest / len(side)
            freedoms.append(known_by)
        notes = [] if old == key else [f"base timed as {old.timing_mode}, new as {key.timing_mode}"]
        unknown = key.effort == "quick" and key.mode == "host" and not thresholds.knows(key)
        device: DeviceChange | None = DeviceChange.of(before, after)
        if normalize and (device is None or device.moved is None):
            notes.append("no reference kernel was timed: not normalized")
        elif normalize and device is not None and device.moved is not None:
            effect, device = effect - device.moved, None
        return cls(key, before, after, effect, math.sqrt(variance), min(freedoms), device, tuple(notes), unknown)

    @property
    def p(self) -> float:
        return two_sided(self.effect / self.error, self.freedom)

    def change(self, p: float, tolerance: float) -> LatencyChange:
        half = quantile(CONFIDENCE, self.freedom) * self.error
        limit = math.log1p(tolerance)
        within = max(limit, 2 * half) if self.key.effort == "quick" else limit
        answer: Answer = "ambiguous"
        notes = list(self.notes)
        if self.is_unknown:
            notes.append(
                "a quick latency from a host's clock does not predict the next run: give repeated runs as calibration"
            )
        elif abs(self.effect) + half <= within:
            answer = "same"
        elif p > 1 - CONFIDENCE or abs(self.effect) < limit:
            notes.append(self._advice(half, limit))
        elif self.device is not None and (reason := self.device.reason(self.effect, limit)):
            notes.append(reason)
        else:
            answer = "different"
        kernels, base_kernels, new_kernels = kernel_change(self.before[0], self.after[0])
        return LatencyChange(
            case=self.key.case,
            mode=self.key.mode,
            cache=self.key.cache,
            base_target=self.before[0].target,
            new_target=self.after[0].target,
            base_median=_median(self.before),
            new_median=_median(self.after),
            ratio=math.exp(self.effect),
            low=math.exp(self.effect - half),
            high=math.exp(min(self.effect + half, 700.0)),
            p=p,
            answer=answer,
            kernels=kernels,
            base_kernels=base_kernels,
            new_kernels=new_kernels,
            notes=tuple(notes),
            effort=self.key.effort,
            within=math.expm1(min(within, 700.0)),
        )

    def _advice(self, half: float, limit: float) -> str:
        """How many runs of each side would make the interval as narrow as the tolerance."""
        if not math.isfinite(half):
            return "too few samples to decide"
        runs = math.ceil(min(len(self.before), len(self.after)) * (2 * half / limit) ** 2)
        return f"to decide, compare about {max(2, runs)} runs of each side"


def _median(side: Sequence[Timing]) -> float:
    """The geometric mean of the medians of repeated runs, in seconds."""
    return math.exp(sum(math.log(timing.summary.median) for timing in side) / len(side))
