"""How quantities change over many runs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from statistics import median
from typing import Any, Literal

from trt_conformance.catalog.case_patterns import CasePatterns
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.json import finite
from trt_conformance.core.target_name import TargetName
from trt_conformance.core.words import memory, percent, seconds

_NOISE = 2.0
"""The number of standard errors above which a change is not noise."""
_ENOUGH = 3
_NORMAL_MAD = 0.6745
"""The median absolute deviation of the standard normal distribution."""

Quantity = Literal["latency", "error fraction", "plan", "device memory"]
SIZES: tuple[Quantity, ...] = ("plan", "device memory")
"""Sizes in bytes, which have no error."""


@dataclass(frozen=True)
class HistoryRun:
    """A run in a history."""

    number: int
    path: str
    started: str
    complete: bool
    facts: Mapping[tuple[str, str], str]


@dataclass(frozen=True)
class TrendPoint:
    """A value in one run: seconds of a latency, a fraction of a bound, or bytes.

    ``low`` and ``high`` are percentiles 5 and 95 of a latency's samples, and ``error`` is the standard error of its
    median as a fraction. Other quantities are single numbers without these. ``kernels`` are the GPU kernels of a
    latency's engine, if they are known. ``changed`` says what else changed since the previous point.
    """

    run: int
    target: str
    value: float
    low: float
    high: float
    error: float
    count: int
    kernels: str | None = None
    changed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Trend:
    """A quantity of a case on a target over the runs that have it.

    ``mode`` is the mode and cache state of a latency, such as ``graph, warm``; empty for other quantities.
    """

    quantity: Quantity
    case: str
    series: str
    mode: str
    points: tuple[TrendPoint, ...]

    @property
    def first(self) -> TrendPoint:
        return self.points[0]

    @property
    def last(self) -> TrendPoint:
        return self.points[-1]

    @cached_property
    def ratio(self) -> float:
        """The last value divided by the first."""
        if self.last.value == self.first.value:
            return 1.0
        return self.last.value / self.first.value if self.first.value else math.inf

    @property
    def size(self) -> float:
        """The size of the change: a log ratio of latencies and sizes, a difference of error fractions."""
        if self.quantity == "error fraction":
            return _distance(self.first.value, self.last.value)
        if self.quantity in SIZES:
            return abs(math.log(max(self.last.value, 1.0) / max(self.first.value, 1.0)))
        return abs(math.log(self.ratio))

    @property
    def moved(self) -> bool:
        """Whether the change is larger than noise."""
        return self.size > _NOISE * self.error

    @cached_property
    def error(self) -> float:
        """The standard error of `ratio`: that of the samples, or that between runs if it is larger.

        The error between runs is estimated from the median step between neighboring runs, since few steps are real
        changes. It needs at least `_ENOUGH` steps.
        """
        if self.quantity != "latency":
            return 0.0
        within = math.hypot(self.first.error, self.last.error)
        steps = [abs(math.log(now.value / before.value)) for before, now in pairwise(self.points)]
        return max(within, median(steps) / _NORMAL_MAD) if len(steps) >= _ENOUGH else within

    @cached_property
    def step(self) -> TrendPoint | None:
        """The point with the largest step from the previous one; None if all are equal."""
        steps = [(_distance(before.value, now.value), now) for before, now in pairwise(self.points)]
        size, point = max(steps, key=lambda step: step[0], default=(0.0, self.first))
        return point if size else None

    @property
    def step_text(self) -> str:
        """The run of the largest step, and the versions, devices and kernels that changed in it."""
        return ": ".join(filter(None, (f"run {self.step.run}", "; ".join(self.step.changed)))) if self.step else ""

    def text(self, point: TrendPoint) -> str:
        """A value with its uncertainty."""
        if self.quantity == "latency":
            return f"{seconds(point.value)} ±{percent(point.error)} (n={point.count})"
        if self.quantity in SIZES:
            return memory(point.value)
        return f"{point.value:.3g}"

    @property
    def change(self) -> str:
        """The change from the first to the last value, as text."""
        if len(self.points) < 2:
            return "one run"
        if self.quantity == "error fraction":
            return "same" if self.ratio == 1 else f"{self.last.value - self.first.value:+.3g}"
        if self.quantity in SIZES:
            grown = f"{100 * (self.ratio - 1):+.1f} %" if math.isfinite(self.ratio) else "from nothing"
            return "same" if self.ratio == 1 else grown
        text = f"{100 * (self.ratio - 1):+.1f} % ±{percent(self.ratio * self.error)}"
        return text if self.moved else f"{text}, noise"

    def to_json(self) -> dict[str, Any]:
        """JSON values, with non-finite numbers as text."""
        points = finite([vars(point) for point in self.points])
        named = {"quantity": self.quantity, "case": self.case, "target": self.series, "way": self.mode}
        return named | {"change": self.change, "moved": self.moved, "points": points}


def _distance(before: float, now: float) -> float:
    """The distance of two values; 0 for two equal infinities."""
    return 0.0 if before == now else abs(now - before)


@dataclass(frozen=True)
class History:
    """Runs in the order in which they started, and the trends over them, largest change first."""

    runs: tuple[HistoryRun, ...]
    trends: tuple[Trend, ...]
    notes: tuple[str, ...] = ()
    """What is left out, a line each."""

    def of(self, quantity: Quantity) -> tuple[Trend, ...]:
        return tuple(trend for trend in self.trends if trend.quantity == quantity)

    @property
    def moved(self) -> tuple[Trend, ...]:
        return tuple(trend for trend in self.trends if trend.moved)

    def only(self, patterns: Sequence[str]) -> History:
        """The same runs with the trends of some cases alone.

        Args:
            patterns: globs on a case's full id, or on its id without the precision.

        Raises:
            ConformanceError: a pattern matches no case.
        """
        for pattern in patterns:
            names = CasePatterns([pattern])
            if not any(names.match_id(trend.case) for trend in self.trends):
                raise ConformanceError(f"--case {pattern}: the runs have no trend of such a case")
        wanted = CasePatterns(patterns)
        kept = (trend for trend in self.trends if wanted.match_id(trend.case))
        return History(self.runs, tuple(kept), self.notes)

    def changes(self) -> Iterator[tuple[HistoryRun, str]]:
        """Each change of a version, with the first run that has the new version."""
        for before, now in pairwise(self.runs):
            yield from ((now, text) for text in _changed(before.facts, now.facts, None))

    def to_json(self) -> dict[str, Any]:
        return {
            "runs": [
                {"run": r.number, "path": r.path, "started": r.started, "complete": r.complete} for r in self.runs
            ],
            "versions": [{"run": run.number, "change": text} for run, text in self.changes()],
            "trends": [trend.to_json() for trend in self.trends],
        }


def _changed(
    before: Mapping[tuple[str, str], str], now: Mapping[tuple[str, str], str], targets: tuple[str, str] | None
) -> tuple[str, ...]:
    """Text for each fact that differs: of the machine, and of one target, or of all targets, by flavor."""
    old, new = (
        {
            (TargetName.parse(target).flavor, name): value
            for (target, name), value in side.items()
            if target in ("", *((targets[index],) if targets else (target,)))
        }
        for index, side in enumerate((before, now))
    )
    # If the machine's facts name the GPU, the targets' facts need not.
    machine = "GPU" in {name for target, name in old if not target}
    return tuple(
        f"{flavor} {name} {old[flavor, name]} → {value}".strip()
        for (flavor, name), value in new.items()
        if old.get((flavor, name), value) != value
        and not (machine and name in ("gpu", "sm", "gpu_memory", "multiprocessors"))
    )
