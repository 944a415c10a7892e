"""The strip plot of latencies: how the samples of each one spread."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from trt_conformance.core.words import seconds
from trt_conformance.results.report.axis import PlotAxis, Tick
from trt_conformance.results.report.latency_rows import LatencyRow

MOST_LANES = 160
MOST_DOTS = 60
REACHES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Choices for the half-width of the spread's axis, as fractions of the median."""


@dataclass(frozen=True)
class Strip:
    """A lane of the strip plot: places of percentiles 1, 50 and 99 on the axis of time, and on that of the spread
    a path of samples and percentiles 1, 25, 75 and 99.
    """

    row: LatencyRow
    y: float
    time: tuple[float, ...]
    dots: str
    spread: tuple[float, ...]


@dataclass(frozen=True)
class StripPlot:
    """Latencies as lanes, each case's under its name, on two axes: time, and the deviation from a lane's median."""

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


def strip_plot(found: Sequence[LatencyRow]) -> StripPlot:
    """The spread of each latency's samples."""
    shown = found[:MOST_LANES]
    axis = PlotAxis(
        (end for one in shown for end in (one.summary.p1, one.summary.p99)), StripPlot.left, StripPlot.right
    )
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
