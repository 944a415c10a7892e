"""Mutants that refuse valid cases, or accept cases that must be refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

from trt_conformance.core.case import Case
from trt_conformance.core.types import Constraint
from trt_conformance.mutants import conditions
from trt_conformance.mutants.mutant import Mutant, refuse
from trt_conformance.targets.errors import Refused


def accepting(*constraints: Constraint) -> Callable[[Case], None]:
    """Accept cases that violate one of these constraints."""

    def check(case: Case) -> None:
        try:
            refuse(case)
        except Refused as refusal:
            if refusal.constraint not in constraints:
                raise

    return check


def late(case: Case) -> None:
    """Refuse in phase build what must be refused in phase network."""
    try:
        refuse(case)
    except Refused as refusal:
        raise Refused("build", refusal.message) from None


def mute(case: Case) -> None:
    """Refuse without a reason."""
    try:
        refuse(case)
    except Refused:
        raise Refused("network", "invalid argument") from None


def nothing(case: Case) -> None:
    """Refuse every case."""
    raise Refused("build", "no implementation")


MUTANTS: tuple[Mutant, ...] = (
    Mutant("accepts_everything", "nothing is refused", conditions.rejected, refuse=accepting(*get_args(Constraint))),
    Mutant(
        "accepts_indivisible_groups",
        "groups need not divide the channels",
        conditions.rejected,
        refuse=accepting("groups_divide_channels", "groups_divide_maps"),
    ),
    Mutant(
        "accepts_dynamic_channels",
        "the channels may be dynamic",
        conditions.rejected,
        refuse=accepting("channels_are_static"),
    ),
    Mutant(
        "accepts_missing_dimension",
        "a 3D kernel accepts a 4D input",
        conditions.rejected,
        refuse=accepting("input_has_batch_and_channels"),
    ),
    Mutant(
        "accepts_large_window",
        "a window may be larger than the padded input",
        conditions.rejected,
        refuse=accepting("window_fits"),
    ),
    Mutant("refuses_late", "cases are refused in phase build instead of network", conditions.rejected, refuse=late),
    Mutant("refuses_without_reason", "a refusal does not give a reason", conditions.rejected, refuse=mute),
    Mutant("refuses_groups", "more than one group is refused", conditions.grouped, refuse=nothing),
    Mutant("refuses_batches", "more than one image is refused", conditions.batched, refuse=nothing),
)
