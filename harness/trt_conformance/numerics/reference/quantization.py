"""Symmetric quantization as TensorRT documents it for IQuantizeLayer and IDequantizeLayer, to int8 and to FP8.

quantize(x) = the value of the type nearest to x / scale, ties to even, saturated at the ends of the type
dequantize(q) = q * scale

Kernels that TensorRT 8 quantizes implicitly round ties toward plus infinity (developer guide 8.6, 7.1.2 and 7.5).
int8 has the integers of [-128, 127]. FP8 is E4M3FN (Micikevicius et al., FP8 formats for deep learning,
arXiv:2209.05433): 4 bits of exponent, 3 of fraction, no infinities, and 448 as its largest value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trt_conformance.core.arrays import Float64
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.quantization_fields import Operand, Quantize
from trt_conformance.core.types import Precision

LOW, HIGH = -128.0, 127.0

QUOTIENT_ERROR = 2.0**-22
"""Relative error of x/scale in float32, also as a product with an approximate reciprocal (one unit, then a half)."""

WRITING_ERROR = (1 + 2.0**-24) ** 3 - 1
"""Relative error of a dequantized value: the reciprocal of its scale, the reciprocal of that, and the product."""


@dataclass(frozen=True)
class Grid:
    """The values of a quantized type: integers where ``bits`` is None, else floats of ``bits`` significant bits.

    ``smallest`` is the exponent that frexp gives the smallest normal float; below it the spacing is constant.
    """

    low: float
    high: float
    bits: int | None = None
    smallest: int = 0

    def spacing(self, ratio: Float64) -> Float64:
        """Return the distance between neighbors around each value; a scalar where it is the same everywhere."""
        if self.bits is None:
            return np.ones(())
        exponent = np.maximum(np.frexp(ratio)[1], self.smallest)
        return np.asarray(np.ldexp(1.0, exponent - self.bits), dtype=np.float64)


INT8 = Grid(LOW, HIGH)
FP8 = Grid(-448.0, 448.0, bits=4, smallest=-5)


def grid_of(precision: Precision) -> Grid:
    """Return the values of the type to which a precision quantizes."""
    return FP8 if precision == "fp8" else INT8


def scales(values: Sequence[float] | float, rank: int, axis: int = 0) -> Float64:
    """Return scales as the float32 constants of an engine, shaped to broadcast along ``axis`` of ``rank`` dimensions.

    Raises:
        ConformanceError: a scale is 0 or infinite in float32.
    """
    with np.errstate(over="ignore"):
        array = np.atleast_1d(np.asarray(values, dtype=np.float32)).astype(np.float64)
    if not (np.isfinite(array) & (array != 0)).all():
        raise ConformanceError(f"the quantization scale {values} is 0 or infinite in float32")
    shape = [1] * rank
    if array.size > 1:
        shape[axis] = array.size
    return array.reshape(shape)


def quantize(x: Float64, scale: Float64, grid: Grid = INT8, ties_up: bool = False) -> Float64:
    """Return the nearest values of the grid, as float64; ties to even, or toward plus infinity. NaN becomes 0."""
    ratio = np.clip(x / scale, grid.low, grid.high)
    step = grid.spacing(ratio)
    steps = np.floor(ratio / step + 0.5) if ties_up else np.rint(ratio / step)
    return np.where(np.isnan(ratio), 0.0, steps * step)


def dequantize(q: Float64, scale: Float64) -> Float64:
    """Return the real values that quantized values represent."""
    return q * scale


def through(values: Float64, given: Quantize, operand: Operand, grid: Grid) -> Float64:
    """Return an operand of the layer after its Q and DQ; unchanged if it passes through none."""
    if not given.passes(operand):
        return values
    q, dq = (scales(scale, values.ndim) for scale in given.scales_of(operand))
    return dequantize(quantize(values, q, grid, given.rounds_up(operand)), dq)


def operand_slack(values: Float64, given: Quantize, operand: Operand, grid: Grid) -> Float64:
    """Return how far each element of an operand may be off because it is quantized near a tie."""
    if not given.passes(operand):
        return np.zeros_like(values)
    q, dq = (scales(scale, values.ndim) for scale in given.scales_of(operand))
    return near_tie_step(values, q, grid) * (dq / q)


def rescaled(y: Float64, limits: Float64, scale: Float64, grid: Grid = INT8) -> Float64:
    """Return the error of DQ(Q(y)) where ``y`` has the error ``limits``: 0 or whole steps, and that of dequantizing."""
    output, dyadic = dequantize(quantize(y, scale, grid), scale), np.frexp(scale)[0] == 0.5
    # Divided by a power of two, an exact sum hits its ties exactly; any other quotient may fall on either side of one.
    limits = np.where(dyadic & (limits == 0), 0.0, limits + QUOTIENT_ERROR * (np.abs(y) + limits))
    below, above = (dequantize(quantize(y + d, scale, grid), scale) for d in (-limits, limits))
    written = np.where(dyadic, 0.0, WRITING_ERROR * np.maximum(np.abs(below), np.abs(above)))
    return np.asarray(np.maximum(output - below, above - output) + written)


def near_tie_step(x: Float64, scale: Float64, grid: Grid = INT8) -> Float64:
    """Return the step of the grid where x/scale is within float32 rounding of a tie; 0 elsewhere.

    There an implementation that divides in float32 may round to either neighbor and still be correct. A tie itself
    rounds to even, unless its product with the rounded reciprocal of the scale, which TensorRT 8.6 takes, is none.
    """
    ratio = np.asarray(x / scale)
    # Beyond the ends, both neighbors saturate to the same value.
    inside = (ratio > grid.low) & (ratio < grid.high)
    step = grid.spacing(np.where(inside, ratio, 0.0))
    with np.errstate(invalid="ignore"):
        steps = ratio / step
        distance = np.abs(steps - np.floor(steps) - 0.5)
        product = np.asarray(x, dtype=np.float32) * (np.float32(1) / np.asarray(scale, dtype=np.float32))
    near = inside & ((distance > 0) | (product != ratio)) & (distance <= QUOTIENT_ERROR * np.abs(steps))
    return np.asarray(np.where(near, step, 0.0) * scale)
