"""Orders the tests, and finds the engines that the next ones need, so that they can be built ahead."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import pytest

from trt_conformance.core.case import Case
from trt_conformance.runner.phases import comes_last
from trt_conformance.targets.protocols import Target

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

    def after(self, item: pytest.Item, count: int) -> list[Case]:
        """The next ``count`` cases whose engines are needed by this test and those after it on the same target."""
        here = subject_of(item)
        return [] if here is None else list(islice(self._next(item, here), count))

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
