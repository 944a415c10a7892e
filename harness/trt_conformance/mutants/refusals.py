"""Mutants that refuse what is right, or accept what must be refused."""

from __future__ import annotations

from collections.abc import Callable

from trt_conformance.core.case import Case
from trt_conformance.mutants import conditions
from trt_conformance.mutants.mutant import Mutant, refuse
from trt_conformance.targets.errors import Refused


def accepting(text: str) -> Callable[[Case], None]:
    """Refuses nothing whose error would hold this text."""

    def check(case: Case) -> None:
        try:
            refuse(case)
        except Refused as refusal:
            if text not in refusal.message:
                raise

    return check


def late(case: Case) -> None:
    """Refuses in the build what the network should refuse."""
    try:
        refuse(case)
    except Refused as refusal:
        raise Refused("build", refusal.message) from None


def mute(case: Case) -> None:
    """Refuses without saying why."""
    try:
        refuse(case)
    except Refused:
        raise Refused("network", "invalid argument") from None


def nothing(case: Case) -> None:
    """Accepts nothing."""
    raise Refused("build", "no implementation")


MUTANTS: tuple[Mutant, ...] = (
    Mutant("accepts_everything", "nothing is refused", conditions.rejected, refuse=accepting("")),
    Mutant(
        "accepts_indivisible_groups",
        "groups need not divide the channels",
        conditions.rejected,
        refuse=accepting("groups must divide"),
    ),
    Mutant(
        "accepts_dynamic_channels",
        "the channels may be dynamic",
        conditions.rejected,
        refuse=accepting("build-time constant"),
    ),
    Mutant(
        "accepts_missing_dimension",
        "a 3D kernel takes a 4D input",
        conditions.rejected,
        refuse=accepting("dimensions are required"),
    ),
    Mutant(
        "accepts_large_window",
        "a window may be larger than its input",
        conditions.rejected,
        refuse=accepting("smaller than filter size"),
    ),
    Mutant("refuses_late", "what the network should refuse is refused in the build", conditions.rejected, refuse=late),
    Mutant("refuses_without_reason", "a refusal does not say why", conditions.rejected, refuse=mute),
    Mutant("refuses_groups", "more than one group is refused", conditions.grouped, refuse=nothing),
    Mutant("refuses_batches", "more than one image is refused", conditions.batched, refuse=nothing),
)
