"""Symmetric int8 quantisation as TensorRT documents it for IQuantizeLayer and IDequantizeLayer.

quantize(x) = clamp(round_half_to_even(x / scale), -128, 127)
dequantize(q) = q * scale
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]

LOW, HIGH = -128.0, 127.0

QUOTIENT_ERROR = 2.0**-22
"""Relative error of x/scale in float32, even as a product with an approximate reciprocal (one unit, then a half)."""


def scales(values: Sequence[float] | float, rank: int, axis: int = 0) -> Float64:
    """Scales as the float32 constants an engine holds, shaped to broadcast along ``axis`` of ``rank`` dimensions."""
    array = np.atleast_1d(np.asarray(values, dtype=np.float32)).astype(np.float64)
    shape = [1] * rank
    if array.size > 1:
        shape[axis] = array.size
    return array.reshape(shape)


def quantize(x: Float64, scale: Float64) -> Float64:
    """Integers of [-128, 127], as float64. NaN becomes 0."""
    return np.clip(np.rint(np.nan_to_num(x / scale, nan=0.0)), LOW, HIGH)


def dequantize(q: Float64, scale: Float64) -> Float64:
    """The real values that the integers stand for."""
    return q * scale


def is_near_tie(x: Float64, scale: Float64) -> NDArray[np.bool_]:
    """Where x/scale lies within float32 rounding of a tie without being one.

    There an implementation that divides in float32 may round to either neighbour and still be right.
    """
    ratio = x / scale
    with np.errstate(invalid="ignore"):
        distance = np.abs(ratio - np.floor(ratio) - 0.5)
    # Beyond the ends of int8 both neighbours saturate to the same.
    inside = (ratio > LOW) & (ratio < HIGH)
    near: NDArray[np.bool_] = inside & (distance > 0) & (distance <= QUOTIENT_ERROR * np.abs(ratio))
    return near
