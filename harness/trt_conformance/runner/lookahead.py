"""Orders the tests, and finds the engines that the next ones need, so that they can be built ahead."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import pytest

from trt_conformance.core.case import Case
from trt_conformance.runner.phases import comes_last
from trt_conformance.targets.protocols import Target
from trt_conformance.targets.slow_builds import is_slow_to_build

Pair = tuple[Case | str, Target]


def subject_of(item: pytest.Item) -> Pair | None:
    """The case and target of a test, if it has them. A generated case is given by its id."""
    callspec = getattr(item, "callspec", None)
    subject = callspec.params.get("subject") if callspec is not None else None
    return (subject[0], subject[1]) if isinstance(subject, tuple) else None


def id_of(pair: Pair) -> str:
    """The id of the case in a pair."""
    case = pair[0]
    return case if isinstance(case, str) else case.id


def builds(item: pytest.Item) -> bool:
    """Whether a test needs the engine of its case, and does not time it."""
    return item.get_closest_marker("no_engine") is None and "timing" not in getattr(item, "fixturenames", ())


def arranged(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """The tests in the order in which they run: first those without a case, then all of one case on one target.

    So an engine is built once and soon released. Tests of the second phase, during which nothing may be built, come
    after all others: their engines are then in the cache.
    """
    subjects = [subject_of(item) for item in items]
    names = [None if subject is None else (subject[1].name, id_of(subject)) for subject in subjects]
    places = {name: place for place, name in enumerate(dict.fromkeys(name for name in names if name is not None))}

    def order(index: int) -> tuple[bool, int]:
        name = names[index]
        return (False, -1) if name is None else (comes_last(items[index].nodeid), places[name])

    return [items[index] for index in sorted(range(len(items)), key=order)]


class Lookahead:
    """The cases of a run's tests, in the order of the tests, which holds in each worker of pytest-xdist too."""

    def __init__(self, items: Sequence[pytest.Item], made: Callable[[str], Case]) -> None:
        """``made`` returns a generated case by its id."""
        self._items, self._made = items, made
        self._place = {item.nodeid: place for place, item in enumerate(items)}
        self._slow: dict[str, list[tuple[int, Case]]] = {}

    def after(self, item: pytest.Item, count: int, slow: int = 0) -> list[Case]:
        """The cases whose engines are needed by this test and those after it on the same target.

        Args:
            item: the test.
            count: how many of them.
            slow: how many more of those after them that are slow to build. Generated cases are not among these.
        """
        here = subject_of(item)
        if here is None:
            return []
        upcoming = list(islice(self._next(item, here), count))
        known = {case.id for case in upcoming}
        place = self._place[item.nodeid]
        later = (case for first, case in self._slow_on(here[1]) if first > place and case.id not in known)
        return [*upcoming, *islice(later, slow)]

    def _slow_on(self, target: Target) -> list[tuple[int, Case]]:
        """The cases of a target that are slow to build, each with the place of its first test that needs its engine."""
        if target.name not in self._slow:
            first: dict[str, tuple[int, Case]] = {}
            for place, item in enumerate(self._items):
                there = subject_of(item)
                if there is None or there[1] is not target or isinstance(there[0], str) or there[0].id in first:
                    continue
                if builds(item) and is_slow_to_build(there[0]):
                    first[there[0].id] = (place, there[0])
            self._slow[target.name] = list(first.values())
        return self._slow[target.name]

    def _next(self, item: pytest.Item, here: Pair) -> Iterator[Case]:
        seen: set[str] = set()
        for place in range(self._place[item.nodeid], len(self._items)):
            there = subject_of(self._items[place])
            if there is None or there[1] is not here[1]:
                return
            name = id_of(there)
            if name not in seen and builds(self._items[place]):
                seen.add(name)
                yield self._made(there[0]) if isinstance(there[0], str) else there[0]
