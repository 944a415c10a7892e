"""Mutants of Q and DQ on only one operand, and of Q and DQ with different scales."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from trt_conformance.core.arrays import Array
from trt_conformance.core.case import Case
from trt_conformance.core.quantization_fields import Dequantize, Quantize
from trt_conformance.mutants.int8 import half_away
from trt_conformance.mutants.mutant import Mutant
from trt_conformance.numerics.reference import quantization


def on_one_operand(case: Case) -> bool:
    return case.quantize is not None and case.quantize.only is not None


def of_two_scales(case: Case) -> bool:
    return case.quantize is not None and case.quantize.dequantize != Dequantize()


def by_one_scale(given: Quantize) -> Quantize:
    """DQ undoes Q."""
    return given.model_copy(update={"dequantize": Dequantize()})


def by_the_scale_of_dq(given: Quantize) -> Quantize:
    """Q divides by the scale of DQ."""
    scales = {"input": given.dequantize.input or given.input, "kernel": given.dequantize.kernel or given.kernel}
    return given.model_copy(update=scales | {"dequantize": Dequantize()})


def implicit(case: Case) -> bool:
    return case.is_quantized_implicitly


def by_q_and_dq(given: Quantize) -> Quantize:
    """The kernel's ties are rounded to even, as by Q and DQ of the same scales."""
    return given.model_copy(update={"dynamic_range": None})


def rounded_away(kernel: Array, case: Case) -> Array:
    """A kernel that is quantized already, its ties away from zero."""
    if case.quantize is None:
        return kernel
    scale = quantization.scales(case.quantize.kernel, kernel.ndim)
    return (half_away(kernel.astype(np.float64), scale) * scale).astype(kernel.dtype)


def by_a_range(scale: Callable[[float, float], float]) -> Callable[[Quantize], Quantize]:
    """Derive the input's scale from its range in another way."""

    def changed(given: Quantize) -> Quantize:
        assert given.dynamic_range is not None
        return given.model_copy(update={"input": scale(*given.dynamic_range)})

    return changed


MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "implicit_kernel_ties_to_even",
        "an implicitly quantized kernel rounds ties to even",
        implicit,
        scales=by_q_and_dq,
    ),
    Mutant(
        "implicit_kernel_ties_away",
        "an implicitly quantized kernel rounds ties away from zero",
        implicit,
        kernel=rounded_away,
    ),
    Mutant(
        "implicit_range_by_its_width",
        "the scale is derived from the width of the dynamic range",
        implicit,
        scales=by_a_range(lambda low, high: (high - low) / 255),
    ),
    Mutant(
        "implicit_range_by_its_upper_end",
        "the scale is derived from the upper end of the dynamic range only",
        implicit,
        scales=by_a_range(lambda low, high: high / 127),
    ),
    Mutant(
        "implicit_range_by_its_lower_end",
        "the scale is derived from the lower end of the dynamic range only",
        implicit,
        scales=by_a_range(lambda low, high: -low / 127),
    ),
    Mutant(
        "both_operands_quantized",
        "Q and DQ on one operand are also put on the other",
        on_one_operand,
        scales=lambda given: given.model_copy(update={"only": None}),
    ),
    Mutant(
        "no_operand_quantized",
        "Q and DQ on one operand are left out",
        on_one_operand,
        scales=lambda given: None,
    ),
    Mutant("dequantized_by_the_scale_of_q", "DQ multiplies by the scale of Q", of_two_scales, scales=by_one_scale),
    Mutant("quantized_by_the_scale_of_dq", "Q divides by the scale of DQ", of_two_scales, scales=by_the_scale_of_dq),
)
