"""Lays out the plot of the use of bounds: one dot per case on a logarithmic axis, one lane per arithmetic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from trt_conformance.results.report.view import Row

WIDTH = 960
LEFT, RIGHT = 190, 24
TOP, BOTTOM = 22, 34
STEP = 7.0
SMALLEST, LARGEST = -6, 6
CROWD = 12
OWN = 60.0
"""Width for values that a logarithmic axis does not have: zero and infinity."""


class BoundDot(NamedTuple):
    """A case in its lane."""

    kind: str
    x: float
    y: float
    row: Row


class Mark(NamedTuple):
    """A label at a position on the axis, or the size of a crowd of dots."""

    x: float
    text: str
    y: float = 0.0


@dataclass(frozen=True)
class BoundLane:
    """The cases of one arithmetic, and of one target if the plot separates targets."""

    arithmetic: str
    target: str
    y: float
    dots: tuple[BoundDot, ...]
    crowds: tuple[Mark, ...]


@dataclass(frozen=True)
class Plot:
    """The elements of the plot; the axis is at ``bottom``."""

    height: float
    bottom: float
    lanes: tuple[BoundLane, ...]
    ticks: tuple[Mark, ...]
    marks: tuple[Mark, ...]
    left: float = LEFT
    right: float = WIDTH - RIGHT
    top: float = TOP
    width: float = WIDTH


def plot(rows: Sequence[Row], with_target: bool) -> Plot | None:
    """The plot of all rows whose output was compared; None if there are none."""
    measured = [(row.fraction, row) for row in rows if row.fraction is not None]
    if not measured:
        return None
    axis = _Axis([fraction for fraction, _ in measured])
    groups: dict[tuple[str, str], list[tuple[float, Row]]] = {}
    for fraction, row in sorted(measured, key=lambda pair: (pair[1].arithmetic, pair[1].column.name)):
        key = (row.arithmetic or "other", row.column.name if with_target else "")
        groups.setdefault(key, []).append((fraction, row))
    lanes, y = [], float(TOP)
    for (arithmetic, target), mine in groups.items():
        stacks: dict[int, list[tuple[float, Row]]] = {}
        for fraction, row in mine:
            stacks.setdefault(round(axis.x(fraction) / STEP), []).append((fraction, row))
        height = min(110.0, max(40.0, STEP * max(map(len, stacks.values())) + 16))
        middle = y + height / 2
        dots = [dot for stack in stacks.values() for dot in _stacked(stack, axis, middle, height - 12)]
        crowds = [Mark(axis.x(c[0][0]) + STEP, str(len(c)), y + 12) for c in stacks.values() if len(c) > CROWD]
        lanes.append(BoundLane(arithmetic, target, middle, tuple(dots), tuple(crowds)))
        y += height
    marks = (Mark(axis.x(0.01), "1 %"), Mark(axis.x(0.8), "80 %"), Mark(axis.x(1.0), "the bound"))
    return Plot(y + 4 + BOTTOM, y + 4, tuple(lanes), axis.ticks(), marks)


def _stacked(stack: list[tuple[float, Row]], axis: _Axis, middle: float, height: float) -> list[BoundDot]:
    """Dots at about the same position, stacked alternately above and below the lane's middle."""
    step = min(STEP, height / len(stack))
    return [
        BoundDot(_kind(fraction), axis.x(fraction), middle + (number + 1) // 2 * step * (-1 if number % 2 else 1), row)
        for number, (fraction, row) in enumerate(stack)
    ]


def _kind(fraction: float) -> str:
    if fraction > 1:
        return "over"
    return "high" if fraction > 0.8 else "low" if fraction <= 0.01 else "mid"


class _Axis:
    def __init__(self, fractions: Sequence[float]) -> None:
        finite = [fraction for fraction in fractions if math.isfinite(fraction)]
        self._infinite = len(finite) < len(fractions)
        top, least = max([1.0, *finite]), min([0.01, *(fraction for fraction in finite if fraction)])
        self._start = max(SMALLEST, math.floor(math.log10(least)))
        self._end = min(LARGEST, max(int(top > 1 or self._infinite), math.ceil(math.log10(top))))
        self._first = LEFT + OWN
        self._last = WIDTH - RIGHT - (OWN if self._infinite else 0) - (0 if self._end else 60)

    def x(self, fraction: float) -> float:
        if fraction == 0:
            return LEFT + 14.0
        if math.isinf(fraction):
            return WIDTH - RIGHT - 14.0
        decade = min(max(math.log10(fraction), self._start), self._end)
        return self._first + (decade - self._start) / (self._end - self._start) * (self._last - self._first)

    def ticks(self) -> tuple[Mark, ...]:
        places = [0.0, *(10.0**decade for decade in range(self._start, self._end + 1)), math.inf]
        names = {0.0: "exact", math.inf: "∞"}
        return tuple(
            Mark(self.x(place), names.get(place) or (f"{100 * place:g} %" if place <= 1 else f"{place:g}×"))
            for place in (places if self._infinite else places[:-1])
        )
