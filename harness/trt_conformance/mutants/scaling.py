"""Mutants of Q and DQ that are not alike: on one operand alone, and of two scales."""

from __future__ import annotations

from trt_conformance.core.case import Case
from trt_conformance.core.quantization_fields import Dequantize, Quantize
from trt_conformance.mutants.mutant import Mutant


def on_one_operand(case: Case) -> bool:
    return case.quantize is not None and case.quantize.only is not None


def of_two_scales(case: Case) -> bool:
    return case.quantize is not None and case.quantize.dequantize != Dequantize()


def by_one_scale(given: Quantize) -> Quantize:
    """DQ undoes Q."""
    return given.model_copy(update={"dequantize": Dequantize()})


def by_the_scale_of_dq(given: Quantize) -> Quantize:
    """Q divides by what DQ multiplies by."""
    scales = {"input": given.dequantize.input or given.input, "kernel": given.dequantize.kernel or given.kernel}
    return given.model_copy(update=scales | {"dequantize": Dequantize()})


MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "both_operands_quantized",
        "Q and DQ on one operand are put on the other, too",
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
