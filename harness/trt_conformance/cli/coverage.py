"""What ``trt-conformance cases`` says about sweeps."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

from trt_conformance.catalog.sweeps.coverage import impossible, of_tier, shown
from trt_conformance.catalog.sweeps.covering import matrix, missed_by
from trt_conformance.catalog.sweeps.expand import Expanded
from trt_conformance.catalog.sweeps.model import STRENGTH, TIERS
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.types import Tier
from trt_conformance.core.words import choice, counted

MOST_SHOWN = 20


def tier_named(name: str) -> Tier:
    """Return the tier of that name.

    Raises:
        ConformanceError: there is no such tier.
    """
    for tier in TIERS:
        if tier == name:
            return tier
    raise ConformanceError(choice("unknown tier", name, TIERS))


def summary(expanded: Expanded) -> str:
    """One line with the number of cases of each tier and of excluded combinations."""
    sweep = expanded.sweep
    counts = ", ".join(f"{tier} {len(of_tier(expanded, tier).states)}" for tier in TIERS)
    rules = counted(len(sweep.excludes), "exclusion")
    pairs = counted(len(impossible(sweep)), "pair")
    matrices = [cover for cover in sweep.covers if cover.how == "matrix"]
    every = sum(prod(map(len, (sweep.domains | cover.only).values())) for cover in matrices)
    left_out = every - sum(1 for cover in matrices for _ in matrix(sweep, cover))
    held = f", {left_out} of {every} combinations" if matrices else ""
    return f"{sweep.file}: cases by tier {counts}; {pairs} of values excluded by {rules}{held}"


def facts(expanded: Expanded, tier: Tier) -> dict[str, Any]:
    """The coverage of a tier, as JSON values."""
    sweep, found = expanded.sweep, of_tier(expanded, tier)
    covers = [cover for cover in sweep.covers if TIERS.index(cover.tier) <= TIERS.index(tier)]
    counts: dict[str, dict[str, int]] = {}
    for strength in sorted({2, *(STRENGTH[cover.how] for cover in covers if cover.how in STRENGTH)}):
        states = found.combinations(strength)
        counts[str(strength)] = {"possible": len(states), "covered": sum(s is not None for s in states.values())}
    missed = [c for cover in covers if cover.how in STRENGTH for c in missed_by(sweep, cover, found.states)]
    return {
        "sweep": sweep.name,
        "tier": tier,
        "cases": len(found.states),
        "values": {axis: {value: n.total() for value, n in values.items()} for axis, values in found.values.items()},
        "combinations": counts,
        "impossible": {shown(pair): reason for pair, reason in impossible(sweep).items()},
        "missed": [shown(combination) for combination in dict.fromkeys(missed)],
    }


def lines(found: dict[str, Any]) -> Iterator[str]:
    """The coverage as text."""
    yield f"{found['sweep']}: {counted(found['cases'], 'case')} of tier {found['tier']} and smaller"
    width = max(map(len, found["values"]))
    for axis, values in found["values"].items():
        yield f"  {axis:<{width}}  {'  '.join(f'{value} {n}' for value, n in values.items())}"
    for strength, counts in found["combinations"].items():
        what = {"1": "values", "2": "pairs of values", "3": "triples of values"}[strength]
        yield f"  {what}: {counts['covered']} of {counts['possible']} possible ones covered"
    reasons: dict[str, list[str]] = {}
    for pair, reason in found["impossible"].items():
        reasons.setdefault(reason, []).append(pair)
    for reason, pairs in reasons.items():
        yield f"  impossible, {counted(len(pairs), 'pair')}: {reason}"
    for combination in found["missed"][:MOST_SHOWN]:
        yield f"  MISSED: {combination}"
    if len(found["missed"]) > MOST_SHOWN:
        yield f"  MISSED: and {len(found['missed']) - MOST_SHOWN} more (--json lists them)"
