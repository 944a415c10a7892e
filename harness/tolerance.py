"""Elementwise error bounds, derived from the arithmetic that a precision declares.

A sum of n products computed in any order, fused or not, obeys

    |computed - exact| <= gamma_n * sum |x||w|,    gamma_n = n*u / (1 - n*u)

(Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 3.1). u is 2^-24 for float32
rounding to nearest. Tensor cores align and truncate their float32 accumulation, at most one unit
instead of half a one a step, and read TF32 operands by dropping bits (Fasi, Higham, Mikaitis and
Pranesh, Numerical behavior of NVIDIA tensor cores, PeerJ CS 7:e330, 2021); hence 2^-23 and 2^-10 there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.model import Case, Precision
from harness.reference.quantization import dequantize, quantize, scales
from harness.reference.result import Result

Float64 = NDArray[np.float64]

FLOAT32_MIN_NORMAL = 2.0**-126


@dataclass(frozen=True)
class Arithmetic:
    """Unit roundoffs of reading an operand, of one accumulation step, and of writing the output.

    ``smallest`` is the spacing of the output type's subnormals, or its smallest normal number where
    subnormals may be flushed to zero.
    """

    read: float
    accumulate: float
    write: float
    smallest: float


ARITHMETIC: dict[Precision, Arithmetic] = {
    "fp32": Arithmetic(read=0.0, accumulate=2.0**-24, write=0.0, smallest=FLOAT32_MIN_NORMAL),
    "tf32": Arithmetic(read=2.0**-10, accumulate=2.0**-23, write=0.0, smallest=FLOAT32_MIN_NORMAL),
    "fp16": Arithmetic(read=0.0, accumulate=2.0**-23, write=2.0**-11, smallest=2.0**-24),
    "bf16": Arithmetic(read=0.0, accumulate=2.0**-23, write=2.0**-8, smallest=FLOAT32_MIN_NORMAL),
    # Integer products are summed exactly; what rounds is scaling the sum and adding the bias in float32.
    "int8": Arithmetic(read=0.0, accumulate=0.0, write=4 * 2.0**-24, smallest=FLOAT32_MIN_NORMAL),
}


def gamma(n: int, u: float) -> float:
    """gamma_n of Higham's Lemma 3.1. Raises ValueError where n*u reaches 1 and no bound holds."""
    if n * u >= 1:
        raise ValueError(f"{n} operations at unit roundoff {u} have no error bound")
    return n * u / (1 - n * u)


def bound(case: Case, result: Result) -> Float64:
    """The largest difference from the reference, element by element, that right arithmetic can show.

    Args:
        case: decides the arithmetic and the output's quantisation.
        result: the reference result, output ``(N, K, *spatial)``.

    Returns:
        Non-negative float64 of the output's shape.
    """
    arithmetic = ARITHMETIC[case.precision]
    reading = 2 * arithmetic.read + arithmetic.read**2
    summing = gamma(result.terms, arithmetic.accumulate)
    spread = (reading + summing + reading * summing) * result.magnitude + result.slack
    if case.precision == "int8":
        writing = arithmetic.write * result.magnitude
    else:
        writing = arithmetic.write * (np.abs(result.real) + spread)
    spread = spread + writing + result.terms * arithmetic.smallest
    if case.quantize is None or case.quantize.output is None:
        return spread
    scale = scales(case.quantize.output, result.output.ndim)
    below, above = (dequantize(quantize(result.real + d, scale), scale) for d in (-spread, spread))
    return np.asarray(np.maximum(result.output - below, above - result.output))
