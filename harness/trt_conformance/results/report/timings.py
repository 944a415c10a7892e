"""The latencies of a report: the table's rows, and the layout of their plots."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import Any, NamedTuple

from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.verdict import Verdict
from trt_conformance.core.words import percent, seconds
from trt_conformance.numerics.samples import Summary, summarise
from trt_conformance.results.latency.recorded import device_of
from trt_conformance.results.report.view import Column, View

MOST_LANES = 160
MOST_DOTS = 60
SERIES = 6
"""How many looks tell targets apart; after these they repeat."""
REACHES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""How far the axis of the spread goes, as fractions of the median."""


@dataclass(frozen=True, eq=False)
class Timed:
    """One measured latency. Its rates follow from the median, so the relative error of the median is theirs."""

    column: Column
    series: int
    device: str
    verdict: Verdict

    @cached_property
    def summary(self) -> Summary:
        return summarise(self.samples)

    @property
    def samples(self) -> Sequence[float]:
        found: list[float] = self.verdict.figures["samples"]
        return found

    @property
    def case(self) -> str:
        return self.verdict.case

    @property
    def mode(self) -> str:
        return str(self.verdict.figures.get("mode", "")).replace("_", " ")

    @property
    def cache(self) -> str:
        return "cold" if self.verdict.figures.get("cold_l2") else "warm"

    @property
    def work(self) -> Mapping[str, Any]:
        return self.verdict.figures.get("work") or {}

    @property
    def precision(self) -> str:
        return str(self.work.get("precision", ""))

    @property
    def error(self) -> str:
        return f"±{percent(self.summary.error)}"

    @property
    def flops_per_s(self) -> float | None:
        return self.work["flops"] / self.summary.median if self.work.get("flops") else None

    @property
    def bytes_per_s(self) -> float | None:
        return self.work["bytes"] / self.summary.median if self.work.get("bytes") else None

    @property
    def intensity(self) -> float | None:
        """FLOP for each byte."""
        return self.work["flops"] / self.work["bytes"] if self.flops_per_s and self.bytes_per_s else None

    @property
    def floor(self) -> tuple[float, str] | None:
        """How much of the median the floor explains, and which ceiling sets the floor."""
        floor = self.verdict.figures.get("floor")
        return (floor["seconds"] / self.summary.median, floor["bound"]) if floor else None

    @property
    def ceilings(self) -> Mapping[str, float]:
        return (self.verdict.figures.get("facts") or {}).get("ceilings") or {}

    @property
    def _kernels(self) -> list[dict[str, Any]]:
        return self.verdict.figures.get("kernels") or []

    @property
    def reformat(self) -> float | None:
        """The part of the traced kernels' time that goes into copies between layouts."""
        total = sum(kernel["seconds"] for kernel in self._kernels)
        copies = sum(kernel["seconds"] for kernel in self._kernels if kernel.get("class") == "reformat")
        return copies / total if total else None

    @property
    def kernel(self) -> str:
        """The engine's word, or else the traced kernel that takes longest and is no reformat."""
        traced = [kernel for kernel in self._kernels if kernel.get("class") != "reformat"] or self._kernels
        longest = max(traced, key=lambda kernel: float(kernel["seconds"]), default={"name": ""})
        return str(self.verdict.figures.get("kernel") or longest["name"])

    @property
    def notes(self) -> tuple[str, ...]:
        figures = self.verdict.figures
        notes = [str(note) for note in figures.get("notes") or ()]
        if figures.get("stopped") == "limit":
            notes.insert(0, "unstable")
        running = sum(kernel["seconds"] for kernel in self._kernels)
        if figures.get("mode") == "enqueue" and 0 < running < self.summary.median / 2:
            notes.insert(0, "enqueue-bound")
        return tuple(dict.fromkeys(notes))


def timed(view: View) -> tuple[Timed, ...]:
    """All latencies of the runs, a case's own beside each other. What no summary can be made of is left out."""
    place = {case: index for index, case in enumerate(view.cases)}
    found = []
    for number, column in enumerate(view.targets):
        device = device_of(view.records[column.run - 1])
        for verdict in column.verdicts:
            if verdict.phase == "latency" and verdict.status in ("pass", "fallback"):
                one = Timed(column, number % SERIES, device, verdict)
                found += [one] if _is_whole(one) else []
    return tuple(sorted(found, key=lambda one: (place.get(one.case, len(place)), one.case, one.precision)))


def _is_whole(one: Timed) -> bool:
    """Whether its figures are those of a latency: records may come from other programs."""
    try:
        _ = (one.summary, one.flops_per_s, one.bytes_per_s, one.intensity, one.floor, one.reformat, one.kernel)
        _ = (one.notes, sum(one.ceilings.values()))
        rates = (one.work.get("flops", 0), one.work.get("bytes", 0), *one.ceilings.values())
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError):
        return False
    return all(rate >= 0 for rate in rates)


class Tick(NamedTuple):
    """A place on an axis."""

    at: float
    text: str


class Axis:
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
        """The powers of ten on it, where there is room with two and five times each; its ends where it has none."""
        decades = range(math.floor(self._low), math.ceil(self._high) + 1)
        places = (step * 10.0**decade for decade in decades for step in self._steps)
        yield from [place for place in places if self._low <= math.log10(place) <= self._high] or self.ends


@dataclass(frozen=True)
class Strip:
    """A lane of the strip plot: places of percentiles 1, 50 and 99 on the axis of time, and on that of the spread
    a path of samples and percentiles 1, 25, 75 and 99.
    """

    timed: Timed
    y: float
    time: tuple[float, ...]
    dots: str
    spread: tuple[float, ...]


@dataclass(frozen=True)
class StripPlot:
    """Latencies as lanes, each case's under its name, on two axes: of time, and of what lies off a lane's median."""

    strips: tuple[Strip, ...]
    heads: tuple[Tick, ...]
    time_ticks: tuple[Tick, ...]
    spread_ticks: tuple[Tick, ...]
    left_out: int
    height: float
    left: float = 290
    right: float = 570
    middle: float = 770
    reach: float = 165
    width: float = 960


def strip_plot(found: Sequence[Timed]) -> StripPlot:
    """The spread of each latency's samples."""
    shown = found[:MOST_LANES]
    axis = Axis((end for one in shown for end in (one.summary.p1, one.summary.p99)), StripPlot.left, StripPlot.right)
    # Twice a usual lane's spread: one lane of wild samples, put at the edge, must not flatten all others.
    usual = median(max(s.p99 - s.median, s.median - s.p1) / s.median for s in (one.summary for one in shown))
    reach = next(part for part in REACHES if part >= 2 * usual or part == REACHES[-1])

    def off(value: float, middle: float) -> float:
        part = min(1.0, max(-1.0, (value / middle - 1) / reach))
        return round(StripPlot.middle + part * StripPlot.reach, 1)

    strips, heads, y, case = [], [], 8.0, ""
    for one in shown:
        if one.case != case:
            case, y = one.case, y + 22
            heads.append(Tick(y, case))
        y += 19
        s = one.summary
        # Evenly chosen in the order taken, on three rows so that fewer hide each other.
        chosen = one.samples[:: -(-len(one.samples) // MOST_DOTS)]
        dots = "".join(f"M{off(x, s.median):g} {y - 4 + 4 * (n % 3):g}h0" for n, x in enumerate(chosen))
        time = tuple(axis.at(part) for part in (s.p1, s.median, s.p99))
        spread = tuple(off(part, s.median) for part in (s.p1, s.p25, s.p75, s.p99))
        strips.append(Strip(one, y, time, dots, spread))
    parts = ((part, f"{100 * reach * part:+.2g} %" if part else "median") for part in (-1, -0.5, 0, 0.5, 1))
    return StripPlot(
        tuple(strips),
        tuple(heads),
        tuple(Tick(axis.at(place), re.sub(r"\.0+ ", " ", seconds(place))) for place in axis.ticks()),
        tuple(Tick(StripPlot.middle + part * StripPlot.reach, text) for part, text in parts),
        len(found) - len(shown),
        y + 40,
    )
