"""A run in parts: each shard takes every n-th case with all its checks."""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pytest

from trt_conformance.runner.lookahead import id_of, subject_of


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
            raise ValueError(f"{text}: the part must lie between 1 and the number of shards, {of}")
        return cls(index, of)

    def choose(self, items: Sequence[pytest.Item], cases: Sequence[str]) -> tuple[list[pytest.Item], list[pytest.Item]]:
        """The tests of this shard, and the others.

        The cases, by their ids, are dealt in turn, each with all its tests on every target. What is no case of
        theirs is dealt by its name. So no part depends on what a machine's targets can do.
        """
        place = {name: number for number, name in enumerate(cases)}
        mine: list[pytest.Item] = []
        others: list[pytest.Item] = []
        for item in items:
            name = _unit(item)
            turn = place.get(name, zlib.crc32(name.encode()))
            (mine if turn % self.of == self.index - 1 else others).append(item)
        return mine, others

    def describe(self, cases: Sequence[str], config: pytest.Config) -> dict[str, Any]:
        """For the run's record, with a hash of what all shards choose from: only parts of one whole are merged."""
        whole = [*cases, *config.args, config.getoption("keyword"), config.getoption("markexpr")]
        whole += config.getoption("deselect", None) or []
        whole += ["only what failed last"] if config.getoption("lf", False) else []
        return asdict(self) | {"tests": hashlib.sha256("\n".join(whole).encode()).hexdigest()[:16]}


def _unit(item: pytest.Item) -> str:
    """What stays together: a case's id, or the test itself where it has no case."""
    callspec = getattr(item, "callspec", None)
    if callspec is not None:
        subject = subject_of(item)
        if subject is not None:
            return id_of(subject)
        case = callspec.params.get("case")
        if hasattr(case, "id"):
            return str(case.id)
    return item.nodeid
