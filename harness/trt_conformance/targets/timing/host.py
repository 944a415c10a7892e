"""Times a call by the host's clock: engines that compute on the CPU."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from trt_conformance.core.types import Mode
from trt_conformance.targets.errors import Unsupported
from trt_conformance.targets.timing.measurement import Measurement, TimingPlan
from trt_conformance.targets.timing.sampling import collect

MODES: tuple[Mode, ...] = ("host",)
QUICK_SAMPLES = 20
"""The most samples of a quick latency."""


def measure(call: Callable[[], object], plan: TimingPlan, **facts: Any) -> Measurement:
    """Sample the seconds of one call until the plan is met; ``facts`` go into the measurement.

    Raises:
        Unsupported: another mode than host, or a cold cache, which the host has no way to ask for.
    """
    if plan.mode not in MODES:
        raise Unsupported(f"the host's clock cannot time mode {plan.mode}, only {', '.join(MODES)}")
    if plan.cold_l2:
        raise Unsupported("the host's caches cannot be emptied: it measures warm only")

    def sample() -> float:
        begin = time.perf_counter_ns()
        call()
        return (time.perf_counter_ns() - begin) * 1e-9

    samples, discarded, stopped = collect(sample, plan)
    if plan.effort == "quick":
        facts["calls"], samples = len(samples), summed_up(samples)
    return Measurement(plan.mode, plan.cold_l2, tuple(samples), discarded, stopped, {"transfers": False} | facts)


def summed_up(samples: list[float]) -> list[float]:
    """At most `QUICK_SAMPLES` samples, each the median of calls that follow each other.

    A record that has many latencies has room for some samples of each, and the mean of a few calls would depend on the
    machine's other work.
    """
    if len(samples) <= QUICK_SAMPLES:
        return samples
    return [float(np.median(part)) for part in np.array_split(samples, QUICK_SAMPLES)]
