"""The latencies of a run in a few numbers, and the one that is shown with each case."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import NamedTuple, get_args

from trt_conformance.core.types import Mode
from trt_conformance.core.words import percent, seconds
from trt_conformance.results.report.latency_rows import LatencyRow
from trt_conformance.results.report.view import Column, View

_MODES = ("graph", *(mode for mode in get_args(Mode) if mode != "graph"))


class Tile(NamedTuple):
    """A number on the first screen: its meaning, its value, its case, and the standard error of a latency."""

    label: str
    value: str
    case: str = ""
    error: str = ""


def is_latency_run(view: View, timed: Sequence[LatencyRow]) -> bool:
    """Whether latencies are what the run was for: it has some, and no result for any claim of a document."""
    return bool(timed) and not any(column.claims for column in view.targets)


def tiles(timed: Sequence[LatencyRow], in_full: bool) -> tuple[Tile, ...]:
    """The numbers of the first screen; those beyond the count only ``in_full``. Quick and full ones stay apart."""
    found: list[Tile] = []
    for effort in ("full", "quick"):
        mine = [row for row in timed if row.effort == effort]
        if mine:
            found.append(Tile("quick latencies" if effort == "quick" else "latencies", str(len(mine))))
            found += _details(mine, effort) if in_full else ()
    return tuple(found)


def _details(mine: Sequence[LatencyRow], effort: str) -> Iterator[Tile]:
    which = " of quick latencies" if effort == "quick" else ""
    error = median(row.relative_error for row in mine)
    if math.isfinite(error):
        yield Tile(f"median standard error{which}", percent(error))
    shares = [row.floor[0] for row in mine if row.floor]
    if shares:
        yield Tile(f"of the roofline, median{which}", percent(median(shares)))
    slowest = max(mine, key=lambda row: row.summary.median)
    yield Tile(f"slowest{which}", seconds(slowest.summary.median), slowest.case, slowest.error)
    unstable = sum("unstable" in row.notes for row in mine)
    if unstable:
        yield Tile(f"unstable{which}", str(unstable))


def beside_cases(timed: Sequence[LatencyRow]) -> Mapping[tuple[Column, str], Sequence[LatencyRow]]:
    """By target and case its latencies, the one to show first: full before quick, graph before other modes, warm."""
    found: dict[tuple[Column, str], list[LatencyRow]] = {}
    for row in timed:
        found.setdefault((row.column, row.case), []).append(row)
    for rows in found.values():
        rows.sort(key=_rank)
    return found


def _rank(row: LatencyRow) -> tuple[bool, int, bool]:
    mode = row.verdict.figures.get("mode")
    return row.effort == "quick", _MODES.index(mode) if mode in _MODES else len(_MODES), row.cache != "warm"
