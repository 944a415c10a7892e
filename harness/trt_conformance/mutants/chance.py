"""Could a known wrong convolution give an error by chance?

A number among V that are equally likely is hit by chance once in V times: it has log2(V) bits. An error that takes a
few small values, such as 1 in every wrong element, has so few bits that some of the mutants that are tried give it,
whatever its cause.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from trt_conformance.core.arrays import Float64
from trt_conformance.core.case import Case
from trt_conformance.numerics.bounds.operands import grain
from trt_conformance.numerics.reference import quantization

RISK = 0.01
"""The probability, at most, that one of the mutants that are tried gives an error by chance."""
MOST_BITS = 24
"""Bits of one value, at most: those of float32."""
WHOLE = 1e-3
"""How far a quantized error may be from a whole number of steps: it is dequantized in float32."""


def bits_needed(tried: int) -> float:
    """Bits of an error that one of so many mutants gives by chance with a probability of `RISK`."""
    return math.log2(max(1, tried) / RISK)


def bits_of(first: Float64, second: Float64 | None, region: NDArray[np.bool_], allowed: float) -> float:
    """Bits of the errors that a mutant predicts for two inputs.

    Equal values count once, since a constant would give them all, and in the second output only where the error is not
    that of the first: an error that does not depend on the input is not confirmed by a second one. Which elements are
    wrong counts, too, within the region that was tried.

    Args:
        first: the mutant's output minus the right one, for the first input.
        second: the same for the second input, of the same shape; None if unknown.
        region: the elements of which the mutant could be wrong.
        allowed: the error of a right element, at most.
    """
    wrong = ~(np.abs(first) <= allowed)
    total = _values(first[wrong], allowed) + _places(int(region.sum()), int(wrong.sum()))
    if second is None:
        return total
    also = ~(np.abs(second) <= allowed)
    with np.errstate(invalid="ignore"):
        other = also & ~(np.abs(second - first) <= allowed)
    return total + _values(second[other], allowed) + _places(int(region.sum()), int((also ^ wrong).sum()))


def in_steps(error: Float64, case: Case) -> tuple[Float64, float]:
    """An error in the steps of a quantized output, where it is whole in these, and the smallest step; else as it is."""
    given = case.quantize
    if given is None or not given.is_plain or error.ndim != case.spatial_rank + 2:
        return error, 1.0
    if given.output is not None:
        step = quantization.scales(given.output, error.ndim)
    else:
        step = quantization.scales(given.input, error.ndim)
        step = step * quantization.scales(given.kernel, error.ndim).reshape(-1, *(1,) * case.spatial_rank)
    steps = error / step
    whole = np.rint(steps)
    with np.errstate(invalid="ignore"):
        is_whole = bool((np.abs(steps - whole) <= WHOLE).all())
    return (whole, float(step.min())) if is_whole else (error, 1.0)


def _values(errors: Float64, allowed: float) -> float:
    """Bits of the different values of some errors; none for what is not finite."""
    finite = errors[np.isfinite(errors)]
    if not finite.size:
        return 0.0
    resolution = max(allowed, grain(finite))
    different = np.unique(np.rint(finite / resolution))
    return float(np.minimum(np.log2(1 + 2 * np.abs(different)), MOST_BITS).sum())


def _places(elements: int, chosen: int) -> float:
    """Bits of the choice of some elements."""
    if not 0 < chosen < elements:
        return 0.0
    ways = math.lgamma(elements + 1) - math.lgamma(chosen + 1) - math.lgamma(elements - chosen + 1)
    return ways / math.log(2)
