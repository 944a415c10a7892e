"""How quantities change over many runs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from statistics import median
from typing import Any, Literal

from trt_conformance.core.json import finite
from trt_conformance.core.target_name import TargetName
from trt_conformance.core.words import percent, seconds

_NOISE = 2.0
"""A change counts where it is larger than so many standard errors."""
_ENOUGH = 3
_NORMAL_MAD = 0.6745
"""The median distance from its middle of a normal distribution with standard deviation 1."""

Quantity = Literal["latency", "error fraction"]


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
    """A value in one run. ``low`` and ``high``: percentiles 5 and 95 of a latency's samples; ``error``: the standard
    error of its median as a fraction. An error fraction is one number, and has neither.
    """

    run: int
    target: str
    value: float
    low: float
    high: float
    error: float
    count: int
    changed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Trend:
    """A quantity of a case on a target over the runs that have it. ``way``: mode and cache of a latency."""

    quantity: Quantity
    case: str
    series: str
    way: str
    points: tuple[TrendPoint, ...]

    @property
    def first(self) -> TrendPoint:
        return self.points[0]

    @property
    def last(self) -> TrendPoint:
        return self.points[-1]

    @cached_property
    def ratio(self) -> float:
        """The last value over the first."""
        if self.last.value == self.first.value:
            return 1.0
        return self.last.value / self.first.value if self.first.value else math.inf

    @property
    def size(self) -> float:
        """How far it moved, up or down: a logarithm for latencies, a difference for error fractions."""
        if self.quantity == "error fraction":
            return _distance(self.first.value, self.last.value)
        return abs(math.log(self.ratio))

    @property
    def moved(self) -> bool:
        """Whether it changed by more than noise explains."""
        return self.size > _NOISE * self.error

    @cached_property
    def error(self) -> float:
        """The standard error of the last value over the first: of the samples, or, where larger, from run to run.

        The usual step between neighbouring runs tells the latter, as few of them are true changes; below
        `_ENOUGH` steps nothing does.
        """
        if self.quantity == "error fraction":
            return 0.0
        within = math.hypot(self.first.error, self.last.error)
        steps = [abs(math.log(now.value / before.value)) for before, now in pairwise(self.points)]
        return max(within, median(steps) / _NORMAL_MAD) if len(steps) >= _ENOUGH else within

    @cached_property
    def step(self) -> TrendPoint | None:
        """The point with the largest step from the one before; None where all are equal."""
        steps = [(_distance(before.value, now.value), now) for before, now in pairwise(self.points)]
        size, point = max(steps, key=lambda step: step[0], default=(0.0, self.first))
        return point if size else None

    @property
    def step_text(self) -> str:
        """When that was, and the versions and devices that changed with it."""
        return ": ".join(filter(None, (f"run {self.step.run}", "; ".join(self.step.changed)))) if self.step else ""

    def text(self, point: TrendPoint) -> str:
        """A value with its uncertainty."""
        if self.quantity == "latency":
            return f"{seconds(point.value)} ±{percent(point.error)} (n={point.count})"
        return f"{point.value:.3g}"

    @property
    def change(self) -> str:
        """How the last value differs from the first."""
        if len(self.points) < 2:
            return "one run"
        if self.quantity == "error fraction":
            return "same" if self.ratio == 1 else f"{self.last.value - self.first.value:+.3g}"
        text = f"{100 * (self.ratio - 1):+.1f} % ±{percent(self.ratio * self.error)}"
        return text if self.moved else f"{text}, noise"

    def to_json(self) -> dict[str, Any]:
        """JSON values; numbers that are not finite as text."""
        points = finite([vars(point) for point in self.points])
        named = {"quantity": self.quantity, "case": self.case, "target": self.series, "way": self.way}
        return named | {"change": self.change, "moved": self.moved, "points": points}


def _distance(before: float, now: float) -> float:
    """How far apart two values are; infinities that stay have not moved."""
    return 0.0 if before == now else abs(now - before)


@dataclass(frozen=True)
class History:
    """Runs in the order they were started, and the trends over them: those that changed most first."""

    runs: tuple[HistoryRun, ...]
    trends: tuple[Trend, ...]

    def of(self, quantity: Quantity) -> tuple[Trend, ...]:
        return tuple(trend for trend in self.trends if trend.quantity == quantity)

    @property
    def moved(self) -> tuple[Trend, ...]:
        return tuple(trend for trend in self.trends if trend.moved)

    def changes(self) -> Iterator[tuple[HistoryRun, str]]:
        """Each change of a version, with the first run that has it."""
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
    """Facts of both sides that differ, in words: those of the machine and of one target, or of all, by flavour."""
    old, new = (
        {
            (TargetName.parse(target).flavour, name): value
            for (target, name), value in side.items()
            if target in ("", *((targets[index],) if targets else (target,)))
        }
        for index, side in enumerate((before, now))
    )
    # The machine says its GPU for all targets.
    machine = "GPU" in {name for target, name in old if not target}
    return tuple(
        f"{flavour} {name} {old[flavour, name]} → {value}".strip()
        for (flavour, name), value in new.items()
        if old.get((flavour, name), value) != value
        and not (machine and name in ("gpu", "sm", "gpu_memory", "multiprocessors"))
    )
