"""A run in parts: each shard takes every n-th case with all its checks."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pytest


@dataclass(frozen=True)
class Shard:
    """Part ``index`` (from 1) of ``of``."""

    index: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read ``2/8``.

        Raises:
            ValueError: it is no such pair, or the part lies outside of 1 to n.
        """
        found = re.fullmatch(r"(\d+)/(\d+)", text)
        if found is None:
            raise ValueError(f"{text!r} is not of the form i/n, such as 2/8")
        index, of = int(found[1]), int(found[2])
        if not 1 <= index <= of:
            raise ValueError(f"{text}: the part must lie between 1 and the number of shards ({of})")
        return cls(index, of)

    def choose(self, items: Sequence[pytest.Item]) -> tuple[list[pytest.Item], list[pytest.Item]]:
        """The tests of this shard, and the others. All tests of a case, on every target, are dealt together."""
        place: dict[str, int] = {}
        mine: list[pytest.Item] = []
        others: list[pytest.Item] = []
        for item in items:
            turn = place.setdefault(_unit(item), len(place))
            (mine if turn % self.of == self.index - 1 else others).append(item)
        return mine, others

    def describe(self, items: Sequence[pytest.Item]) -> dict[str, Any]:
        """For the run's record, with a hash of all tests of all shards: only shards of one run may be merged."""
        names = "\n".join(item.nodeid for item in items)
        return asdict(self) | {"tests": hashlib.sha256(names.encode()).hexdigest()[:16]}


def _unit(item: pytest.Item) -> str:
    """What stays together: a case's id, or the test itself where it has no case."""
    callspec = getattr(item, "callspec", None)
    if callspec is not None:
        subject = callspec.params.get("subject")
        case = subject[0] if isinstance(subject, tuple) else callspec.params.get("case")
        if hasattr(case, "id"):
            return str(case.id)
    return item.nodeid
