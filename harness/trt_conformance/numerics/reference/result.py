"""The reference result of a case: the values, and the quantities that an error bound needs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trt_conformance.core.arrays import Float64
from trt_conformance.core.case import Case
from trt_conformance.core.prologue import layer_input
from trt_conformance.core.tensors import CaseData, case_data, content_of
from trt_conformance.numerics.reference.blocked import convolve_along
from trt_conformance.numerics.reference.convolution import convolution
from trt_conformance.numerics.reference.quantization import (
    dequantize,
    grid_of,
    operand_slack,
    quantize,
    scales,
    through,
)
from trt_conformance.numerics.reference.shape import Axis, resolve


@dataclass(frozen=True)
class Result:
    """The layer's output ``(N, K, *spatial)`` in float64, before the case's epilogue; the terms of its bound.

    ``real`` is the sum before any quantization of the output (``output`` itself where there is none),
    ``magnitude`` is sum |x||w| + |b|, ``terms`` is the number of products and additions of an element, and ``slack``
    is how far an operand that is quantized near a tie may shift the sum.
    """

    output: Float64
    real: Float64
    magnitude: Float64
    slack: Float64
    terms: int


def reference(case: Case, run_shape: Sequence[int] | None = None) -> Result:
    """Compute in float64 what a correct implementation gives for a case, in ``run_shape`` or its first run shape.

    Raises:
        InvalidConvolution: the case's shapes and attributes do not form a convolution.
    """
    data = case_data(case, run_shape)
    return reference_along(case, data, resolve(data.input.shape, case.kernel.shape, case.attributes))


def reference_along(case: Case, data: CaseData, axes: tuple[Axis, ...]) -> Result:
    """Compute the reference of a case on given tensors, along resolved axes."""
    x, w = data.input.astype(np.float64), data.kernel.astype(np.float64)
    b = None if data.bias is None else data.bias.astype(np.float64)

    def convolve(x: Float64, w: Float64, b: Float64 | None) -> Float64:
        return convolve_along(x, w, b, axes, case.attributes.groups)

    terms = math.prod(case.kernel.shape[1:]) + (0 if b is None else 1)
    slack, grid = None, grid_of(case.precision)
    if case.quantize is not None:
        x_step = operand_slack(x, case.quantize, "input", grid)
        w_step = operand_slack(w, case.quantize, "kernel", grid)
        x, w = through(x, case.quantize, "input", grid), through(w, case.quantize, "kernel", grid)
        if x_step.any() or w_step.any():
            slack = convolve(x_step, np.abs(w) + w_step, None)
            slack += convolve(np.abs(x), w_step, None)
    real = convolve(x, w, b)
    magnitude = convolve(np.abs(x), np.abs(w), None if b is None else np.abs(b))
    output = real
    if case.quantize is not None and case.quantize.output is not None:
        scale = scales(case.quantize.output, real.ndim)
        output = dequantize(quantize(real, scale, grid), scale)
    return Result(output, real, magnitude, np.zeros_like(real) if slack is None else slack, terms)


def exact(case: Case) -> NDArray[Any]:
    """Compute the output in rational arithmetic, from the decimal values of the fills before any rounding.

    Returns:
        ``Fraction`` objects, ``(*batch, K, *spatial)``.
    """

    def rational(values: Float64) -> NDArray[Any]:
        return np.asarray([Fraction(repr(float(v))) for v in values.flat], dtype=object).reshape(values.shape)

    bias = None
    if case.bias != "none":
        bias = rational(content_of(case.bias, case.kernel.shape[:1]))
    x = rational(content_of(case.input, case.input.shape))
    addend = None if case.addend is None else rational(content_of(case.addend, case.addend.shape))
    return convolution(
        layer_input(case.prologue, case.spatial_rank, x, addend),
        rational(content_of(case.kernel, case.kernel.shape)),
        bias,
        case.attributes,
    )
