"""Divides a run into shards: each takes every n-th case with all its checks."""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pytest

from trt_conformance.checks.padding.tiers import table_id
from trt_conformance.runner.lookahead import id_of, subject_of


@dataclass(frozen=True)
class Shard:
    """Shard ``index``, counted from 1, out of ``of``."""

    index: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read ``2/8``.

        Raises:
            ValueError: it does not have this form, or the first number is not from 1 to the second.
        """
        found = re.fullmatch(r"(\d+)/(\d+)", text)
        if found is None:
            raise ValueError(f"{text!r} is not of the form i/n, such as 2/8")
        index, of = int(found[1]), int(found[2])
        if not 1 <= index <= of:
            raise ValueError(f"{text}: the first number must be from 1 to the number of shards, {of}")
        return cls(index, of)

    def choose(self, items: Sequence[pytest.Item], cases: Sequence[str]) -> tuple[list[pytest.Item], list[pytest.Item]]:
        """The tests of this shard, and the others.

        Cases, given by their ids, are assigned in turn, each with all its tests on every target. All other tests are
        assigned by a hash of what they are about. So a shard depends neither on which targets a machine has nor on what
        they support.
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
        """For the run's record, with a hash of the tests that are divided: only shards of one run can be merged."""
        whole = [*cases, *config.args, config.getoption("keyword"), config.getoption("markexpr")]
        whole += config.getoption("deselect", None) or []
        whole += ["only what failed last"] if config.getoption("lf", False) else []
        return asdict(self) | {"tests": hashlib.sha256("\n".join(whole).encode()).hexdigest()[:16]}


def _unit(item: pytest.Item) -> str:
    """The tests of one shard that belong together, on any target.

    They are named by the case's id or the padding table's, or by the test's own id if it has neither.
    """
    callspec = getattr(item, "callspec", None)
    if callspec is not None:
        subject = subject_of(item)
        if subject is not None:
            return id_of(subject)
        table = callspec.params.get("table")
        if table is not None:
            _, _, rank, mode = table
            return table_id(rank, mode)
        case = callspec.params.get("case")
        if hasattr(case, "id"):
            return str(case.id)
    return item.nodeid
