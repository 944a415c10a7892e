"""How much the latency of one thing varies from run to run, estimated from repeated runs (A/A)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.types import Effort, Mode
from trt_conformance.results.latency.recorded import Key, device_of, medians
from trt_conformance.results.record.record import Record

UNCALIBRATED = 0.01
"""The spread between runs, as a fraction of the median, that is assumed where no repeated runs are given."""
UNCALIBRATED_QUICK = 0.03
"""The same of quick latencies at one place in memory, which alone makes up to 5 % (`targets.timing.gpu`).

Those of several places state what the places leave.
"""
PRIOR = 8


class Typical(NamedTuple):
    """The variance, between runs, of the logarithm of a median, with its degrees of freedom."""

    variance: float
    freedom: float


ASSUMED: Mapping[Effort, Typical] = {
    "full": Typical(UNCALIBRATED**2, math.inf),
    "quick": Typical(UNCALIBRATED_QUICK**2, math.inf),
}


def assumed(effort: Effort, is_placed: bool) -> Typical:
    """What is assumed where nothing is repeated; ``is_placed``: each latency was taken at several places in memory."""
    return ASSUMED["full" if is_placed else effort]


@dataclass(frozen=True)
class Thresholds:
    """The variance between runs: what is typical of a mode, and by case; assumed where a mode was not repeated.

    Quick and full latencies of a mode are apart.

    A few repetitions of a case estimate its own variance poorly, so it is shrunk toward the typical one as if that
    had been observed in `PRIOR` further repetitions (Smyth, Statistical Applications in Genetics and Molecular
    Biology 3, 2004).
    """

    typical: Mapping[tuple[Mode, Effort], Typical] = field(default_factory=dict)
    by_case: Mapping[Key, tuple[float, int]] = field(default_factory=dict)

    def knows(self, key: Key) -> bool:
        """Whether anything was repeated that was timed in this way."""
        return (key.mode, key.effort) in self.typical

    def of(self, key: Key, is_placed: bool = False) -> Typical:
        """Of a case; ``is_placed`` as for `assumed`."""
        typical = self.typical.get((key.mode, key.effort), assumed(key.effort, is_placed))
        if key not in self.by_case:
            return typical
        own, freedom = self.by_case[key]
        prior = min(PRIOR, typical.freedom)
        return Typical((prior * typical.variance + freedom * own) / (prior + freedom), prior + freedom)


def calibrate(*groups: Iterable[Record], of: Callable[[Record], Mapping[Key, float]] = medians) -> Thresholds:
    """The thresholds from groups of repeated runs, each of the same things; a spread is assumed where none repeats.

    Args:
        groups: the records of each group.
        of: gives the latencies of a record, in seconds.

    Raises:
        ConformanceError: the records of a group are of several devices.
    """
    squares: dict[Key, float] = {}
    freedoms: dict[Key, int] = {}
    for group in groups:
        for key, logs in _logarithms(group, of).items():
            if len(logs) > 1:
                squares[key] = squares.get(key, 0.0) + float(np.var(logs)) * len(logs)
                freedoms[key] = freedoms.get(key, 0) + len(logs) - 1
    by_case = {key: (squares[key] / freedoms[key], freedoms[key]) for key in squares}
    by_mode: dict[tuple[Mode, Effort], list[tuple[float, int]]] = {}
    for key, found in by_case.items():
        by_mode.setdefault((key.mode, key.effort), []).append(found)
    return Thresholds({mode: _typical(found) for mode, found in by_mode.items()}, by_case)


def _typical(found: Sequence[tuple[float, int]]) -> Typical:
    """Of several variances with their degrees of freedom."""
    # The median of a variance's estimates lies below it, by about the cube of Wilson and Hilferty.
    variance = float(np.median([variance / (1 - 2 / (9 * freedom)) ** 3 for variance, freedom in found]))
    return Typical(variance, sum(freedom for _, freedom in found))


def _logarithms(records: Iterable[Record], of: Callable[[Record], Mapping[Key, float]]) -> dict[Key, list[float]]:
    """The logarithms of each latency, in seconds."""
    found: dict[Key, list[float]] = {}
    devices = set()
    for record in records:
        devices.add(device_of(record))
        for key, median in of(record).items():
            found.setdefault(key, []).append(math.log(median))
    if len(devices) > 1:
        raise ConformanceError(f"the repeated runs are from several devices: {', '.join(sorted(devices))}")
    return found
