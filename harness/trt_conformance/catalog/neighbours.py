"""A case that is refused stands beside one that is accepted: only what differs can be what is refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from trt_conformance.catalog.case_file import Entry
from trt_conformance.core.case import Case
from trt_conformance.core.words import closest, shown

# What a case says of itself and of what it expects, and not of the network.
_SAID = {"id", "name", "file", "line", "section", "doc", "claims", "source", "errata", "expect", "relations", "reject"}
_EXPECTED = {"runs_in", "exact", "distinguishes", "latency", "large", "special_values"}
# What counts as one thing: a number of channels stands in both shapes, and a tensor's content is a fill or values.
_AS_ONE = {"input.shape": "shapes", "kernel.shape": "shapes"} | {
    f"{tensor}.{part}": f"{tensor}" for tensor in ("input", "kernel", "bias") for part in ("fill", "values", "seed")
}


def differences(case: Case, other: Case) -> list[str]:
    """The fields in which the networks of two cases, or how they are run, differ; some count as one."""
    ours, theirs = (dict(_fields(c.model_dump(exclude=_SAID | _EXPECTED))) for c in (case, other))
    names = [name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name)]
    return list(dict.fromkeys(_AS_ONE.get(name, name) for name in names))


def check_neighbours(cases: Sequence[tuple[Entry, Case]], every: Iterable[Entry], unread: set[str]) -> None:
    """Each refused case's neighbour exists, is accepted, and differs in one field. Files not read are let pass."""
    known = {base_id for entry in every for base_id in entry.base_ids}
    by_id = {case.id: case for _, case in cases}
    for entry, case in cases:
        if case.reject is None:
            continue
        wanted = case.reject.neighbour
        if wanted is None:
            entry.fault(
                ("reject",), 'reject names no "neighbour": the accepted case beside it, which differs in one thing'
            )
            continue
        if wanted.partition("/")[0] in unread:
            continue
        path, what = ("reject", "neighbour"), f"neighbour {shown(wanted)}:"
        other = by_id.get(f"{wanted}-{case.precision}")
        if other is None:
            why = f"it does not run in {case.precision}" if wanted in known else f"no such case{closest(wanted, known)}"
            entry.fault(path, f"{what} {why}")
        elif other.reject is not None:
            entry.fault(path, f"{what} it is refused, too")
        elif len(found := differences(case, other)) != 1:
            which = ", ".join(found) or "nothing"
            entry.fault(path, f"{what} it should differ in one thing, and differs in {which}")


def _fields(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Leaves of nested tables by dotted name."""
    for key, part in value.items():
        name = f"{prefix}{key}"
        if isinstance(part, Mapping) and part:
            yield from _fields(part, f"{name}.")
        elif part not in (None, {}, ()):
            yield name, part
