"""Elementwise error bounds, derived from the arithmetic that a precision declares.

A sum of n products, computed in any order, fused or not, obeys

    |computed - exact| <= ((1 + u)^n - 1) * sum |x||w|

where u bounds the error of one step (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed.,
Lemma 3.1 and section 3.1). Rounding to nearest gives u = 2^-24 in float32. A tensor core aligns its
accumulator and the exact products to the largest of them and truncates each to 24 bits or more: below one
unit for each product, u = 2^-23. A float16 accumulator errs at most one unit too, u = 2^-10. An FP8 tensor core
keeps 13 bits of fraction when it aligns, u = 2^-13 (DeepSeek-V3 technical report, arXiv:2412.19437, section 3.3.2;
Hopper). TF32 operands are read by dropping bits, u = 2^-10. (Fasi, Higham, Mikaitis and Pranesh, Numerical
behavior of NVIDIA tensor cores, PeerJ CS 7:e330, 2021; Blanchard, Higham, Lopez, Mary and Pranesh, Mixed
precision block fused multiply-add, SIAM J. Sci. Comput. 42(3), 2020.)

Where every partial sum is representable, no step rounds, and only the rounding of the output is left.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trt_conformance.core.arrays import Float64
from trt_conformance.core.case import Case
from trt_conformance.core.tensors import representable
from trt_conformance.core.types import DATA_TYPE, DataType, Precision
from trt_conformance.numerics.bounds.operands import Operands, grain, operands_of, significant_bits
from trt_conformance.numerics.reference.quantization import grid_of, rescaled, scales
from trt_conformance.numerics.reference.result import Result
from trt_conformance.numerics.reference.shape import layer_output

Accumulation = Literal["fp32", "fp16", "int32", "fp22", "fp32_rounded"]
"""The type in which a sum is accumulated. fp32_rounded: in fp32, then rounded to the output type before the bias."""

FLOAT32_ROUNDOFF = 2.0**-24
FLOAT32_MIN_NORMAL = 2.0**-126
REFERENCE_ROUNDOFF = 2.0**-53

EPILOGUE_STEPS = 6
"""Roundings after a quantized sum: its conversion, the product of scales over the output's (3), times it, the bias."""


@dataclass(frozen=True)
class Arithmetic:
    """How a precision rounds. All errors but the ``tiny`` ones are relative.

    ``read`` is the error of reading an operand that has more than ``read_bits`` significant bits, ``step`` that of one
    product or addition, ``write`` that of writing the output. ``step_tiny`` and ``write_tiny`` are the absolute errors
    below the normal range, where float32 and bfloat16 may flush to zero. Sums of up to ``step_bits`` bits are exact.
    """

    step: float
    step_tiny: float = FLOAT32_MIN_NORMAL
    step_bits: int = 24
    read: float = 0.0
    read_bits: int = 24
    write: float = 0.0
    write_tiny: float = 0.0


HALVES: tuple[Precision, ...] = ("fp16", "bf16")
"""Precisions whose output type is narrower than their accumulator."""

# As the network states it, int8 and fp8 compute in fp32 between Q/DQ; their GPU kernels accumulate in int32 and fp22.
ARITHMETIC: dict[tuple[Precision, Accumulation], Arithmetic] = {
    ("fp32", "fp32"): Arithmetic(step=2.0**-24),
    ("tf32", "fp32"): Arithmetic(step=2.0**-23, read=2.0**-10, read_bits=11),
    ("fp16", "fp32"): Arithmetic(step=2.0**-23, write=2.0**-11, write_tiny=2.0**-25),
    ("fp16", "fp16"): Arithmetic(step=2.0**-10, step_tiny=2.0**-24, step_bits=11, write=2.0**-11, write_tiny=2.0**-25),
    ("bf16", "fp32"): Arithmetic(step=2.0**-23, write=2.0**-8, write_tiny=FLOAT32_MIN_NORMAL),
    ("int8", "fp32"): Arithmetic(step=2.0**-24, read=2.0**-24),
    ("int8", "int32"): Arithmetic(step=2.0**-24),
    ("fp8", "fp32"): Arithmetic(step=2.0**-24, read=2.0**-24),
    ("fp8", "fp22"): Arithmetic(step=2.0**-13, step_bits=14),
}
ARITHMETIC |= {(half, "fp32_rounded"): ARITHMETIC[half, "fp32"] for half in HALVES}

ROUNDING: dict[DataType, tuple[float, float]] = {
    "float32": (FLOAT32_ROUNDOFF, FLOAT32_MIN_NORMAL),
    **{DATA_TYPE[half]: (ARITHMETIC[half, "fp32"].write, ARITHMETIC[half, "fp32"].write_tiny) for half in HALVES},
}
"""Half a unit in the last place: relative, and absolute below the normal range, where values may be flushed to zero."""


FLAGS: dict[str, Precision] = {"BF16": "bf16", "FP16": "fp16"}
"""Flags that allow a weakly typed network of floats to compute in halves, the narrowest first."""

# A GPU kernel may accumulate in less than is declared: each precision's narrowest accumulator, where there is one.
NARROWEST: dict[Precision, Accumulation] = {"fp16": "fp16", "fp8": "fp22"}


def narrowest(case: Case) -> Precision:
    """Return the narrowest precision in which the case may be computed: by a flag, floats may be computed in halves."""
    if case.precision == "fp32":
        for flag, precision in FLAGS.items():
            if flag in case.builder.flags:
                return precision
    return case.precision


def arithmetic_of(case: Case, accumulation: Accumulation = "fp32") -> Arithmetic:
    """Return how a case rounds. Raises ValueError if its precision has no such accumulator."""
    precision = narrowest(case)
    found = ARITHMETIC.get((precision, accumulation))
    if found is None:
        raise ValueError(f"{precision} does not accumulate in {accumulation}")
    if precision != case.precision:  # a kernel of halves reads rounded operands, and its output is a half
        return replace(found, read=found.write, read_bits=-round(math.log2(found.write)))
    if case.quantize is None or case.quantize.between is None:
        return found
    half = ARITHMETIC["fp16" if case.quantize.between == "float16" else "bf16", "fp32"]
    step = max(found.step, half.step)
    between = replace(found, step=step, write=half.write, write_tiny=half.write_tiny)
    # In a layer that is not fused with Q and DQ, dequantized operands are rounded to the type of the tensors.
    bits = -round(math.log2(half.write))
    return replace(between, read=half.write, read_bits=bits) if accumulation == "fp32" else between


def gamma(n: int, u: float) -> float:
    """Return (1 + u)^n - 1, the relative error of n steps of error u; for any n at most the usual n*u / (1 - n*u)."""
    return math.expm1(n * math.log1p(u))


def sum_error(size: Float64, total: Float64, steps: int, step: float, reading: float = 1.0) -> Float64:
    """Return how far a sum of rounded products, added in any order, fused or not, is from the exact one.

    Let M be the sum of the absolute products, T the exact sum, P the sum of the positive products and N that of the
    others, without sign. Then P + N = M and P - N = +-|T|, so that every sum of some of the products has a magnitude of
    at most H = max(P, N) = (M + |T|) / 2. Rounding the products adds at most u M. Each addition rounds such a partial
    sum, and what errors were made before it. If the parts of a sum have p and q roundings behind them, with errors of
    at most ((1 + u)^p - 1) H and ((1 + u)^q - 1) H, that of the sum is at most

        (1 + u) ((1 + u)^p + (1 + u)^q - 2) H + u H <= ((1 + u)^(p + q + 1) - 1) H

    because (x - 1)(y - 1) >= 0 for x, y >= 1. So for any order of n steps, |computed - T| <= u M + ((1 + u)^n - 1)
    (H + u M). (Higham, as above, section 4.2, sums the partial sums of one order; here they are bounded for all.)

    Args:
        size: M of each element, float64.
        total: |T| of each element.
        steps: n, the products and additions of an element.
        step: u.
        reading: the factor by which the reading of its operands may enlarge a product.
    """
    rounded = (reading * (1 + step) - 1) * size
    return np.minimum(
        rounded + gamma(steps, step) * ((size + total) / 2 + rounded), (reading * (1 + gamma(steps, step)) - 1) * size
    )


def bound(
    case: Case, result: Result, accumulation: Accumulation = "fp32", runs: Sequence[Operands] | None = None
) -> Float64:
    """Return, for each element, the largest difference from the reference that correct arithmetic can give.

    Args:
        case: determines the arithmetic and the quantization of the output.
        result: the reference result of one of its run shapes, output ``(N, K, *spatial)``.
        accumulation: the type in which the engine's GPU kernel accumulates, where it is known. For int8, fp32 allows
            for int32 too.
        runs: the operands of the runs that may have given the result, or the output of which it is a piece; by
            default those of `runs_of`.

    Returns:
        Non-negative float64 of the output's shape.

    Raises:
        ValueError: the precision has no such accumulator, or no run shape gives an output of this shape.
    """
    arithmetic = arithmetic_of(case, accumulation)
    runs = runs_of(case, result) if runs is None else runs
    limits = [_bound(case, result, operands, arithmetic, accumulation) for operands in runs]
    return limits[0] if len(limits) == 1 else np.asarray(np.max(limits, axis=0))


def runs_of(case: Case, result: Result) -> list[Operands]:
    """Return the operands of each run that may have given the result: one, unless run shapes share an output shape."""
    same = [s for s in case.run_shapes if layer_output(case, s) == result.output.shape]
    if not same:
        raise ValueError(f"no run shape of {case.id} gives an output of shape {result.output.shape}")
    return [operands_of(case, shape) for shape in same]


def _bound(
    case: Case, result: Result, operands: Operands, arithmetic: Arithmetic, accumulation: Accumulation
) -> Float64:
    w, b = operands.kernel, operands.bias
    steps, size = result.terms, result.magnitude
    if case.quantize is not None:
        steps += EPILOGUE_STEPS
    if accumulation == "int32":
        steps, size = EPILOGUE_STEPS, np.abs(result.real - b) + np.abs(b)
    bits = (operands.bits, significant_bits(w)) if arithmetic.read else ()
    rounded = sum(one > arithmetic.read_bits for one in bits)
    reading = (1 + arithmetic.read) ** rounded
    reads_in_full = reading == 1 or arithmetic.read_bits == arithmetic.step_bits
    exact = _exact(case, result, operands, arithmetic) if reads_in_full else np.asarray(False)
    if exact.all():
        spread = np.zeros(result.magnitude.shape)
    else:
        own = gamma(result.terms, REFERENCE_ROUNDOFF) * result.magnitude
        largest = operands.largest.max(initial=0.0) + np.abs(w).max(initial=0.0)
        tiny = result.terms * arithmetic.step_tiny * (1 + largest)  # operands may be flushed as well as sums
        sums = sum_error(size + result.slack, np.abs(result.real) + result.slack, steps, arithmetic.step, reading)
        spread = np.where(exact, 0.0, sums + result.slack + own + tiny)
    if accumulation == "fp32_rounded" and case.bias != "none":
        spread = written(case, result.real - b, spread, arithmetic)
    return output_bound(case, result, spread, arithmetic)


def output_bound(case: Case, result: Result, spread: Float64, arithmetic: Arithmetic) -> Float64:
    """Return the error of a layer's output, whose sums have the error ``spread``: written, and quantized if it is."""
    spread = written(case, result.real, spread, arithmetic)
    if case.quantize is None or case.quantize.output is None:
        return spread
    scale = scales(case.quantize.output, result.output.ndim)
    spread = rescaled(result.real, spread, scale, grid_of(case.precision))
    return written(case, result.output, spread, arithmetic)


def written(case: Case, values: Float64, spread: Float64, arithmetic: Arithmetic) -> Float64:
    """Return the error, in the output type, of values whose error is ``spread``; 0 if they are written exactly."""
    rounded = (spread > 0) | ~representable(values, case)
    return np.asarray(spread + rounded * (arithmetic.write * (np.abs(values) + spread) + arithmetic.write_tiny))


def _exact(case: Case, result: Result, operands: Operands, arithmetic: Arithmetic) -> NDArray[np.bool_]:
    """Return where every partial sum, a multiple of one power of two, fits the accumulator. Operands are read in full.

    GPU kernels multiply by a scale or by its reciprocal; both are exact only for a power of two.
    """
    folded = np.asarray(True)
    if case.precision == "int8" and case.quantize is not None:  # the product of the scales is an operand, too
        (_, of_input), (_, of_kernel) = case.quantize.scales_of("input"), case.quantize.scales_of("kernel")
        folded = _dyadic(scales(of_input, 1)).all() & _dyadic(scales(of_kernel, case.spatial_rank + 1))
    if case.precision == "int8" and case.quantize is not None and case.quantize.only is None:
        of_x, of_w = grain(scales(of_input, 1)), grain(scales(of_kernel, 1))
    else:  # the layer runs in floats, on the operands themselves
        of_x, of_w = operands.grain, operands.kernel_grain
    unit = min(of_x * of_w, grain(operands.bias))
    if min(unit, of_x, of_w) < arithmetic.step_tiny:
        return np.zeros(result.magnitude.shape, dtype=bool)
    return np.asarray((result.magnitude <= 2.0**arithmetic.step_bits * unit) & (result.slack == 0) & folded)


def _dyadic(scale: Float64) -> NDArray[np.bool_]:
    return np.asarray(np.frexp(scale)[0] == 0.5)
