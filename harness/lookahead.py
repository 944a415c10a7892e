"""Which engines the tests after the current one will ask for, so that they can be built ahead."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import pytest

from harness.model import Case
from harness.targets.base import Target

Pair = tuple[Case | str, Target]


def subject_of(item: pytest.Item) -> Pair | None:
    """The case and target of a test, if it has one; of a generated case the id."""
    callspec = getattr(item, "callspec", None)
    subject = callspec.params.get("subject") if callspec is not None else None
    return (subject[0], subject[1]) if isinstance(subject, tuple) else None


def id_of(pair: Pair) -> str:
    """The id of a test's case."""
    case = pair[0]
    return case if isinstance(case, str) else case.id


def builds(item: pytest.Item) -> bool:
    """Whether a test asks for the engine of its case, and times nothing."""
    return item.get_closest_marker("no_engine") is None and "timing" not in getattr(item, "fixturenames", ())


class Lookahead:
    """The cases of a run's tests, in their order; in a worker of pytest-xdist, too, neighbours follow each other."""

    def __init__(self, items: Sequence[pytest.Item], made: Callable[[str], Case]) -> None:
        """``made`` gives a generated case by its id."""
        self._items, self._made = items, made
        self._place = {item.nodeid: place for place, item in enumerate(items)}

    def after(self, item: pytest.Item, count: int) -> list[Case]:
        """The next ``count`` cases whose engines this test and those after it, on the same target, ask for."""
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
