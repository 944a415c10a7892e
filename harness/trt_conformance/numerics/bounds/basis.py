"""Which bound applies, by the kernel and the precision that ran."""

from __future__ import annotations

import re
from typing import Literal

from trt_conformance.core.arrays import Float64
from trt_conformance.core.case import Case
from trt_conformance.numerics.bounds.elementwise import HALVES, bound
from trt_conformance.numerics.bounds.transforms import normwise_bound
from trt_conformance.numerics.reference.result import Result

Basis = Literal["winograd", "fft", "fp32", "fp16", "fp22", "int32", "fp32_rounded"]
"""What a bound rests on: a transform, or the type in which an elementwise sum is accumulated."""

# TensorRT 8.6 and cuDNN 9 share these kernels of float16: in the first layer of ResNet-50 at batch 8 their outputs are
# what rounding the sum, adding the bias and rounding once more gives.
_ROUNDS_SUMS = "image_first_layer"

# xmma names end their types with the one that is computed in; cuDNN's h kernels accumulate in half precision.
_HALF_ACCUMULATORS = re.compile(r"f16f16_f16f16|f16f16_f16_f16|h884|h1688|h16816|hcudnn")


def basis(case: Case, kernel: str = "", ran: str = "", rounds_sums: bool = False) -> Basis:
    """What the kernel that ran computes in, by its name and by what the engine states for it.

    ``ran`` is its precision; ``rounds_sums`` whether it rounds a sum before it adds the bias.
    """
    name = kernel.lower()
    if case.precision == "int8":
        return "int32" if ran == "int8" else "fp32"
    if case.precision == "fp8":
        return "fp22" if ran == "fp8" else "fp32"
    if "winograd" in name or "wngd" in name:
        return "winograd"
    if "fft" in name:
        return "fft"
    if case.precision == "fp16" and _HALF_ACCUMULATORS.search(name):
        return "fp16"
    rounds_sums = rounds_sums or _ROUNDS_SUMS in name
    return "fp32_rounded" if rounds_sums and case.precision in HALVES else "fp32"


def bound_on(case: Case, result: Result, rests_on: Basis) -> Float64:
    """The bound of a transform, or the elementwise one."""
    match rests_on:
        case "winograd" | "fft":
            return normwise_bound(case, result, rests_on)
        case _:
            return bound(case, result, rests_on)
