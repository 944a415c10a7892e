"""Symmetric quantization as TensorRT documents it for IQuantizeLayer and IDequantizeLayer, to int8 and to FP8.

quantize(x) = the type's value next to x / scale, ties to even, saturated at the type's ends
dequantize(q) = q * scale

int8 holds the integers of [-128, 127]; FP8 is E4M3FN (Micikevicius et al., FP8 formats for deep learning,
arXiv:2209.05433): 4 bits of exponent, 3 of fraction, no infinities, 448 its largest value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trt_conformance.core.arrays import Float64
from trt_conformance.core.types import Precision

LOW, HIGH = -128.0, 127.0

QUOTIENT_ERROR = 2.0**-22
"""Relative error of x/scale in float32, even as a product with an approximate reciprocal (one unit, then a half)."""


@dataclass(frozen=True)
class Grid:
    """The values of a quantized type: integers where ``bits`` is None, else floats of so many significant bits.

    ``smallest`` is the exponent that frexp gives the smallest normal float; below it the spacing stays the same.
    """

    low: float
    high: float
    bits: int | None = None
    smallest: int = 0

    def spacing(self, ratio: Float64) -> Float64:
        """The distance between neighbours around each value; a single one where it is the same everywhere."""
        if self.bits is None:
            return np.ones(())
        exponent = np.maximum(np.frexp(ratio)[1], self.smallest)
        return np.asarray(np.ldexp(1.0, exponent - self.bits), dtype=np.float64)


INT8 = Grid(LOW, HIGH)
FP8 = Grid(-448.0, 448.0, bits=4, smallest=-5)


def grid_of(precision: Precision) -> Grid:
    """The type that a precision quantizes to."""
    return FP8 if precision == "fp8" else INT8


def scales(values: Sequence[float] | float, rank: int, axis: int = 0) -> Float64:
    """Scales as the float32 constants an engine holds, shaped to broadcast along ``axis`` of ``rank`` dimensions."""
    array = np.atleast_1d(np.asarray(values, dtype=np.float32)).astype(np.float64)
    shape = [1] * rank
    if array.size > 1:
        shape[axis] = array.size
    return array.reshape(shape)


def quantize(x: Float64, scale: Float64, grid: Grid = INT8) -> Float64:
    """Values of the grid, as float64. NaN becomes 0."""
    ratio = np.clip(x / scale, grid.low, grid.high)
    step = grid.spacing(ratio)
    return np.where(np.isnan(ratio), 0.0, np.rint(ratio / step) * step)


def dequantize(q: Float64, scale: Float64) -> Float64:
    """The real values that the quantized ones stand for."""
    return q * scale


def near_tie_step(x: Float64, scale: Float64, grid: Grid = INT8) -> Float64:
    """What x moves by where x/scale lies within float32 rounding of a tie without being one; 0 elsewhere.

    There an implementation that divides in float32 may round to either neighbour and still be right.
    """
    ratio = np.asarray(x / scale)
    # Beyond the ends both neighbours saturate to the same.
    inside = (ratio > grid.low) & (ratio < grid.high)
    step = grid.spacing(np.where(inside, ratio, 0.0))
    with np.errstate(invalid="ignore"):
        steps = ratio / step
        distance = np.abs(steps - np.floor(steps) - 0.5)
    near = inside & (distance > 0) & (distance <= QUOTIENT_ERROR * np.abs(steps))
    return np.asarray(np.where(near, step, 0.0) * scale)
