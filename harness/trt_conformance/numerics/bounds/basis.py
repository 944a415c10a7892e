"""Chooses the bound that applies, by the GPU kernel and the precision that ran."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from trt_conformance.core.arrays import Float64
from trt_conformance.core.case import Case
from trt_conformance.numerics.bounds.elementwise import HALVES, bound, narrowest
from trt_conformance.numerics.bounds.operands import Operands
from trt_conformance.numerics.bounds.transforms import nearly_exact_bound, normwise_bound
from trt_conformance.numerics.reference.result import Result

Basis = Literal["winograd", "fft", "fp32", "fp16", "fp22", "int32", "fp32_rounded"]
"""The basis of a bound: a transform, or the type in which an elementwise sum is accumulated."""

# TensorRT 8.6 and cuDNN 9 share these float16 kernels. In the first layer of ResNet-50 at batch 8, their outputs equal
# the sum rounded, plus the bias, rounded again.
_ROUNDS_SUMS = "image_first_layer"

# The types in xmma names end with the type of the computation. The h kernels of cuDNN accumulate in half precision.
_HALF_ACCUMULATORS = re.compile(r"f16f16_f16f16|f16f16_f16_f16|h884|h1688|h16816|hcudnn")


def basis(case: Case, kernel: str = "", ran: str = "", rounds_sums: bool = False) -> Basis:
    """Return the basis of the bound for the GPU kernel that ran.

    Args:
        case: determines the precision that was requested.
        kernel: the name of the GPU kernel, where it is known.
        ran: the precision in which it ran, as the engine states it.
        rounds_sums: whether it rounds a sum before it adds the bias.
    """
    name = kernel.lower()
    if "winograd" in name or "wngd" in name:
        return "winograd"
    if "fft" in name:
        return "fft"
    if case.precision == "int8":
        return "int32" if ran == "int8" else "fp32"
    if case.precision == "fp8":
        return "fp22" if ran == "fp8" else "fp32"
    if narrowest(case) == "fp16" and _HALF_ACCUMULATORS.search(name):
        return "fp16"
    rounds_sums = rounds_sums or _ROUNDS_SUMS in name
    return "fp32_rounded" if rounds_sums and narrowest(case) in HALVES else "fp32"


def is_transform(rests_on: Basis) -> bool:
    """Whether the GPU kernel transforms its operands, so that each output depends on a whole tile of its input."""
    return rests_on in ("winograd", "fft")


def bound_on(
    case: Case,
    result: Result,
    rests_on: Basis,
    runs: Sequence[Operands] | None = None,
    images: slice = slice(None),
) -> Float64:
    """Return the bound of a transform, or the elementwise one; float64 of the result's shape.

    For a piece of an output, ``runs`` are the operands of the runs that may have given the output, and ``images``
    those that the piece has.
    """
    match rests_on:
        case "winograd" | "fft":
            if case.exact:
                return nearly_exact_bound(case, result, rests_on, runs, images)
            return normwise_bound(case, result, rests_on, None, runs, images)
        case _:
            return bound(case, result, rests_on, runs)
