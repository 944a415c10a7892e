"""What implementations other than TensorRT share: they have the layer, not TensorRT's API or its rules."""

from __future__ import annotations

from harness.errors import InvalidConvolution
from harness.model import Case
from harness.reference.shape import output_shape
from harness.targets.base import Refused


def lacks(case: Case, refuses: bool = False) -> str | None:
    """Why a case says nothing about an implementation other than TensorRT; None where it does.

    ``refuses`` says that the implementation refuses what the reference refuses, in its words.
    """
    if case.deprecated is not None:
        return f"`{case.deprecated.name}` is a name of TensorRT's API"
    if case.reject is not None and not (refuses and case.reject.phase is not None):
        return "the rule under test is TensorRT's own"
    return None


def refuse_invalid(case: Case) -> None:
    """Raises Refused in phase network where the reference finds the configuration to be none."""
    if case.network_shape[-case.spatial_rank - 1] == -1:
        raise Refused("network", "the channel dimension must be a build-time constant, not -1")
    try:
        for shape in case.run_shapes:
            output_shape(shape, case.kernel.shape, case.attributes)
    except InvalidConvolution as fault:
        raise Refused("network", str(fault)) from None
