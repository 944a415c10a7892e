"""Takes samples until their median is precise, or its noise is known, or the time is up."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from trt_conformance.core.arrays import Float64
from trt_conformance.numerics.samples import drift, error_if_independent, standard_error
from trt_conformance.targets.timing.measurement import Stopped, TimingPlan

STABLE_SAMPLES = 500
STABLE_CHECKS = 10
STABLE_NOISE = 0.05
DRIFT_ERRORS = 3


class Collected(NamedTuple):
    """Samples in seconds, in the order taken; how many were discarded; and why sampling ended."""

    samples: list[float]
    discarded: int
    stopped: Stopped


def collect(
    sample: Callable[[], float | None], plan: TimingPlan, now: Callable[[], float] = time.monotonic
) -> Collected:
    """Warm up for ``plan.warmup_s``, then sample.

    precise: ``plan.min_samples`` and ``plan.min_s`` at least, the standard error of the samples' median within
    ``plan.relative_error`` of it, and no drift. stable: the noise itself has settled above that, as nvbench's stdrel
    criterion has it: at `STABLE_SAMPLES` samples and more, the noise of the last `STABLE_CHECKS` checks varies by
    less than 5 %, and there is no drift. limit: ``plan.limit_s`` is over, after one sample at least.

    Args:
        sample: takes one sample, in seconds; None if the device was throttled and it must not count.
        now: the clock that warm-up and limit are held against, in seconds.
    """
    begin = now()
    while True:
        sample()
        if now() - begin >= min(plan.warmup_s, plan.limit_s):
            break

    begin = now()
    samples: list[float] = []
    noise: list[float] = []
    discarded = 0
    check = plan.min_samples
    while True:
        value = sample()
        if value is None:
            discarded += 1
        else:
            samples.append(value)
        elapsed = now() - begin
        if value is not None and len(samples) >= check and elapsed >= plan.min_s:
            # Each look is a chance to stop by luck: they grow rarer.
            check = len(samples) + max(1, len(samples) // 10)
            stopped = _verdict(np.asarray(samples), noise, plan)
            if stopped is not None:
                return Collected(samples, discarded, stopped)
        if elapsed >= plan.limit_s:
            return Collected(samples, discarded, "limit")


def _verdict(x: Float64, noise: list[float], plan: TimingPlan) -> Stopped | None:
    """Why to stop now; None to go on. Adds the noise of this look to ``noise``."""
    median = float(np.median(x))
    low, high = np.percentile(x, (25, 75))
    noise.append(float(high - low) / median)
    if _drifts(x, median, plan.relative_error):
        return None
    if standard_error(x) <= plan.relative_error * median:
        return "precise"
    recent = np.asarray(noise[-STABLE_CHECKS:])
    settled = recent.size == STABLE_CHECKS and recent.std() < STABLE_NOISE * recent[-1]
    return "stable" if settled and x.size >= STABLE_SAMPLES else None


def _drifts(x: Float64, median: float, tolerated: float) -> bool:
    """Whether the two halves differ by more than the precision asked for, and by more than their noise explains.

    The standard error of the difference of two halves is twice that of the whole.
    """
    noise = 2 * error_if_independent(x) / median
    return abs(drift(x)) > max(tolerated, DRIFT_ERRORS * noise)
