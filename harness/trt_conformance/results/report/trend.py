"""The page of a history, and the layout of its trend lines."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from trt_conformance.results.report.page import render
from trt_conformance.results.trends import History, Trend

MOST_TRENDS = 400
WIDTH, HEIGHT, EDGE = 240, 46, 7


class Dot(NamedTuple):
    """A run's value, from percentile 5 at ``low`` to 95 at ``high``; ``mark`` says which versions changed before it."""

    x: float
    y: float
    low: float
    high: float
    words: str
    mark: str


@dataclass(frozen=True)
class Line:
    """A trend as dots: runs from left to right, in equal steps."""

    trend: Trend
    dots: tuple[Dot, ...]

    @property
    def path(self) -> str:
        return " ".join(f"{dot.x:g},{dot.y:g}" for dot in self.dots)


def history_page(history: History) -> str:
    """One self-contained page of the trends over runs."""
    quantities = [
        ("latency", "Latency", history.of("latency")),
        ("fraction", "Fraction of the error bound used", history.of("error fraction")),
    ]
    return render(
        "history.html.j2",
        history=history,
        started={run.number: datetime.fromisoformat(run.started) for run in history.runs},
        changes={run.number: [text for now, text in history.changes() if now is run] for run in history.runs},
        sections=[
            (name, title, trends, [line(trend, len(history.runs)) for trend in trends[:MOST_TRENDS]])
            for name, title, trends in quantities
            if trends
        ],
        width=WIDTH,
        height=HEIGHT,
    )


def line(trend: Trend, runs: int) -> Line:
    """Lay a trend out; its values fill the height, zero is not on it."""
    finite = [end for point in trend.points for end in (point.low, point.value, point.high) if math.isfinite(end)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 0.0)
    step = (WIDTH - 2 * EDGE) / max(1, runs - 1)

    def y(value: float) -> float:
        part = 0.5 if low == high else (min(max(value, low), high) - low) / (high - low)
        return round(HEIGHT - EDGE - part * (HEIGHT - 2 * EDGE), 1)

    def dot(index: int) -> Dot:
        point = trend.points[index]
        words = f"run {point.run}, {point.target}: {trend.text(point)}"
        places = (y(point.value), y(point.low), y(point.high))
        return Dot(round(EDGE + (point.run - 1) * step, 1), *places, words, "; ".join(point.changed))

    return Line(trend, tuple(map(dot, range(len(trend.points)))))
