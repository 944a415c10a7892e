"""What implementations other than TensorRT share: they have the layer, not TensorRT's API or its rules."""

from __future__ import annotations

from fnmatch import fnmatchcase

from trt_conformance.core.builder_fields import Builder
from trt_conformance.core.case import Case, Formats
from trt_conformance.core.errors import InvalidConvolution
from trt_conformance.core.network_fields import Network
from trt_conformance.numerics.reference.shape import check
from trt_conformance.targets.errors import Refused


def lacks(case: Case, name: str = "", refuses: bool = False) -> str | None:
    """Why a case says nothing about an implementation other than TensorRT; None if it does.

    A case may state the refusal of a target by its ``name``. ``refuses`` says that the implementation refuses what
    the reference refuses, in its words.
    """
    if case.deprecated is not None:
        return f"`{case.deprecated.name}` is a name of TensorRT's API"
    if case.formats != Formats():
        return "only TensorRT has memory layouts of tensors"
    if case.declared_first is not None:
        return "only TensorRT can declare an input twice"
    if case.builder != Builder() or case.expect.builder is not None:
        return "only TensorRT has these options of the builder"
    if case.refit is not None:
        return "only TensorRT refits engines"
    if case.network != Network():
        return "only TensorRT defines a network in this way"
    if case.quantize is not None and case.quantize.wrong is not None:
        return "the rules of Q and DQ under test apply to TensorRT only"
    if case.typing is not None:
        return "only TensorRT has typed networks"
    if case.reject is not None:
        named = any(fnmatchcase(name, pattern) for pattern in case.reject.on)
        if not named and not (refuses and case.reject.phase in ("network", "build")):
            return "the rule under test applies to TensorRT only"
    return None


def refuse_invalid(case: Case) -> None:
    """Raise Refused, in phase network, where the case is not a convolution by the reference's rules."""
    try:
        check(case)
    except InvalidConvolution as fault:
        raise Refused("network", str(fault), fault.constraint) from None
