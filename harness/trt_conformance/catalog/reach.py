"""Which ranges between edges the cases of a tier reach, and why the suite leaves others out."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Annotated, Any

from pydantic import Field, ValidationError

from trt_conformance.catalog.edges import EVERY, Range, in_order, numbers_of, ranges
from trt_conformance.catalog.explain import explain
from trt_conformance.catalog.source import CaseFileError, Source, read_source
from trt_conformance.core.case import Case
from trt_conformance.core.case_folder import CaseFolder
from trt_conformance.core.errors import InvalidConvolution
from trt_conformance.core.types import Model
from trt_conformance.core.words import choice, shown

ALL = in_order(EVERY)
"""The ranges of each number, in order."""


class Unreached(Model):
    """Ranges of a number that no case reaches, and the reason."""

    number: str
    ranges: Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
    reason: Annotated[str, Field(min_length=20)]


@dataclass(frozen=True)
class Reach:
    """The ranges that cases reach.

    Attributes:
        reached: those between edges that are counted, of all numbers.
        excused: the reason of each range that the folder's ``unreached.toml`` names; None if it has no such file.
    """

    reached: frozenset[Range]
    excused: dict[Range, str] | None

    @property
    def spans(self) -> dict[str, list[str]]:
        """The ranges of each number that cases reach, neighbors joined: ``1..129``, ``254..257``, ``> 65535``."""
        return {
            number: _joined(names, {one for n, one in self.reached if n == number}) for number, names in ALL.items()
        }

    @property
    def unreached(self) -> dict[str, list[str]]:
        """The ranges of each number that no case reaches and nothing excuses, in order."""
        return in_order(EVERY - self.reached - set(self.excused or ()))

    @property
    def left_out(self) -> dict[str, dict[str, list[str]]]:
        """The ranges of each number that are left out, by reason."""
        by_reason: dict[str, set[Range]] = {}
        for one, reason in (self.excused or {}).items():
            if one not in self.reached:
                by_reason.setdefault(reason, set()).add(one)
        return {reason: in_order(found) for reason, found in by_reason.items()}

    @property
    def stale(self) -> dict[str, list[str]]:
        """The ranges of each number that are excused, although cases reach them."""
        return in_order(self.reached & set(self.excused or ()))


def reach_of(cases: Iterable[Case], folder: CaseFolder) -> Reach:
    """The reach of cases. Those that are refused reach nothing.

    Args:
        cases: those of a tier and the smaller ones.
        folder: the folder whose ``unreached.toml`` is read.

    Raises:
        CaseFileError: with every fault of ``unreached.toml``.
    """
    reached: set[Range] = set()
    for case in cases:
        if case.reject is None:
            try:
                reached |= EVERY.intersection(ranges(numbers_of(case)))
            except InvalidConvolution:  # a run that is refused
                continue
    return Reach(frozenset(reached), read_unreached(folder))


def read_unreached(folder: CaseFolder) -> dict[Range, str] | None:
    """The reason of each range that a folder leaves out; None if the folder has no such file.

    Raises:
        CaseFileError: with every fault of ``unreached.toml``.
    """
    if not folder.unreached.exists():
        return None
    source = read_source(folder.unreached, folder)
    found: dict[Range, str] = {}
    for key in source.document:
        if key != "unreached":
            source.fault((key,), choice("unknown key", key, ["unreached"]))
    given = source.document.get("unreached", [])
    for index, entry in enumerate(given if isinstance(given, list) else []):
        _read(source, index, entry, found)
    if not isinstance(given, list):
        source.fault(("unreached",), f"unreached: expected [[unreached]] tables, got {shown(given)}")
    if source.faults:
        raise CaseFileError(source.faults)
    return found


def _read(source: Source, index: int, entry: Any, found: dict[Range, str]) -> None:
    path = ("unreached", index)
    try:
        one = Unreached.model_validate(entry)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            source.fault((*path, *detail["loc"]), explain(detail, detail["loc"] or path[-1:], Unreached))
        return
    if one.number not in ALL:
        source.fault((*path, "number"), choice("unknown number", one.number, ALL))
        return
    for name in one.ranges:
        if name not in ALL[one.number]:
            source.fault((*path, "ranges"), choice(f"{one.number} has no range", name, ALL[one.number]))
        elif (one.number, name) in found:
            source.fault((*path, "ranges"), f"{one.number} {shown(name)} is left out twice")
        found[one.number, name] = one.reason


def _joined(names: Sequence[str], reached: Container[str]) -> list[str]:
    """The reached ones of a number's ranges as few spans."""
    spans = []
    for is_reached, group in groupby(names, key=lambda name: name in reached):
        some = list(group)
        if not is_reached:
            continue
        beyond = [some.pop()] if some[-1].startswith(">") else []
        if some:
            first, last = some[0].partition("..")[0], some[-1].rpartition("..")[2]
            spans.append(first if first == last else f"{first}..{last}")
        spans += beyond
    return spans
