"""The coverage of a run's generated cases: each value and each pair of values of a sweep's axes, on each target."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from trt_conformance.catalog.sweeps.coverage import NEVER, STATES, Coverage, State, impossible, of_run, shown
from trt_conformance.catalog.sweeps.expand import Expanded
from trt_conformance.core.verdict import FAULTS
from trt_conformance.results.report.view import Column, Row, View
from trt_conformance.results.summary import outcome

MOST_PAIRS = 60
"""The number of pairs of one state that are listed by name."""

MOST_ROWS = 5000
"""The number of rows that a browser sorts without delay."""

WORDS: dict[State, str] = {
    "fail": "fail",
    "known": "known difference",
    "pass": "pass",
    "fallback": "pass in a wider precision only",
    "built": "built, not run",
    "never": "without a result",
}


@dataclass(frozen=True)
class Pairs:
    """The pairs of values on one target."""

    column: Column
    counts: Counter[State]
    listed: dict[State, tuple[str, ...]]
    """The names of the pairs in states other than pass and built."""

    @property
    def possible(self) -> int:
        return self.counts.total()


@dataclass(frozen=True)
class Values:
    """One value of an axis: the states of its cases on each target."""

    axis: str
    value: str
    cells: tuple[Counter[State], ...]


@dataclass(frozen=True)
class Section:
    """A sweep's section of the report."""

    name: str
    values: tuple[Values, ...]
    pairs: tuple[Pairs, ...]
    impossible: dict[str, tuple[str, ...]]
    """Pairs that no case can have, by reason."""


def sections(view: View, columns: tuple[Column, ...]) -> tuple[Section, ...]:
    """The sections of all sweeps that have cases in the run."""
    sweeps = view.catalog.sweeps if view.catalog else ()
    return tuple(found for expanded in sweeps if (found := _section(view, columns, expanded)) is not None)


def listed(view: View) -> tuple[Row, ...]:
    """The rows of the table of cases. If there are very many, generated cases without a difference are left out."""
    if len(view.rows) <= MOST_ROWS:
        return view.rows
    return tuple(row for row in view.rows if not _is_generated(view, row) or state_of(row) in ("fail", "known"))


def _is_generated(view: View, row: Row) -> bool:
    return row.case in view.cases and view.cases[row.case].tier is not None


def _section(view: View, columns: tuple[Column, ...], expanded: Expanded) -> Section | None:
    coverages = [of_run(expanded, _states(view, column)) for column in columns]
    if not any(coverage.states for coverage in coverages):
        return None
    values = [
        Values(axis, value, tuple(coverage.values[axis][value] for coverage in coverages))
        for axis, names in expanded.sweep.domains.items()
        for value in names
    ]
    reasons: dict[str, list[str]] = {}
    for pair, reason in impossible(expanded.sweep).items():
        reasons.setdefault(reason, []).append(shown(pair))
    return Section(
        expanded.sweep.name,
        tuple(values),
        tuple(_pairs(column, coverage) for column, coverage in zip(columns, coverages, strict=True)),
        {reason: tuple(pairs) for reason, pairs in reasons.items()},
    )


def _pairs(column: Column, coverage: Coverage) -> Pairs:
    by_state: dict[State, list[str]] = {state: [] for state in STATES}
    for pair, state in coverage.pairs.items():
        by_state[state or NEVER].append(shown(pair))
    counts = Counter({state: len(names) for state, names in by_state.items()})
    listed = {s: tuple(names[:MOST_PAIRS]) for s, names in by_state.items() if names and s not in ("pass", "built")}
    return Pairs(column, counts, listed)


def _states(view: View, column: Column) -> Iterator[tuple[str, State]]:
    return ((row.case, state_of(row)) for row in view.rows if row.column is column)


def state_of(row: Row) -> State:
    """The state of a case on a target."""
    found = {(verdict.check, outcome(verdict)) for verdict in row.verdicts}
    outcomes = {state for _, state in found}
    if outcomes & set(FAULTS):
        return "fail"
    if "known" in outcomes:
        return "known"
    if ("forward", "pass") in found:
        return "pass"
    if ("forward", "fallback") in found:
        return "fallback"
    return "built" if ("build", "pass") in found else NEVER
