"""A logarithmic axis of a plot."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from trt_conformance.core.errors import ConformanceError


class Tick(NamedTuple):
    """A place on an axis."""

    at: float
    text: str


class PlotAxis:
    """A logarithmic axis from the least to the largest of some values, in pixels."""

    def __init__(self, values: Iterable[float], first: float, last: float, roomy: float = 170) -> None:
        """``roomy``: pixels that a decade takes at least where it has more ticks than one."""
        found = [value for value in values if 0 < value < math.inf]
        if not found:
            raise ConformanceError("an axis needs a positive value")
        low, high = math.log10(min(found)), math.log10(max(found))
        room = max(0.04 * (high - low), 0.05)
        # Powers of ten that are floats.
        self._low, self._high = max(low - room, -307.0), min(high + room, 307.0)
        self._first, self._last = first, last
        self._steps = (1, 2, 5) if abs(last - first) >= roomy * (self._high - self._low) else (1,)

    @property
    def ends(self) -> tuple[float, float]:
        return 10**self._low, 10**self._high

    def at(self, value: float) -> float:
        """The place of a value; one beyond an end is put at that end."""
        part = (math.log10(max(value, 1e-300)) - self._low) / (self._high - self._low)
        return round(self._first + min(1.0, max(0.0, part)) * (self._last - self._first), 1)

    def ticks(self) -> Iterator[float]:
        """The powers of ten on it, if there is room with two and five times each; its ends if it has none."""
        decades = range(math.floor(self._low), math.ceil(self._high) + 1)
        places = (step * 10.0**decade for decade in decades for step in self._steps)
        yield from [place for place in places if self._low <= math.log10(place) <= self._high] or self.ends
