"""The figures of the measurement of latencies, counted from repeated runs of the same cases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from statistics import median

import numpy as np

from trt_conformance.core.types import Effort
from trt_conformance.results.latency.gate import compare_latency
from trt_conformance.results.latency.recorded import Key, medians, timings
from trt_conformance.results.record.record import Record

MICRO = 1e6
SHORT_US = 20
"""Microseconds up to which a case counts as short."""
EFFORTS: tuple[Effort, ...] = ("full", "quick")


@dataclass(frozen=True)
class Spread:
    """How far the medians of one case lie apart: (largest - smallest) / median, a fraction."""

    key: Key
    median_us: float
    ratio: float

    @property
    def is_short(self) -> bool:
        return self.median_us <= SHORT_US


def spreads(records: Sequence[Record]) -> list[Spread]:
    """Of each case that all runs have, the shortest first."""
    found: dict[Key, list[float]] = {}
    for record in records:
        for key, seconds in medians(record).items():
            found.setdefault(key, []).append(seconds * MICRO)
    rows = [
        Spread(key, median(us), (max(us) - min(us)) / median(us))
        for key, us in found.items()
        if len(us) == len(records)
    ]
    return sorted(rows, key=lambda row: (row.median_us, row.key))


def answers(records: Sequence[Record]) -> dict[tuple[Effort, bool], Counter[str]]:
    """The gate's answers of each two runs, by effort and by whether all other runs were the calibration."""
    counts: dict[tuple[Effort, bool], Counter[str]] = {}
    for base, new in combinations(records, 2):
        others = [record for record in records if record is not base and record is not new]
        for is_calibrated in (False, True) if len(others) > 1 else (False,):
            for change in compare_latency(base, new, others if is_calibrated else ()).changes:
                counts.setdefault((change.effort, is_calibrated), Counter())[change.answer] += 1
    return counts


@dataclass(frozen=True)
class Trials:
    """How the gate judges planted delays, and the same runs without."""

    trials: int
    found: int
    alarmed: int
    cases: int

    @property
    def share(self) -> float:
        return self.found / self.trials


def plant(
    records: Sequence[Record], percent: float, trials: int, per_side: int, tolerance: float, largest_us: float
) -> dict[Effort, Trials]:
    """Trials by effort: in each, some runs are compared with some that are made slower, in one case.

    Args:
        records: at least twice as many as ``per_side``; all further ones are the calibration.
        percent: the delay.
        trials: how many.
        per_side: the runs of each side.
        tolerance: of the gate, a fraction.
        largest_us: longer cases take no part.
    """
    timed = [set(medians(record)) for record in records]
    middles = medians(records[0])
    common = [key for key in middles if all(key in each for each in timed) and middles[key] * MICRO <= largest_us]
    alone = {key: [_only(record, key) for record in records] for key in common}
    generator = np.random.default_rng(0)
    return {
        effort: _tried(mine, percent, trials, per_side, tolerance, generator)
        for effort in EFFORTS
        if (mine := {key: runs for key, runs in alone.items() if key.effort == effort})
    }


def _tried(
    runs: Mapping[Key, Sequence[Record]],
    percent: float,
    trials: int,
    per_side: int,
    tolerance: float,
    generator: np.random.Generator,
) -> Trials:
    keys, found, alarmed = list(runs), 0, 0
    for _ in range(trials):
        mine = runs[keys[generator.integers(len(keys))]]
        drawn = [mine[index] for index in generator.permutation(len(mine))]
        base, new, others = drawn[:per_side], drawn[per_side : 2 * per_side], drawn[2 * per_side :]
        slower = [_slowed(record, 1 + percent / 100) for record in new]
        found += bool(compare_latency(base, slower, others, tolerance=tolerance).regressions)
        (plain,) = compare_latency(base, new, others, tolerance=tolerance).changes
        alarmed += plain.answer == "different"
    return Trials(trials, found, alarmed, len(keys))


def _only(record: Record, key: Key) -> Record:
    """The record with one of its latencies."""
    for verdict in record.verdicts:
        if verdict.case == key.case and key in timings(replace(record, verdicts=(verdict,))):
            return replace(record, verdicts=(verdict,))
    raise KeyError(key)


def _slowed(record: Record, factor: float) -> Record:
    """The record with its one latency longer by a factor."""
    (verdict,) = record.verdicts
    figures = dict(verdict.figures)
    figures["samples"] = [sample * factor for sample in figures["samples"]]
    facts = dict(figures.get("facts") or {})
    if facts.get("placements"):
        facts["placements"] = [seconds * factor for seconds in facts["placements"]]
    return replace(record, verdicts=(replace(verdict, figures=figures | {"facts": facts}),))
