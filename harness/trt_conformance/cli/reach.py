"""What ``trt-conformance cases coverage`` says about the ranges between edges."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from trt_conformance.catalog.catalog import Catalog
from trt_conformance.catalog.edges import EVERY
from trt_conformance.catalog.reach import reach_of
from trt_conformance.catalog.sweeps.model import TIERS
from trt_conformance.checks.selection import is_judged
from trt_conformance.core.case import Case
from trt_conformance.core.case_folder import CaseFolder
from trt_conformance.core.types import Tier
from trt_conformance.core.words import counted


def facts_of_ranges(catalog: Catalog, folder: CaseFolder, tier: Tier) -> dict[str, Any]:
    """The reach of a folder's cases in a tier and the smaller ones, as JSON values."""
    found = reach_of((case for case in catalog.cases if case.folder == folder and _runs(case, tier)), folder)
    return {
        "folder": folder.name,
        "tier": tier,
        "is_largest": tier == TIERS[-1],
        "promised": found.excused is not None,
        "reached": len(found.reached),
        "counted": len(EVERY),
        "spans": found.spans,
        "unreached": found.unreached,
        "left_out": found.left_out,
        "stale": found.stale,
    }


def _runs(case: Case, tier: Tier) -> bool:
    """Whether a run of a tier has a case, without further options."""
    return not case.large and is_judged(case, tier)


def breaks_promise(found: dict[str, Any]) -> bool:
    """Whether the largest tier of a folder that says what it leaves out leaves out more, or reaches what it names."""
    return bool(found["stale"]) or bool(found["promised"] and found["is_largest"] and found["unreached"])


def lines_of_ranges(found: dict[str, Any]) -> Iterator[str]:
    """The reach as text: the spans of each number that are reached, and the ranges that are not."""
    share = f"{found['reached']} of {counted(found['counted'], 'range')}"
    yield f"{found['folder']}: all cases of tier {found['tier']} and smaller reach {share} between edges"
    width = max(map(len, found["spans"]))
    for number, spans in found["spans"].items():
        yield f"  {number:<{width}}  {', '.join(spans) or 'nothing'}"
    for reason, numbers in found["left_out"].items():
        yield f"  left out: {_listed(numbers)}: {reason}"
    for number, ranges in found["unreached"].items():
        yield f"  NOT REACHED: {number} {', '.join(ranges)}"
    for number, ranges in found["stale"].items():
        yield f"  REACHED, but left out in unreached.toml: {number} {', '.join(ranges)}"


def _listed(numbers: dict[str, list[str]]) -> str:
    return "; ".join(f"{number} {', '.join(ranges)}" for number, ranges in numbers.items())
