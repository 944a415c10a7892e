"""The application's part of Q/DQ and casts: quantizes quantized inputs, and dequantizes quantized outputs.

The harness feeds and compares tensors in a case's `data_type`; the position of Q and DQ changes none of their values.
"""

from __future__ import annotations

import numpy as np

from trt_conformance.core.arrays import Array
from trt_conformance.core.case import Case
from trt_conformance.core.tensors import NUMPY_TYPE
from trt_conformance.numerics.reference.quantization import dequantize, grid_of, quantize, scales


def quantized(case: Case, x: Array) -> Array:
    """An input as the network reads it."""
    if case.input_type == case.data_type:
        return x
    if case.input_type == "uint8":
        return x.astype(np.uint8)
    assert case.quantize is not None
    scale = scales(case.quantize.input, x.ndim)
    return quantize(x.astype(np.float64), scale, grid_of(case.precision)).astype(NUMPY_TYPE[case.input_type])


def dequantized(case: Case, y: Array) -> Array:
    """What the network wrote, in the case's `data_type`."""
    if case.output_type == case.data_type:
        return y
    assert case.quantize is not None and case.quantize.output is not None
    scale = scales(case.quantize.output, y.ndim)
    return dequantize(y.astype(np.float64), scale).astype(NUMPY_TYPE[case.data_type])
