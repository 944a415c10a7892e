"""Mutants that refuse what is right, or accept what must be refused."""

from __future__ import annotations

from collections.abc import Callable

from harness.model import Case
from harness.mutants.mutant import Mutant, refuse
from harness.targets.base import Refused


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


def no_groups(case: Case) -> None:
    refuse(case)
    if case.attributes.groups > 1:
        raise Refused("build", "no implementation for groups")


def no_batches(case: Case) -> None:
    refuse(case)
    if case.input.shape[0] > 1:
        raise Refused("build", "no implementation for batches")


MUTANTS: tuple[Mutant, ...] = (
    Mutant("accepts_everything", "nothing is refused", refuse=accepting("")),
    Mutant("accepts_indivisible_groups", "groups need not divide the channels", refuse=accepting("groups must divide")),
    Mutant("accepts_dynamic_channels", "the channels may be dynamic", refuse=accepting("build-time constant")),
    Mutant("accepts_missing_dimension", "a 3D kernel takes a 4D input", refuse=accepting("dimensions are required")),
    Mutant("accepts_large_window", "a window may be larger than its input", refuse=accepting("smaller than filter size")),
    Mutant("refuses_late", "what the network should refuse is refused in the build", refuse=late),
    Mutant("refuses_without_reason", "a refusal does not say why", refuse=mute),
    Mutant("refuses_groups", "more than one group is refused", refuse=no_groups),
    Mutant("refuses_batches", "more than one image is refused", refuse=no_batches),
)
