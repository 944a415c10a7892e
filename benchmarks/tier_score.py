"""How many conditional mutants of the NumPy target do the suite's own cases find, tier by tier?

    python benchmarks/tier_score.py --mutants branching

Runs each mutant on the cases of each tier that the smaller tiers do not have, up to the first that finds it, by the
checks that pytest runs on these cases. ``stated`` are the cases that case files state, without the sweeps. Prints what
finds each mutant, how many cases met the condition of those that survive, and the share of each tier.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support.branching import BRANCHING
from tests.support.conditional import CONDITIONAL
from trt_conformance.catalog.catalog import Catalog, load_catalog
from trt_conformance.catalog.sweeps.model import TIERS
from trt_conformance.core.case import Case
from trt_conformance.core.types import Tier
from trt_conformance.mutants.mutant import Mutant
from trt_conformance.mutants.scoring import score
from trt_conformance.numerics.reference.shape import layer_output

MUTANTS = {"branching": BRANCHING, "conditional": CONDITIONAL}
STATED = "stated"
MOST_PRODUCTS = 3_000_000_000
"""Cases of more products take the NumPy target minutes: none of these is run."""


def cases_of(catalog: Catalog, tier: Tier | None) -> list[Case]:
    """The cases that a tier adds to the smaller ones; None for those of case files."""
    return [case for case in catalog.cases if case.tier == tier and _is_run(case)]


def _is_run(case: Case) -> bool:
    if case.reject is not None or case.large or case.latency:
        return False
    outputs = (math.prod(layer_output(case, shape)) for shape in case.run_shapes)
    return sum(outputs) * math.prod(case.kernel.shape[1:]) <= MOST_PRODUCTS


def survivors(catalog: Catalog, mutants: Sequence[Mutant], cases: Sequence[Case], tier: str) -> list[Mutant]:
    """The mutants that no case finds. Prints the first case that finds each other one."""
    left = []
    for outcome in score(mutants, catalog, cases):
        if outcome.faults:
            print(f"{tier:<8} {outcome.mutant.name:<24} {outcome.killers[0]}", flush=True)
        else:
            left.append(outcome.mutant)
    return left


def main() -> None:
    """Print the score."""
    parser = argparse.ArgumentParser(description="How many conditional mutants do the tiers find?")
    parser.add_argument("--mutants", choices=sorted(MUTANTS), default="branching")
    parser.add_argument("--tier", choices=TIERS, default=TIERS[-1], help="the largest tier")
    given = parser.parse_args()
    mutants = MUTANTS[given.mutants]
    tiers: list[Tier | None] = [None, *TIERS[: TIERS.index(given.tier) + 1]]
    catalog = load_catalog(tier=given.tier)
    left, seen, lines = list(mutants), [], []
    for tier in tiers:
        cases = cases_of(catalog, tier)
        seen += cases
        left = survivors(catalog, left, cases, tier or STATED)
        found = len(mutants) - len(left)
        share = 100 * found / len(mutants)
        lines.append(f"{tier or STATED:<8} {len(seen):6} cases find {found} of {len(mutants)} ({share:.0f} %)")
    for mutant in left:
        print(f"not found: {mutant.name}: {mutant.doc} (met by {sum(map(mutant.applies, seen))} cases)")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
