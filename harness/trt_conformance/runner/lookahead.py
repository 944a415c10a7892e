"""Orders the tests, and finds the engines that the next ones need, so that they can be built ahead."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, lru_cache
from itertools import islice
from operator import itemgetter

import pytest

from trt_conformance.checks import metamorphic, relations
from trt_conformance.core.case import Case
from trt_conformance.runner.phases import comes_last
from trt_conformance.targets.protocols import Target, offers

Pair = tuple[Case | str, Target]
MOST_DERIVED = 256
"""Tests whose derived cases are remembered. Most have none; others are asked for them until they have run."""


def subject_of(item: pytest.Item) -> Pair | None:
    """The case and target of a test, if it has them. A generated case is given by its id."""
    callspec = getattr(item, "callspec", None)
    subject = callspec.params.get("subject") if callspec is not None else None
    return (subject[0], subject[1]) if isinstance(subject, tuple) else None


def id_of(pair: Pair) -> str:
    """The id of the case in a pair."""
    case = pair[0]
    return case if isinstance(case, str) else case.id


def derived(item: pytest.Item) -> tuple[Case, ...]:
    """The cases that a test derives from its own, and builds too: those of relations between outputs."""
    subject, marker = subject_of(item), item.get_closest_marker("cases")
    if subject is None or isinstance(subject[0], str) or marker is None:
        return ()
    name = getattr(item, "callspec").params.get("relation")  # noqa: B009 - as in subject_of
    if name is not None:
        return tuple(metamorphic.builds_of(name, subject[0]))
    return tuple(relations.builds_of(subject[0])) if "related" in marker.args else ()


def _is_of_table(item: pytest.Item) -> bool:
    """Whether a test asks a target for the shapes of a padding table."""
    return "table" in getattr(getattr(item, "callspec", None), "params", ())


def builds(item: pytest.Item) -> bool:
    """Whether a test needs the engine of its case, and does not time it."""
    return item.get_closest_marker("no_engine") is None and "timing" not in getattr(item, "fixturenames", ())


def arranged(items: Sequence[pytest.Item], is_slow: Callable[[Case | str], bool]) -> list[pytest.Item]:
    """The tests in the order in which they run: first those without a case, then all of one case on one target.

    So an engine is built once and soon released. Cases that are slow to build come after others if the target builds
    ahead: it begins with them at once, and needs them last. The padding tables, which build nothing, come just before
    these. Tests of the second phase, during which nothing may be built, come after all others: their engines are then
    in the cache.
    """
    subjects = [subject_of(item) for item in items]
    names = [None if subject is None else (subject[1].name, id_of(subject)) for subject in subjects]
    named = {name: subject for name, subject in zip(names, subjects, strict=True) if name and subject}
    waits = {name: offers(target, "expect") and is_slow(case) for name, (case, target) in named.items()}
    places = {name: place for place, name in enumerate(dict.fromkeys(name for name in names if name is not None))}

    def order(index: int) -> tuple[bool, bool, int]:
        name = names[index]
        if name is None:
            return False, _is_of_table(items[index]), -1
        return comes_last(items[index].nodeid), waits[name], places[name]

    return [items[index] for index in sorted(range(len(items)), key=order)]


class Lookahead:
    """The cases of a run's tests, in the order of the tests, which holds in each worker of pytest-xdist too."""

    def __init__(
        self, items: Sequence[pytest.Item], made: Callable[[str], Case], is_slow: Callable[[Case | str], bool]
    ) -> None:
        """``made`` returns a generated case by its id; ``is_slow`` is whether one, or a case, is slow to build."""
        self._items, self._made, self._is_slow = items, made, is_slow
        self._place = {item.nodeid: place for place, item in enumerate(items)}
        self._slow: dict[str, list[tuple[int, Pair]]] = {}
        self._derived = lru_cache(maxsize=MOST_DERIVED)(lambda place: derived(items[place]))

    def after(self, item: pytest.Item, count: int, slow: int = 0) -> list[Case]:
        """The cases whose engines are needed by this test and those after it on the same target.

        Args:
            item: the test.
            count: how many of them.
            slow: how many more of those after them that are slow to build.
        """
        here = subject_of(item)
        if here is None:
            return []
        upcoming = list(islice(self._next(item), count))
        known = {case.id for case in upcoming}
        place = self._place[item.nodeid]
        later = (pair for first, pair in self._slow_on(here[1]) if first > place and id_of(pair) not in known)
        return [*upcoming, *map(self._case, islice(later, slow))]

    def _slow_on(self, target: Target) -> list[tuple[int, Pair]]:
        """The cases of a target that are slow to build, each with the place of its first test that needs its engine."""
        if target.name not in self._slow:
            first: dict[str, tuple[int, Pair]] = {}
            for place, pair in self._building:
                if pair[1] is target and id_of(pair) not in first and self._is_slow(pair[0]):
                    first[id_of(pair)] = (place, pair)
            self._slow[target.name] = list(first.values())
        return self._slow[target.name]

    def _next(self, item: pytest.Item) -> Iterator[Case]:
        place = self._place[item.nodeid]
        end = self._ends[place]
        seen: set[str] = set()
        for index in range(bisect_left(self._building, place, key=itemgetter(0)), len(self._building)):
            there, pair = self._building[index]
            if there >= end:
                return
            if id_of(pair) not in seen:
                seen.add(id_of(pair))
                yield self._case(pair)
            for case in self._derived(there):
                if case.id not in seen:
                    seen.add(case.id)
                    yield case

    def _case(self, pair: Pair) -> Case:
        return self._made(pair[0]) if isinstance(pair[0], str) else pair[0]

    @cached_property
    def _building(self) -> list[tuple[int, Pair]]:
        """The tests that need the engine of their case, by their places, with case and target."""
        found = ((place, subject_of(item)) for place, item in enumerate(self._items) if builds(item))
        return [(place, pair) for place, pair in found if pair is not None]

    @cached_property
    def _ends(self) -> list[int]:
        """For each test, the place of the first one after it that is on another target, or on none."""
        ends = [len(self._items)] * len(self._items)
        targets = [pair and pair[1] for pair in map(subject_of, self._items)]
        for place in range(len(ends) - 2, -1, -1):
            ends[place] = ends[place + 1] if targets[place] is targets[place + 1] else place + 1
        return ends
