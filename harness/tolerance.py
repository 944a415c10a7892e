"""Elementwise error bounds, derived from the arithmetic that a precision declares.

A sum of n products, computed in any order, fused or not, obeys

    |computed - exact| <= ((1 + u)^n - 1) * sum |x||w|

where u bounds the error of one step (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed.,
Lemma 3.1 and section 3.1). Rounding to nearest gives u = 2^-24 in float32. A tensor core aligns the
exact products and its accumulator to the largest of them and truncates each to 24 bits or more: an error
below one unit for each product, u = 2^-23. It reads TF32 by dropping bits, u = 2^-10, and rounds a float16
accumulator at least as well as by truncation, u = 2^-10 (Fasi, Higham, Mikaitis and Pranesh, Numerical
behavior of NVIDIA tensor cores, PeerJ CS 7:e330, 2021; Blanchard, Higham, Lopez, Mary and Pranesh, Mixed
precision block fused multiply-add, SIAM J. Sci. Comput. 42(3), 2020).

Where every partial sum is representable, no step rounds: nothing but the output's rounding is allowed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.data import NUMPY_TYPE, Array, CaseData, case_data
from harness.model import Case, Precision
from harness.reference.quantization import QUOTIENT, dequantize, quantize, scales
from harness.reference.result import Result
from harness.reference.shape import output_shape

Float64 = NDArray[np.float64]
Accumulation = Literal["fp32", "fp16", "int32"]

REFERENCE_ROUNDOFF = 2.0**-53
FLOAT32_ROUNDOFF = 2.0**-24
FLOAT32_MIN_NORMAL = 2.0**-126

INT8_STEPS = 6
"""Roundings of an int8 epilogue: the product of the scales, over the output's (2), the sum, their product, the bias."""


@dataclass(frozen=True)
class Arithmetic:
    """What one operation may err: ``u`` relative to its operands, ``tiny`` where that is below the normal range.

    Sums of up to ``bits`` bits are exact. Flushing subnormals to zero is right everywhere but in float16.
    """

    read: float
    step: float
    tiny: float
    bits: int
    write: float = 0.0
    write_tiny: float = 0.0


TENSOR_CORE = Arithmetic(read=0.0, step=2.0**-23, tiny=FLOAT32_MIN_NORMAL, bits=24)

ARITHMETIC: dict[tuple[Precision, Accumulation], Arithmetic] = {
    ("fp32", "fp32"): Arithmetic(0.0, FLOAT32_ROUNDOFF, FLOAT32_MIN_NORMAL, 24),
    ("tf32", "fp32"): Arithmetic(2.0**-10, 2.0**-23, FLOAT32_MIN_NORMAL, 24),
    ("fp16", "fp32"): Arithmetic(0.0, 2.0**-23, FLOAT32_MIN_NORMAL, 24, write=2.0**-11, write_tiny=2.0**-25),
    ("fp16", "fp16"): Arithmetic(0.0, 2.0**-10, 2.0**-24, 11, write=2.0**-11, write_tiny=2.0**-25),
    ("bf16", "fp32"): Arithmetic(0.0, 2.0**-23, FLOAT32_MIN_NORMAL, 24, write=2.0**-8, write_tiny=FLOAT32_MIN_NORMAL),
}
