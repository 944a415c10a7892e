"""Which cases each check runs for, and what it needs from a target."""

from __future__ import annotations

import math
from collections.abc import Callable

from trt_conformance.catalog.golden_kind import elements, golden_kind
from trt_conformance.core.case import Case
from trt_conformance.core.types import Tier
from trt_conformance.numerics.reference.shape import layer_output
from trt_conformance.targets.protocols import Target, offers

MOST_RUN_AGAIN = 2**17
"""Elements of a case's inputs and outputs up to which it is run repeatedly."""


LONG_SUM = 2**12
"""Terms from which a generated case is run repeatedly: kernels split such sums, and add the parts in any order."""


def _is_run_again(case: Case) -> bool:
    """Small cases: exact sums, those in which the order of additions shows, and long sums of sweeps."""
    if case.reject is not None or case.large or case.latency or sum(elements(case)) > MOST_RUN_AGAIN:
        return False
    if case.tier is not None:
        return math.prod(case.kernel.shape[1:]) >= LONG_SUM
    return case.exact or case.rounding or bool(case.distinguishes)


SELECTIONS: dict[str, Callable[[Case], bool]] = {
    "accepted": lambda case: case.reject is None,
    "repeated": lambda case: case.reject is None and not case.large,
    "stored": lambda case: case.reject is None and golden_kind(case) in ("tensors", "hash"),
    "special": lambda case: case.special_values,
    "quick": lambda case: case.reject is None and not case.large,
    "timed": lambda case: case.latency,
    "rejected": lambda case: case.reject is not None,
    "printed": lambda case: case.reject is None and case.expect.printed is not None,
    "ideal": lambda case: case.expect.ideal is not None and case.precision == "fp32",
    "related": lambda case: bool(case.relations),
    "exact": lambda case: case.reject is None and case.exact,
    "run_again": _is_run_again,
    "rounding": lambda case: case.reject is None and case.rounding,
    "reporting": lambda case: case.reject is None and case.expect.engine is not None,
    "deprecated": lambda case: case.deprecated is not None,
    "claimed_printed": lambda case: case.expect.printed is not None and case.precision in ("fp32", "int8", "fp8"),
}
GENERATED = "generated"
MOST_PRODUCTS: dict[Tier, float] = {"smoke": 0, "ci": 3e8, "nightly": math.inf}
"""The suite's timed cases with at most this many products are also run for their values, by tier."""
NEEDS: dict[str, Callable[[Target], bool]] = {
    "nothing": lambda target: True,
    "networks": lambda target: offers(target, "define"),
    "api": lambda target: offers(target, "missing_name"),
    "shapes": lambda target: offers(target, "infer_shapes"),
}


def is_judged(case: Case, tier: Tier) -> bool:
    """Whether a case runs for its values where no full latencies are measured.

    All do, except some of the suite's own timed cases: those above batch 1, and those too large for the tier.
    """
    if not case.latency or not case.folder.is_suite:
        return True
    if (case.batch or math.prod(case.input.shape[: -case.spatial_rank - 1])) != 1:
        return False
    outputs = (math.prod(layer_output(case, shape)) for shape in case.run_shapes)
    return math.prod(case.kernel.shape[1:]) * sum(outputs) <= MOST_PRODUCTS[tier]
