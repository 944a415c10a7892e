"""The latencies of a report: the table's rows, and the layout of their plots."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import Any, NamedTuple

from harness.errors import ConformanceError
from harness.latency.recorded import device_of
from harness.latency.statistics import Summary, percent, seconds, summarise
from harness.latency.work import MEMORY
from harness.report.view import Column, View
from harness.verdict import Verdict

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
        self._low, self._high, self._first, self._last = low - room, high + room, first, last
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


@dataclass(frozen=True)
class Point:
    """A latency in the roofline plot; ``low`` and ``high`` are where its 95th and 5th percentile lie."""

    timed: Timed
    x: float
    y: float
    low: float
    high: float


class Roof(NamedTuple):
    """A ceiling as a line."""

    name: str
    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True)
class Roofline:
    """FLOP a second over FLOP for each byte, of one precision on one device. ``links`` join a case's targets."""

    device: str
    precision: str
    points: tuple[Point, ...]
    links: tuple[tuple[float, float, float], ...]
    roofs: tuple[Roof, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    left: float = 62
    right: float = 500
    top: float = 14
    bottom: float = 290
    width: float = 520
    height: float = 330


def rooflines(found: Sequence[Timed]) -> tuple[Roofline, ...]:
    """A plot for each precision and device; of ceilings measured more than once, the highest."""
    groups: dict[tuple[str, str], list[Timed]] = {}
    for one in found:
        if one.intensity:
            groups.setdefault((one.device, one.precision), []).append(one)
    return tuple(_roofline(device, precision, mine) for (device, precision), mine in groups.items())


def _roofline(device: str, precision: str, mine: Sequence[Timed]) -> Roofline:
    memory, compute = (max((one.ceilings.get(name, 0.0) for one in mine), default=0.0) for name in (MEMORY, precision))
    ridge = [compute / memory] if memory and compute else []
    x = Axis([*(one.intensity or 0.0 for one in mine), *ridge], Roofline.left, Roofline.right)
    speeds = [_speed(one, part) for one in mine for part in (one.summary.p5, one.summary.median, one.summary.p95)]
    least = min(one.intensity or math.inf for one in mine)
    tops = [top for top in (compute, min(compute or math.inf, memory * least)) if top]
    y = Axis([*speeds, *tops], Roofline.bottom, Roofline.top, roomy=60)

    points = []
    for one in mine:
        places = (_speed(one, part) for part in (one.summary.median, one.summary.p95, one.summary.p5))
        points.append(Point(one, x.at(one.intensity or 0.0), *map(y.at, places)))
    peers: dict[tuple[str, float], list[float]] = {}
    for point in points:
        peers.setdefault((point.timed.case, point.x), []).append(point.y)
    return Roofline(
        device,
        precision,
        tuple(points),
        tuple((at, min(ys), max(ys)) for (_, at), ys in peers.items() if len(ys) > 1),
        tuple(_roofs(memory, compute, x, y, precision)),
        tuple(Tick(x.at(place), _digits(place)) for place in x.ticks()),
        tuple(Tick(y.at(place), _rate(place)) for place in y.ticks()),
    )


def _speed(one: Timed, taken: float) -> float:
    """FLOP a second; the time of a cold run is a difference, so that single samples may not be positive."""
    return float(one.work["flops"] / taken) if taken > 0 else math.inf


def _roofs(memory: float, compute: float, x: Axis, y: Axis, precision: str) -> Iterator[Roof]:
    """Each ceiling as far as it is the lower one; the axes' ends cut what is beyond them."""
    (left, right), (bottom, top) = x.ends, y.ends
    if memory:
        start = max(left, bottom / memory)
        end = min(right, (compute or top) / memory, top / memory)
        if start < end:
            yield Roof("memory", x.at(start), y.at(start * memory), x.at(end), y.at(end * memory))
    if compute:
        start = min(right, max(left, compute / memory)) if memory else left
        yield Roof(f"{precision} compute", x.at(start), y.at(compute), x.at(right), y.at(compute))


def _rate(flops_per_s: float) -> str:
    """FLOP a second in the unit that fits: ``20 T``."""
    for sign, size in (("P", 1e15), ("T", 1e12), ("G", 1e9), ("M", 1e6)):
        if flops_per_s >= 0.9995 * size:
            return f"{_digits(flops_per_s / size)} {sign}"
    return _digits(flops_per_s)


def _digits(value: float) -> str:
    """A number in three digits: ``10000``, ``0.125``."""
    return f"{float(f'{value:.3g}'):g}"
