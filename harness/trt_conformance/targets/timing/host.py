"""Times a call by the host's clock: engines that compute on the CPU."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from trt_conformance.core.types import Mode
from trt_conformance.targets.errors import Unsupported
from trt_conformance.targets.timing.measurement import Measurement, TimingPlan
from trt_conformance.targets.timing.sampling import collect

MODES: tuple[Mode, ...] = ("host",)
QUICK_SAMPLES = 20
"""About so many samples has a quick latency, each the mean of several calls where these are short."""


def measure(call: Callable[[], object], plan: TimingPlan, **facts: Any) -> Measurement:
    """Sample the seconds of one call until the plan is met; ``facts`` go into the measurement.

    Raises:
        Unsupported: another mode than host, or a cold cache, which the host has no way to ask for.
    """
    if plan.mode not in MODES:
        raise Unsupported(f"there is no mode {plan.mode} on the host: it measures {', '.join(MODES)}")
    if plan.cold_l2:
        raise Unsupported("the host's caches cannot be emptied: it measures warm only")

    def sample(calls: int = 1) -> float:
        begin = time.perf_counter_ns()
        for _ in range(calls):
            call()
        return (time.perf_counter_ns() - begin) * 1e-9 / calls

    calls = 1
    if plan.effort == "quick":  # a record that has many latencies has room for some samples of each
        sample()
        calls = facts["calls"] = max(1, int(plan.min_s / QUICK_SAMPLES / max(sample(), 1e-9)))
    samples, discarded, stopped = collect(lambda: sample(calls), plan)
    return Measurement(plan.mode, plan.cold_l2, tuple(samples), discarded, stopped, {"transfers": False} | facts)
