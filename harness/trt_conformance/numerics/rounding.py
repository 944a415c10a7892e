"""Judges the errors of all elements of an output together: whether they are those of rounding to nearest.

An elementwise bound must allow for the worst case, so that at many terms it also allows truncation, and operands of
fewer bits. But errors of rounding to nearest have mean 0 and are not correlated, so they cancel over an output. This
is the idea of TOSA's conformance test of dot products; the scale here is that of the partial sums, so that it is
tighter (docs/verdicts.md).

A sum of N products x w in any order that does not depend on the values, with the result T and the bias b, has partial
sums of mean square

    E[P^2] <= S = sum (x w)^2 + (|T| + |b|)^2

(see `_sizes`). Rounding P to nearest errs within half a unit in the last place, with mean 0. If every error in there
is as likely as any other, its variance is a twelfth of the unit squared, at most u^2 P^2 / 3. Products round likewise.
So the error of an element has mean 0 and a variance of at most (N + 2) u^2 S / 3. Writing a narrower type adds an
eighth of its unit squared, as if every other output were a tie. Tensor cores truncate: each addend loses up to
2 u sqrt(S), always toward 0.

With r = error / sqrt(variance), over n elements, 4 standard deviations (probability 6e-5 each):

    | sum r |           <= 4 sqrt(n)        else rounding is one-sided
    | sum r sign(T) |   <= 4 sqrt(n)        else rounding is toward 0, or away from it
    sum r^2             <= n + 4 sqrt(2 n)  else errors are larger than those of rounding

where what truncation by tensor cores may add is allowed on top.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from trt_conformance.core.arrays import Array, Float64
from trt_conformance.core.case import Case
from trt_conformance.core.tensors import NUMPY_TYPE, CaseData
from trt_conformance.core.types import Precision
from trt_conformance.numerics.bounds.basis import Basis
from trt_conformance.numerics.bounds.elementwise import FLOAT32_ROUNDOFF, HALVES, narrowest
from trt_conformance.numerics.compare import FORMATS
from trt_conformance.numerics.reference.blocked import convolve

SIGMAS = 4.0
FEWEST = 256
"""The least number of elements of an output, so that a shift of half a standard deviation is 8 of the sum's."""
TF32_BITS = 11
TYPES: tuple[Precision, ...] = ("fp32", "tf32", "fp16", "bf16")
"""Precisions that have a model. Exact cases judge the quantized ones."""


class Accumulator(NamedTuple):
    """How an accumulator rounds: ``half`` is half a unit in its last place, relative; ``truncates`` its addends."""

    half: float
    truncates: bool


@dataclass(frozen=True)
class Errors:
    """The errors of an output's elements together, each figure in standard deviations.

    ``mean``: of the sum of errors; positive where outputs are too large. ``outward``: of the same, each counted as
    positive where it is away from 0. ``size``: how much the sum of squares exceeds what is expected at most.
    ``reads``: how the operands were read, where that is not known beforehand.
    """

    elements: int
    mean: float
    outward: float
    size: float
    reads: str = ""

    @property
    def faults(self) -> list[str]:
        """The figures that correct rounding does not give, as text."""
        found = []
        if self.size > SIGMAS:
            found.append(f"the errors are larger than those of rounding to nearest: by {self.size:.3g} sigma")
        if abs(self.mean) > SIGMAS:
            side = "large" if self.mean > 0 else "small"
            found.append(f"rounding is one-sided: outputs are too {side} by {abs(self.mean):.3g} sigma")
        if abs(self.outward) > SIGMAS:
            side = "away from 0" if self.outward > 0 else "toward 0"
            found.append(f"rounding is {side}: by {abs(self.outward):.3g} sigma")
        return found

    @property
    def worst(self) -> float:
        """The largest figure."""
        return max(self.size, abs(self.mean), abs(self.outward))


def accumulator(case: Case, rests_on: Basis) -> Accumulator | None:
    """Return how the GPU kernel's accumulator rounds; None if there is no model: transforms, quantized types."""
    if case.precision not in TYPES or case.quantize is not None:
        return None
    match rests_on:
        case "fp16":
            return Accumulator(2.0**-11, True)
        case "fp32" | "fp32_rounded":
            return Accumulator(FLOAT32_ROUNDOFF, case.precision != "fp32")
    return None


def unsuited(case: Case, outputs: int) -> str | None:
    """Say why the errors of a case with this many outputs do not reveal how a target rounds; None if they do.

    What its fills are like is not looked at: the values must be random, in whatever order they are added.
    """
    if case.precision not in TYPES:
        return f"expected one of the precisions {', '.join(TYPES)}, not {case.precision}"
    if case.exact or case.quantize or case.dynamic or case.large:
        return "the case cannot have exact, quantize, dynamic or large"
    if narrowest(case) != case.precision:
        return "no flag may allow another precision"
    if case.prologue or case.epilogue:
        return "the layer must be alone, without prologue or epilogue"
    fixed = [name for name, tensor in (("input", case.input), ("kernel", case.kernel)) if tensor.fill is None]
    if fixed:
        return f"the {fixed[0]} needs a fill, so that the order of its values is random"
    if outputs < FEWEST:
        return f"{outputs} outputs are too few to judge, expected at least {FEWEST}"
    return None


def errors(case: Case, data: CaseData, actual: Array, rests_on: Basis) -> Errors | None:
    """Return the errors of an output together; None if there is no model.

    In TF32 an operand may be read in full, truncated, or rounded to nearest, ties to even or away from 0. The reading
    with the smallest errors is the one that is judged.

    Args:
        case: its precision determines the arithmetic. It has no epilogue.
        data: the operands of the run.
        actual: the target's output ``(N, K, *spatial)``, every element of which is within its bound.
        rests_on: the basis of that bound.
    """
    sums = accumulator(case, rests_on)
    if sums is None:
        return None
    x, w = data.input.astype(np.float64), data.kernel.astype(np.float64)
    b = None if data.bias is None else data.bias.astype(np.float64)
    squares = convolve(x**2, w**2, None, case.attributes)
    bias = np.zeros(1) if b is None else b.reshape(-1, *(1,) * case.spatial_rank)
    best: Errors | None = None
    for reads, seen, weights in _readings(case, x, w):
        total = convolve(seen, weights, None, case.attributes)
        found = _together(case, actual, total, bias, squares, sums, rests_on, reads)
        if best is None or found.worst < best.worst:
            best = found
        if best.worst <= SIGMAS:
            break
    return best


def _readings(case: Case, x: Float64, w: Float64) -> Iterator[tuple[str, Float64, Float64]]:
    """Yield the operands as the GPU kernel may read them, the likely readings first."""
    if case.precision != "tf32":
        yield "", x, w
        return
    ways = ("truncated", "to nearest", "ties away", "in full")
    pairs = [(a, a) for a in ways] + [(a, b) for a in ways for b in ways if a != b]
    tried: set[bytes] = set()
    for of_x, of_w in pairs:
        seen, weights = narrowed(x, of_x), narrowed(w, of_w)
        key = seen.tobytes() + weights.tobytes()
        if key not in tried:
            tried.add(key)
            yield f"input {of_x}, kernel {of_w}", seen, weights


def narrowed(values: Float64, way: str, bits: int = TF32_BITS) -> Float64:
    """Return values with this many significant bits, or ``in full``.

    Args:
        values: float64.
        way: ``truncated``, ``to nearest`` (ties to even), ``ties away`` (to nearest, ties away from 0) or ``in full``.
        bits: the significant bits that are kept.

    Raises:
        ValueError: there is no such way.
    """
    mantissa, exponent = np.frexp(values)
    scaled = np.ldexp(mantissa, bits)
    match way:
        case "truncated":
            scaled = np.trunc(scaled)
        case "to nearest":
            scaled = np.rint(scaled)
        case "ties away":
            scaled = np.copysign(np.floor(np.abs(scaled) + 0.5), scaled)
        case "in full":
            return values
        case _:
            raise ValueError(way)
    return np.asarray(np.ldexp(scaled, exponent - bits))


def _sizes(squares: Float64, total: Float64, bias: Float64) -> Float64:
    """Return sqrt(S), which bounds the root mean square of the partial sums of an element.

    The first k of N products in a random order have E[P^2] = k/N sum (xw)^2 + k(k-1)/(N(N-1)) (T^2 - sum (xw)^2), which
    is at most sum (xw)^2 + T^2 for every k. A bias that is added first shifts each by b.
    """
    return np.asarray(np.sqrt(squares + (np.abs(total) + np.abs(bias)) ** 2))


def half_unit(values: Float64, case: Case) -> Float64:
    """Return half a unit in the last place of the output's type."""
    bits, smallest = FORMATS[NUMPY_TYPE[case.data_type].name]
    exponent = np.where(values == 0, smallest, np.maximum(np.frexp(values)[1], smallest))
    return np.asarray(np.ldexp(0.5, exponent - bits))


def _together(
    case: Case,
    actual: Array,
    total: Float64,
    bias: Float64,
    squares: Float64,
    sums: Accumulator,
    rests_on: Basis,
    reads: str,
) -> Errors:
    real, size = total + bias, _sizes(squares, total, bias)
    terms = math.prod(case.kernel.shape[1:])
    variance = (terms + 2) * (sums.half * size) ** 2 / 3
    if case.precision in HALVES:
        variance += half_unit(real, case) ** 2 / 2
        if rests_on == "fp32_rounded":
            variance += half_unit(total, case) ** 2 / 2
    seen = variance > 0
    deviation = np.sqrt(variance[seen])
    r = (actual.astype(np.float64) - real)[seen] / deviation
    sign = np.sign(real[seen])
    drift = 2 * sums.half * terms * size[seen] / deviation if sums.truncates else np.zeros_like(r)
    low, high = np.where(sign > 0, -drift, 0.0), np.where(sign < 0, drift, 0.0)
    count = r.size
    beyond = np.maximum(low - r, 0) + np.maximum(r - high, 0)
    return Errors(
        elements=count,
        mean=_beyond(r.sum(), low.sum(), high.sum()) / math.sqrt(max(1, count)),
        outward=_beyond((r * sign).sum(), -drift.sum(), 0.0) / math.sqrt(max(1, count)),
        size=float(((beyond**2).sum() - count) / math.sqrt(2 * max(1, count))),
        reads=reads,
    )


def _beyond(value: float, low: float, high: float) -> float:
    """Return how far a value lies beyond an interval, negative where it lies below."""
    return float(min(value - low, 0.0) + max(value - high, 0.0))
