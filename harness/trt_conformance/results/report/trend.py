"""The page of a history, and the layout of its trend lines."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from trt_conformance.results.report.page import render
from trt_conformance.results.trends import History, Trend

MOST_TRENDS = 400
MOST_CASES = 60
WIDTH, HEIGHT, EDGE = 240, 46, 7
LARGE = (520, 110)


class TrendDot(NamedTuple):
    """A run's value, from percentile 5 at ``low`` to 95 at ``high``; ``mark`` says which versions changed before it."""

    x: float
    y: float
    low: float
    high: float
    words: str
    mark: str


@dataclass(frozen=True)
class CaseRun:
    """A run of a case: what changed before it, and the value of each of the case's trends as text, empty if none."""

    run: int
    targets: str
    changed: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class CaseHistory:
    """All trends of a case, each with its line, and its runs as rows."""

    case: str
    lines: tuple[TrendLine, ...]
    rows: tuple[CaseRun, ...]


@dataclass(frozen=True)
class TrendLine:
    """A trend as dots: runs from left to right, in equal steps."""

    trend: Trend
    dots: tuple[TrendDot, ...]

    @property
    def path(self) -> str:
        return " ".join(f"{dot.x:g},{dot.y:g}" for dot in self.dots)


def history_page(history: History, with_cases: bool = False, home: str = "") -> str:
    """One self-contained page of the trends over runs, first those of each case together where that is asked for.

    ``home``: the page of the site that this one is part of.
    """
    quantities = [
        ("latency", "Latency", history.of("latency")),
        ("fraction", "Fraction of the error bound used", history.of("error fraction")),
        ("plan", "Bytes of plans", history.of("plan")),
        ("memory", "Device memory", history.of("device memory")),
    ]
    return render(
        "history.html.j2",
        history=history,
        home=home,
        cases=case_histories(history) if with_cases else (),
        started={run.number: datetime.fromisoformat(run.started) for run in history.runs},
        changes=_changes(history),
        sections=[
            (name, title, trends, [line(trend, len(history.runs)) for trend in trends[:MOST_TRENDS]])
            for name, title, trends in quantities
            if trends
        ],
        width=WIDTH,
        height=HEIGHT,
    )


def case_histories(history: History) -> tuple[CaseHistory, ...]:
    """The trends of each case together, in the order of the cases' names; quick and full latencies stay apart."""
    by_case: dict[str, list[Trend]] = {}
    for trend in sorted(history.trends, key=lambda trend: (trend.case, trend.quantity, trend.series, trend.mode)):
        by_case.setdefault(trend.case, []).append(trend)
    runs = len(history.runs)
    return tuple(
        CaseHistory(case, tuple(line(trend, runs, *LARGE) for trend in trends), tuple(_case_runs(history, trends)))
        for case, trends in list(by_case.items())[:MOST_CASES]
    )


def _changes(history: History) -> dict[int, list[str]]:
    """What changed before each run, by its number."""
    return {run.number: [text for now, text in history.changes() if now is run] for run in history.runs}


def _case_runs(history: History, trends: list[Trend]) -> Iterator[CaseRun]:
    changes = _changes(history)
    for run in history.runs:
        points = [next((p for p in trend.points if p.run == run.number), None) for trend in trends]
        if any(points):
            targets = ", ".join(dict.fromkeys(point.target for point in points if point))
            values = tuple(trend.text(point) if point else "" for trend, point in zip(trends, points, strict=True))
            yield CaseRun(run.number, targets, "; ".join(changes[run.number]), values)


def line(trend: Trend, runs: int, width: int = WIDTH, height: int = HEIGHT) -> TrendLine:
    """Lay a trend out in ``width`` x ``height`` pixels; its values fill the height, zero is not on it."""
    finite = [end for point in trend.points for end in (point.low, point.value, point.high) if math.isfinite(end)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 0.0)
    step = (width - 2 * EDGE) / max(1, runs - 1)

    def y(value: float) -> float:
        part = 0.5 if low == high else (min(max(value, low), high) - low) / (high - low)
        return round(height - EDGE - part * (height - 2 * EDGE), 1)

    def dot(index: int) -> TrendDot:
        point = trend.points[index]
        words = f"run {point.run}, {point.target}: {trend.text(point)}"
        places = (y(point.value), y(point.low), y(point.high))
        return TrendDot(round(EDGE + (point.run - 1) * step, 1), *places, words, "; ".join(point.changed))

    return TrendLine(trend, tuple(map(dot, range(len(trend.points)))))
