"""Covering arrays: rows of values in which each possible pair, or triple, of values occurs.

The library covertable chooses rows. Whether rows cover is decided here, independently of it.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations, product

from trt_conformance.catalog.sweeps.model import STRENGTH, Block, Cover, Row, Sweep
from trt_conformance.core.errors import ConformanceError

Where = Mapping[str, frozenset[str]]
MAX_SEARCH = 5_000
"""How many steps the search for a possible row may take."""

Combination = tuple[tuple[str, str], ...]
"""Some axes with one value each, in the order of the axes."""


def blocks(sweep: Sweep, cover: Cover) -> Iterator[Block]:
    """Yield the covering arrays of a cover: one, or one for each combination of the values of ``each``."""
    domains = {axis: cover.only.get(axis, values) for axis, values in sweep.domains.items()}
    for chosen in product(*(domains[axis] for axis in cover.each)):
        fixed = {axis: (value,) for axis, value in zip(cover.each, chosen, strict=True)}
        yield Block(domains | fixed, STRENGTH[cover.how])


class Possible:
    """Decides which combinations of values occur in at least one row that is not excluded.

    Raises ConformanceError if the exclusions are so complex that the search takes more than `MAX_SEARCH` steps.
    """

    def __init__(self, domains: Mapping[str, Sequence[str]], exclusions: Sequence[Where]) -> None:
        self._domains = domains
        self._exclusions = exclusions
        self._axes = frozenset(axis for where in exclusions for axis in where)
        self._known: dict[Combination, bool] = {}
        self._steps = 0

    def __call__(self, combination: Combination) -> bool:
        # Axes that no exclusion names do not matter.
        relevant = tuple(pair for pair in combination if pair[0] in self._axes)
        found = self._known.get(relevant)
        if found is None:
            self._steps = 0
            row = self.complete(dict(relevant))
            found = self._known[relevant] = row is not None
            if row is not None:  # every other combination of its values is possible, too
                pairs = tuple((axis, row[axis]) for axis in self._domains if axis in self._axes)
                self._known |= dict.fromkeys(combinations(pairs, len(relevant)), True)
        return found

    def complete(self, values: dict[str, str]) -> dict[str, str] | None:
        """Return the values with the first possible one for each further axis; None if there is no such row.

        Backtracking: an axis of an exclusion that may still apply takes each value in turn.
        """
        self._steps += 1
        if self._steps > MAX_SEARCH:
            raise ConformanceError("the exclusions are too complex to decide which combinations are possible")
        undecided = None
        for where in self._exclusions:
            free = None
            for axis, listed in where.items():
                if axis not in values:
                    free = free or axis
                elif values[axis] not in listed:
                    break
            else:
                if free is None:
                    return None
                undecided = undecided or free
        if undecided is None:
            return {axis: values.get(axis, domain[0]) for axis, domain in self._domains.items()}
        tried = (self.complete(values | {undecided: value}) for value in self._domains[undecided])
        return next((found for found in tried if found is not None), None)


def combinations_of(row: Iterable[tuple[str, str]], strength: int) -> Iterator[Combination]:
    """Yield every combination of ``strength`` of a row's values."""
    return combinations(row, strength)


def all_combinations(domains: Mapping[str, Sequence[str]], strength: int) -> Iterator[Combination]:
    """Yield every combination of values of ``strength`` axes."""
    for axes in combinations(domains, strength):
        for values in product(*(domains[axis] for axis in axes)):
            yield tuple(zip(axes, values, strict=True))


def missed(sweep: Sweep, block: Block, rows: Iterable[Row]) -> list[Combination]:
    """Return the possible combinations of a block's strength that no row has."""
    covered: set[Combination] = set()
    for row in rows:
        pairs = tuple(zip(sweep.axes, row, strict=True))
        if all(value in block.domains[axis] for axis, value in pairs):
            covered.update(combinations_of(pairs, block.strength))
    possible = Possible(block.domains, sweep.exclusions)
    return [c for c in all_combinations(block.domains, block.strength) if c not in covered and possible(c)]


def missed_by(sweep: Sweep, cover: Cover, rows: Iterable[Row]) -> Iterator[Combination]:
    """Yield the combinations that a cover requires and no row has, with the values of the axes of ``each``."""
    rows = list(rows)
    for block in blocks(sweep, cover):
        fixed = tuple((axis, block.domains[axis][0]) for axis in cover.each)
        for combination in missed(sweep, block, rows):
            yield (*fixed, *(pair for pair in combination if pair not in fixed))


def matrix(sweep: Sweep, cover: Cover) -> Iterator[Row]:
    """Yield every combination of the values of all axes that is not excluded."""
    for row in product(*(cover.only.get(axis, values) for axis, values in sweep.domains.items())):
        if sweep.excluded_by(row) is None:
            yield row


def generate(sweep: Sweep, block: Block, stored: Sequence[Row]) -> list[Row]:
    """Return rows that cover a block, beginning with the ``stored`` rows that fit it."""
    found = [row for row in stored if all(v in d for v, d in zip(row, block.domains.values(), strict=True))]
    left = missed(sweep, block, found)
    if block.strength == 1:
        return list(dict.fromkeys([*found, *_dealt(sweep, block, left)]))
    if len(left) > FEW * sum(1 for _ in all_combinations(block.domains, block.strength)):
        new = [row for row in _by_covertable(sweep, block, found) if row not in set(found)]
        found += _varied(sweep, block, found, new) if block.strength == 2 else new
        left = missed(sweep, block, found)
    return list(dict.fromkeys([*found, *_rest(sweep, block, left)]))


def _dealt(sweep: Sweep, block: Block, left: Sequence[Combination]) -> Iterator[Row]:
    """Yield rows that have each remaining value, as few as possible. The other values are drawn: rows are unlike."""
    rng = random.Random(f"{sweep.seed}:{block.domains}")  # noqa: S311 - reproducible rows, and no secret
    waiting: dict[str, list[str]] = {axis: [] for axis in block.domains}
    for ((axis, value),) in left:
        waiting[axis].append(value)
    decks: dict[str, list[str]] = {axis: [] for axis in block.domains}
    while any(waiting.values()):
        row = next(filter(None, (_drawn(sweep, block, waiting, decks, rng) for _ in range(TRIES))), None)
        if row is None:
            axis = next(axis for axis, values in waiting.items() if values)
            mixed = {name: rng.sample(values, len(values)) for name, values in block.domains.items()}
            values = Possible(mixed, sweep.exclusions).complete({axis: waiting[axis][0]})
            assert values is not None, "only possible values are missed"
            row = tuple(values[name] for name in sweep.axes)
        for axis, value in zip(sweep.axes, row, strict=True):
            if value in waiting[axis]:
                waiting[axis].remove(value)
        yield row


def _drawn(
    sweep: Sweep, block: Block, waiting: Mapping[str, list[str]], decks: dict[str, list[str]], rng: random.Random
) -> Row | None:
    """A row of values that still wait, and of the next card where none does; None if it is excluded."""
    values = []
    for axis in sweep.axes:
        if waiting[axis]:
            values.append(rng.choice(waiting[axis]))
            continue
        if not decks[axis]:
            decks[axis] = rng.sample(block.domains[axis], len(block.domains[axis]))
        values.append(decks[axis].pop())
    row = tuple(values)
    return row if sweep.excluded_by(row) is None else None


TRIES = 50
"""How many rows are drawn until one is not excluded."""


def _varied(sweep: Sweep, block: Block, stored: Sequence[Row], new: Sequence[Row]) -> list[Row]:
    """Return new rows of which each value that no combination needs is drawn: else most would be the first ones."""
    rng = random.Random(f"{sweep.seed}:{block.domains}")  # noqa: S311 - reproducible rows, and no secret
    places = range(len(sweep.axes))
    counts = Counter(pair for row in (*stored, *new) for pair in _pairs(row, places))
    varied = []
    for found in new:
        row = found
        for place, axis in rng.sample(list(enumerate(sweep.axes)), len(places)):
            other = (*row[:place], rng.choice(block.domains[axis]), *row[place + 1 :])
            lost = set(_pairs(row, places)) - set(_pairs(other, places))
            if sweep.excluded_by(other) is None and all(counts[pair] > 1 for pair in lost):
                counts.subtract(_pairs(row, places))
                counts.update(_pairs(other, places))
                row = other
        varied.append(row)
    return varied


def _pairs(row: Row, places: Iterable[int]) -> Iterator[tuple[int, str, int, str]]:
    return ((first, row[first], second, row[second]) for first, second in combinations(places, 2))


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
    """Yield rows for the remaining combinations: each row has the first of them, and all others that fit it."""
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
"""Up to this fraction of missing combinations, rows are found here: covertable would take minutes."""


def _condition(where: Where) -> dict[str, object]:
    """Return an exclusion as a constraint of covertable."""
    listed = [{"operator": "in", "left": axis, "values": sorted(values)} for axis, values in where.items()]
    return {"operator": "not", "condition": {"operator": "and", "conditions": listed}}
