"""The coverage of a sweep: which values and pairs of values its cases have, and the results of those that ran."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal, get_args

from trt_conformance.catalog.sweeps.covering import Combination, Possible, all_combinations, combinations_of
from trt_conformance.catalog.sweeps.expand import Expanded
from trt_conformance.catalog.sweeps.model import TIERS, Row, Sweep
from trt_conformance.core.types import Tier

State = Literal["fail", "known", "pass", "fallback", "built", "never"]
STATES: tuple[State, ...] = get_args(State)
"""The state of a combination is the first of these that one of its cases has: a failure outweighs passes."""

NEVER: State = "never"


@dataclass(frozen=True)
class Coverage:
    """The combinations in some of a sweep's rows.

    ``states`` has the state of each row that counts; rows that did not run are ``never``.
    """

    sweep: Sweep
    states: Mapping[Row, State]

    @cached_property
    def values(self) -> dict[str, dict[str, Counter[State]]]:
        """How many rows have each value of each axis, by state."""
        found = {axis: {value: Counter[State]() for value in values} for axis, values in self.sweep.domains.items()}
        for row, state in self.states.items():
            for axis, value in zip(self.sweep.axes, row, strict=True):
                found[axis][value][state] += 1
        return found

    def combinations(self, strength: int = 2) -> dict[Combination, State | None]:
        """Return the state of each possible combination; None if no row has it."""
        found: dict[Combination, State | None] = dict.fromkeys(_decided(self.sweep, strength)[True])
        for row, state in self.states.items():
            for combination in combinations_of(tuple(zip(self.sweep.axes, row, strict=True)), strength):
                before = found[combination]
                found[combination] = state if before is None else min(before, state, key=STATES.index)
        return found

    @cached_property
    def pairs(self) -> dict[Combination, State | None]:
        return self.combinations(2)


def impossible(sweep: Sweep) -> dict[Combination, str]:
    """Return the pairs of values that no row can have, with the reasons."""
    return {pair: _reason(sweep, dict(pair)) for pair in _decided(sweep, 2)[False]}


def _decided(sweep: Sweep, strength: int) -> dict[bool, tuple[Combination, ...]]:
    """Return the combinations that rows can have (True), and those that none can have."""
    domains = tuple((axis, tuple(values)) for axis, values in sweep.domains.items())
    exclusions = tuple(tuple(where.items()) for where in sweep.exclusions)
    return _decide(domains, exclusions, strength)


@lru_cache(maxsize=64)
def _decide(
    domains: tuple[tuple[str, tuple[str, ...]], ...],
    exclusions: tuple[tuple[tuple[str, frozenset[str]], ...], ...],
    strength: int,
) -> dict[bool, tuple[Combination, ...]]:
    """As `_decided`; a report asks for each target."""
    axes = dict(domains)
    possible = Possible(axes, [dict(where) for where in exclusions])
    found: dict[bool, list[Combination]] = {True: [], False: []}
    for combination in all_combinations(axes, strength):
        found[possible(combination)].append(combination)
    return {is_possible: tuple(those) for is_possible, those in found.items()}


def _reason(sweep: Sweep, pair: dict[str, str]) -> str:
    for exclude, where in zip(sweep.excludes, sweep.exclusions, strict=True):
        if all(pair.get(axis) in listed for axis, listed in where.items()):
            return exclude.doc
    return "excluded by several exclusions together"


def of_tier(expanded: Expanded, tier: Tier) -> Coverage:
    """Return the coverage of the cases of a tier and the smaller ones."""
    wanted = TIERS[: TIERS.index(tier) + 1]
    return Coverage(expanded.sweep, {row: NEVER for row, (smallest, _) in expanded.rows.items() if smallest in wanted})


def of_run(expanded: Expanded, states: Iterable[tuple[str, State]]) -> Coverage:
    """Return the coverage of a run, from the state of each case by id."""
    return Coverage(expanded.sweep, {expanded.ids[name]: state for name, state in states if name in expanded.ids})


def shown(combination: Combination) -> str:
    """Return a combination as text: ``precision int8 × route ctor``."""
    return " × ".join(f"{axis} {value}" for axis, value in combination)
