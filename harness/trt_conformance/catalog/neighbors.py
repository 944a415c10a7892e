"""Checks that each refused case has an accepted neighbor that differs in one thing, which must be what is refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from trt_conformance.catalog.case_file import Entry
from trt_conformance.core.case import Case
from trt_conformance.core.quantization_fields import Misquantize
from trt_conformance.core.refit_fields import Misrefit
from trt_conformance.core.words import closest, shown

# Fields that describe the case or its expected result, not the network.
_SAID = {"id", "name", "file", "line", "section", "doc", "claims", "source", "errata", "expect", "relations", "reject"}
_EXPECTED = {"runs_in", "exact", "rounding", "distinguishes", "latency", "large", "golden", "special_values"}
# Fields that count as one: both shapes include the number of channels, and a tensor has a fill or values.
_AS_ONE = {"input.shape": "shapes", "kernel.shape": "shapes"} | {
    f"{tensor}.{part}": f"{tensor}"
    for tensor in ("input", "kernel", "bias")
    for part in ("fill", "values", "seed", "exponents")
}
_AS_ONE |= {f"refit.wrong.{part}": "refit.wrong" for part in Misrefit.model_fields}
_AS_ONE |= {f"quantize.wrong.{part}": "quantize.wrong" for part in Misquantize.model_fields}


def differences(case: Case, other: Case) -> list[str]:
    """Return the fields in which two cases' networks, or how they are run, differ; some fields count as one."""
    ours, theirs = (dict(_fields(c.model_dump(exclude=_SAID | _EXPECTED))) for c in (case, other))
    names = [name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name)]
    return list(dict.fromkeys(_AS_ONE.get(name, name) for name in names))


def check_neighbors(cases: Sequence[tuple[Entry, Case]], every: Iterable[Entry], unread: set[str]) -> None:
    """Record a fault for each refused case whose neighbor does not exist, is refused too, or differs in several fields.

    Neighbors in the files ``unread`` (their stems), which have faults of their own, are not checked.
    """
    known = {base_id for entry in every for base_id in entry.base_ids}
    by_id = {case.id: case for _, case in cases}
    for entry, case in cases:
        if case.reject is None:
            continue
        wanted = case.reject.neighbor
        if wanted is None:
            entry.fault(
                ("reject",), 'reject needs "neighbor": the id of an accepted case that differs in one thing only'
            )
            continue
        if wanted.partition("/")[0] in unread:
            continue
        path, what = ("reject", "neighbor"), f"neighbor {shown(wanted)}:"
        other = by_id.get(f"{wanted}-{case.precision}")
        if other is None:
            why = f"it does not run in {case.precision}" if wanted in known else f"no such case{closest(wanted, known)}"
            entry.fault(path, f"{what} {why}")
        elif other.reject is not None:
            entry.fault(path, f"{what} it is refused too")
        elif len(found := differences(case, other)) != 1:
            which = ", ".join(found) or "nothing"
            entry.fault(path, f"{what} it must differ in exactly one thing, but differs in {which}")


def _fields(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the leaves of nested tables with their dotted names."""
    for key, part in value.items():
        name = f"{prefix}{key}"
        if isinstance(part, Mapping) and part:
            yield from _fields(part, f"{name}.")
        elif part not in (None, {}, ()):
            yield name, part
