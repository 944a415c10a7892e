"""How much the latency of one thing varies from run to run, learnt from repeated runs (A/A)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from harness.errors import ConformanceError
from harness.latency.recorded import Key, device_of, timings
from harness.record import Record

UNCALIBRATED = 0.01
"""The spread between runs, as a fraction of the median, that is assumed where no repeated runs are given."""
PRIOR = 8


@dataclass(frozen=True)
class Thresholds:
    """The variance, between runs, of the logarithm of a median, with its degrees of freedom: typical, and by case.

    A few repetitions of a case estimate its own variance poorly, so it is drawn towards the typical one as if that
    had been seen in `PRIOR` further repetitions (Smyth, Statistical Applications in Genetics and Molecular
    Biology 3, 2004).
    """

    typical: float
    freedom: float
    by_case: Mapping[Key, tuple[float, int]] = field(default_factory=dict)

    def of(self, key: Key) -> tuple[float, float]:
        """(variance, degrees of freedom) of a case."""
        if key not in self.by_case:
            return self.typical, self.freedom
        own, freedom = self.by_case[key]
        prior = min(PRIOR, self.freedom)
        return (prior * self.typical + freedom * own) / (prior + freedom), prior + freedom


def calibrate(records: Iterable[Record]) -> Thresholds:
    """The thresholds from repeated runs of the same things; the assumed spread where nothing was repeated.

    Raises:
        ConformanceError: the records are of several devices.
    """
    repeated: dict[tuple[Key, str], list[float]] = {}
    devices = set()
    for record in records:
        devices.add(device_of(record))
        for key, timing in timings(record).items():
            repeated.setdefault((key, timing.target), []).append(math.log(timing.summary.median))
    if len(devices) > 1:
        raise ConformanceError(f"the repeated runs are of several devices: {', '.join(sorted(devices))}")
    by_case = {
        key: (float(np.var(logs, ddof=1)), len(logs) - 1) for (key, _), logs in repeated.items() if len(logs) > 1
    }
    if not by_case:
        return Thresholds(UNCALIBRATED**2, math.inf)
    # The median of a variance's estimates lies below it, by about the cube of Wilson and Hilferty.
    typical = float(np.median([variance / (1 - 2 / (9 * freedom)) ** 3 for variance, freedom in by_case.values()]))
    return Thresholds(typical, sum(freedom for _, freedom in by_case.values()), by_case)
