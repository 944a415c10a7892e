"""Covering arrays: rows of values in which each pair, or triple, of values that is possible at all occurs.

The library covertable chooses rows. Whether rows cover is decided here, apart from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations, product

from trt_conformance.catalog.sweeps.model import STRENGTH, Block, Cover, Row, Sweep

Where = Mapping[str, frozenset[str]]
Combination = tuple[tuple[str, str], ...]
"""Axes with a value each, in the order of the axes."""


def blocks(sweep: Sweep, cover: Cover) -> Iterator[Block]:
    """The covering arrays of a cover: one, or one for each combination of the values of ``each``."""
    domains = {axis: cover.only.get(axis, values) for axis, values in sweep.domains.items()}
    for chosen in product(*(domains[axis] for axis in cover.each)):
        fixed = {axis: (value,) for axis, value in zip(cover.each, chosen, strict=True)}
        yield Block(domains | fixed, STRENGTH[cover.how])


class Possible:
    """Tells which combinations of values occur in any row at all, the exclusions being kept."""

    def __init__(self, domains: Mapping[str, Sequence[str]], exclusions: Sequence[Where]) -> None:
        self._domains = domains
        self._exclusions = exclusions
        self._axes = frozenset(axis for where in exclusions for axis in where)
        self._known: dict[Combination, bool] = {}

    def __call__(self, combination: Combination) -> bool:
        # Axes that no exclusion names never matter.
        relevant = tuple(pair for pair in combination if pair[0] in self._axes)
        found = self._known.get(relevant)
        if found is None:
            found = self._known[relevant] = self.complete(dict(relevant)) is not None
        return found

    def complete(self, values: dict[str, str]) -> dict[str, str] | None:
        """The values with one for each further axis, the first ones that may be; None where there are none.

        Search: give an axis of some exclusion that may still be met each value in turn.
        """
        undecided = None
        for where in self._exclusions:
            if all(values[axis] in listed for axis, listed in where.items() if axis in values):
                free = [axis for axis in where if axis not in values]
                if not free:
                    return None
                undecided = undecided or free[0]
        if undecided is None:
            return {axis: values.get(axis, domain[0]) for axis, domain in self._domains.items()}
        tried = (self.complete(values | {undecided: value}) for value in self._domains[undecided])
        return next((found for found in tried if found is not None), None)


def combinations_of(row: Iterable[tuple[str, str]], strength: int) -> Iterator[Combination]:
    """Every combination of a row's values, ``strength`` at a time."""
    return combinations(row, strength)


def all_combinations(domains: Mapping[str, Sequence[str]], strength: int) -> Iterator[Combination]:
    """Every combination of values of ``strength`` axes."""
    for axes in combinations(domains, strength):
        for values in product(*(domains[axis] for axis in axes)):
            yield tuple(zip(axes, values, strict=True))


def missed(sweep: Sweep, block: Block, rows: Iterable[Row]) -> list[Combination]:
    """The possible combinations of a block's strength that none of the rows has."""
    covered: set[Combination] = set()
    for row in rows:
        pairs = tuple(zip(sweep.axes, row, strict=True))
        if all(value in block.domains[axis] for axis, value in pairs):
            covered.update(combinations_of(pairs, block.strength))
    possible = Possible(block.domains, sweep.exclusions)
    return [c for c in all_combinations(block.domains, block.strength) if c not in covered and possible(c)]


def missed_by(sweep: Sweep, cover: Cover, rows: Iterable[Row]) -> Iterator[Combination]:
    """What rows leave out of what a cover promises; where it is by ``each``, with the values of those axes."""
    rows = list(rows)
    for block in blocks(sweep, cover):
        fixed = tuple((axis, block.domains[axis][0]) for axis in cover.each)
        for combination in missed(sweep, block, rows):
            yield (*fixed, *(pair for pair in combination if pair not in fixed))


def matrix(sweep: Sweep, cover: Cover) -> Iterator[Row]:
    """Every combination of the values of all axes that is not excluded."""
    for row in product(*(cover.only.get(axis, values) for axis, values in sweep.domains.items())):
        if sweep.excluded_by(row) is None:
            yield row


def generate(sweep: Sweep, block: Block, kept: Sequence[Row]) -> list[Row]:
    """Rows that cover a block, beginning with as many of those kept as fit it."""
    found = [row for row in kept if all(v in d for v, d in zip(row, block.domains.values(), strict=True))]
    left = missed(sweep, block, found)
    if len(left) > FEW * sum(1 for _ in all_combinations(block.domains, block.strength)):
        found += _by_covertable(sweep, block, found)
        left = missed(sweep, block, found)
    return list(dict.fromkeys([*found, *_rest(sweep, block, left)]))


def _by_covertable(sweep: Sweep, block: Block, presets: Sequence[Row]) -> list[Row]:
    from covertable import criteria
    from covertable.main import Controller

    rows = Controller(
        {axis: list(values) for axis, values in block.domains.items()},
        strength=block.strength,
        # With triples, weighing every candidate takes minutes and saves a twentieth of the rows.
        criterion=criteria.greedy if block.strength == 2 else criteria.simple,
        salt=str(sweep.seed),
        presets=[dict(zip(sweep.axes, row, strict=True)) for row in presets],
        constraints=[_condition(where) for where in sweep.exclusions],
    ).make()
    return [tuple(row[axis] for axis in sweep.axes) for row in rows]


def _rest(sweep: Sweep, block: Block, left: Sequence[Combination]) -> Iterator[Row]:
    """Rows for the last combinations: each takes the first of them, and every other that goes with it."""
    possible = Possible(block.domains, sweep.exclusions)
    waiting = list(left)
    while waiting:
        values = dict(waiting[0])
        for combination in waiting[1:]:
            together = values | dict(combination)
            if all(together[axis] == value for axis, value in values.items()) and possible(tuple(together.items())):
                values = together
        row = possible.complete(values)
        assert row is not None, "only possible combinations are missed"
        yield tuple(row[axis] for axis in sweep.axes)
        waiting = [combination for combination in waiting if any(row[axis] != value for axis, value in combination)]


FEW = 0.1
"""The part of all combinations up to which rows are found here; covertable would take minutes for them."""


def _condition(where: Where) -> dict[str, object]:
    """An exclusion in covertable's terms."""
    listed = [{"operator": "in", "left": axis, "values": sorted(values)} for axis, values in where.items()]
    return {"operator": "not", "condition": {"operator": "and", "conditions": listed}}
