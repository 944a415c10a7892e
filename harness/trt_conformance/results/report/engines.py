"""The report's table of what engines cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trt_conformance.results.engine_costs import EngineFigures, engine_costs
from trt_conformance.results.report.view import Column, Row, View

MOST_ENGINES = 400
"""The most engines that are listed, the largest plans first; the tables of exports have all of them."""


@dataclass(frozen=True)
class EngineRow:
    """An engine and the row of its case."""

    row: Row
    cost: EngineFigures


@dataclass(frozen=True)
class EngineSums:
    """All engines of a target: their number, how many came from a cache, the sums, and the largest of each."""

    column: Column
    engines: int
    cached: int
    plan: int
    build_s: float | None
    largest_plan: EngineRow | None
    largest_memory: EngineRow | None
    over: int


def engine_rows(view: View) -> tuple[EngineRow, ...]:
    """Every engine whose cost the record has, the largest plans first, then the longest builds."""
    found = []
    for row in view.rows:
        found += [EngineRow(row, cost) for cost in engine_costs(row.verdicts)]
    return tuple(sorted(found, key=lambda one: (-(one.cost.plan or 0), -(one.cost.build_s or 0.0))))


def engine_sums(view: View, rows: Sequence[EngineRow]) -> tuple[EngineSums, ...]:
    """One entry for each target with engines."""
    found = []
    for column in view.targets:
        mine = [one for one in rows if one.row.column is column]
        if mine:
            found.append(_sums(column, mine))
    return tuple(found)


def _sums(column: Column, mine: Sequence[EngineRow]) -> EngineSums:
    plans = [one for one in mine if one.cost.plan is not None]
    needing = [one for one in mine if one.cost.device_memory is not None]
    built = [one.cost.build_s for one in mine if one.cost.engine == "built" and one.cost.build_s is not None]
    return EngineSums(
        column=column,
        engines=len(mine),
        cached=sum(one.cost.engine == "cached" for one in mine),
        plan=sum(one.cost.plan or 0 for one in plans),
        build_s=sum(built) if built else None,
        largest_plan=max(plans, key=lambda one: one.cost.plan or 0, default=None),
        largest_memory=max(needing, key=lambda one: one.cost.device_memory or 0, default=None),
        over=sum(bool(one.cost.cause) for one in plans),
    )
