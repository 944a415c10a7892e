"""Conditions on a case under which a mutant differs from the correct convolution."""

from __future__ import annotations

from collections.abc import Callable

from trt_conformance.core.case import Case

Condition = Callable[[Case], bool]


def always(case: Case) -> bool:
    return True


def strided(case: Case) -> bool:
    return max(case.attributes.stride) > 1


def dilated(case: Case) -> bool:
    return max(case.attributes.dilation) > 1


def padded(case: Case) -> bool:
    return pre_padded(case) or post_padded(case)


def pre_padded(case: Case) -> bool:
    return not same_mode(case) and max(case.attributes.pre) > 0


def post_padded(case: Case) -> bool:
    return case.attributes.mode.startswith("EXPLICIT") and max(case.attributes.post) > 0


def grouped(case: Case) -> bool:
    return case.attributes.groups > 1


def depthwise(case: Case) -> bool:
    return grouped(case) and case.kernel.shape[1] == 1


def same_mode(case: Case) -> bool:
    return case.attributes.mode.startswith("SAME")


def biased(case: Case) -> bool:
    return case.bias != "none"


def batched(case: Case) -> bool:
    return max(shape[0] for shape in case.run_shapes) > 1


def three_d(case: Case) -> bool:
    return case.spatial_rank == 3


def quantized(case: Case) -> bool:
    return case.quantize is not None and case.quantize.is_plain


def quantized_to(case: Case) -> bool:
    """Whether the output is quantized as well."""
    return quantized(case) and case.quantize is not None and case.quantize.output is not None


def scaled_by_map(case: Case) -> bool:
    return quantized(case) and case.quantize is not None and len(case.quantize.kernel) > 1


def between(dtype: str) -> Condition:
    """Whether Q and DQ are between tensors of this type."""
    return lambda case: case.quantize is not None and case.quantize.between == dtype


def followed_by(op: str) -> Condition:
    """Whether an operation of this kind comes after the layer."""
    return lambda case: any(step.op == op for step in case.epilogue)


def dynamic(case: Case) -> bool:
    return case.dynamic is not None


def rejected(case: Case) -> bool:
    return case.reject is not None


def by_setters(case: Case) -> bool:
    return case.weights == "setters"


def by_set_input(case: Case) -> bool:
    return case.weights == "set_input"


def in_precision(precision: str) -> Condition:
    return lambda case: case.precision == precision


def both(one: Condition, other: Condition) -> Condition:
    return lambda case: one(case) and other(case)
