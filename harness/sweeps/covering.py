"""Covering arrays: rows of values in which each pair, or triple, of values that is possible at all occurs.

The library covertable chooses rows. Whether rows cover is decided here, apart from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations, product

from harness.errors import ConformanceError
from harness.sweeps.model import STRENGTH, Block, Cover, Row, Sweep

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
            found = self._known[relevant] = self._completes(dict(relevant))
        return found

    def _completes(self, values: dict[str, str]) -> bool:
        """Search: give an axis of some exclusion that may still be met each value in turn."""
        undecided = None
        for where in self._exclusions:
            if all(values[axis] in listed for axis, listed in where.items() if axis in values):
                free = [axis for axis in where if axis not in values]
                if not free:
                    return False
                undecided = undecided or free[0]
        if undecided is None:
            return True
        return any(self._completes(values | {undecided: value}) for value in self._domains[undecided])


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
    """Rows that cover a block, beginning with as many of those kept as fit it.

    Raises:
        ConformanceError: covertable left a possible combination out.
    """
    from covertable import criteria
    from covertable.main import Controller

    presets = [row for row in kept if all(v in d for v, d in zip(row, block.domains.values(), strict=True))]
    rows = Controller(
        {axis: list(values) for axis, values in block.domains.items()},
        strength=block.strength,
        # With triples, weighing every candidate takes minutes and saves a twentieth of the rows.
        criterion=criteria.greedy if block.strength == 2 else criteria.simple,
        salt=str(sweep.seed),
        presets=[dict(zip(sweep.axes, row, strict=True)) for row in presets],
        constraints=[_condition(where) for where in sweep.exclusions],
    ).make()
    found = list(dict.fromkeys([*presets, *(tuple(row[axis] for axis in sweep.axes) for row in rows)]))
    if left := missed(sweep, block, found):
        raise ConformanceError(
            f"{sweep.file}: covertable covers {len(left)} possible combinations by no row: {left[0]}"
        )
    return found


def _condition(where: Where) -> dict[str, object]:
    """An exclusion in covertable's terms."""
    listed = [{"operator": "in", "left": axis, "values": sorted(values)} for axis, values in where.items()]
    return {"operator": "not", "condition": {"operator": "and", "conditions": listed}}
