"""Kernel durations by CUPTI in addition to a quick latency, as long as they are cheap."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from trt_conformance.targets.device.kernels import Kernel, KernelTrace, classify

CHEAP_S = 3e-3
"""Seconds that a trace may take. The first one of a process, which loads CUPTI, does not count."""


class KernelDurations:
    """Traces one launch after each measurement of a process, until a trace fails or takes too long."""

    def __init__(self, now: Callable[[], float] = time.perf_counter) -> None:
        self._now, self._count, self._is_over = now, 0, False

    def facts(self, launch: Callable[[], None], enqueues: int) -> dict[str, Any]:
        """The fact ``kernels`` for this many enqueues, or a note if CUPTI failed; empty if it is not used.

        Args:
            launch: runs the enqueues to their end.
        """
        if self._is_over or not KernelTrace.is_available():
            return {}
        began = self._now()
        try:
            with KernelTrace() as trace:
                launch()
                kernels = trace.take()
        except Exception as fault:  # a latency must not fail because of its trace
            self._is_over = True
            return {"notes": [f"CUPTI is not used any more: {type(fault).__name__}: {fault}"]}
        self._count += 1
        if self._count > 1 and self._now() - began > CHEAP_S:
            self._is_over = True
        return {"kernels": _summed(kernels, enqueues)} if kernels and len(kernels) % enqueues == 0 else {}


def _summed(kernels: list[Kernel], enqueues: int) -> list[dict[str, Any]]:
    """The kernels of an enqueue by name, with their seconds."""
    totals: dict[str, float] = {}
    for kernel in kernels:
        totals[kernel.name] = totals.get(kernel.name, 0.0) + kernel.seconds
    return [
        {"name": name, "seconds": total / enqueues, "class": classify(name)} for name, total in totals.items() if total
    ]
