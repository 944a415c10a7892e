"""Hashes of reference outputs that are the same on every machine.

Sums that are exact in float64, in whatever order a machine adds them, are hashed as they are: shape and float64 values.
Other sums are rounded to multiples of a power of two, which the hash states: ``5f0c3e2a91@-20`` is of multiples of
2^-20. The multiple is chosen so that no value is near the middle between two of them: any order of adding then gives
the same multiples. They are hashed before a quantization of the output.
"""

from __future__ import annotations

import hashlib
import math
import re
from typing import NamedTuple

import numpy as np

from trt_conformance.core.arrays import Float64
from trt_conformance.core.case import Case
from trt_conformance.golden.content import GoldenError
from trt_conformance.numerics.bounds.elementwise import gamma
from trt_conformance.numerics.bounds.operands import grain, operands_of
from trt_conformance.numerics.reference.result import Result

DIGITS = 10
HASH = rf"[0-9a-f]{{{DIGITS}}}(?:@-?\d{{1,4}})?"
"""A regular expression that each hash matches."""

_FLOAT64_BITS = 53
_FINEST, _MULTIPLES = 16, 25
"""Bits by which the finest multiple exceeds the largest error of a sum; how many are tried, each twice as large."""


class Digest(NamedTuple):
    """The hash of an output, and its shape with the first, the middle and the last value: ``2x5x3x4: -12 7 0.5``."""

    hash: str
    sample: str


def digest(case: Case, run_index: int, result: Result, like: str = "") -> Digest:
    """Hash the reference result of a run.

    Args:
        case: the case.
        run_index: which of its run shapes gave the result.
        result: what `reference` gave.
        like: a stored hash of the same output, whose multiple is used again if it could have been chosen.

    Raises:
        GoldenError: a value is not finite, or some value is near the middle whatever the multiple.
    """
    if _is_exact(case, run_index, result):
        values = result.output + 0.0  # the sign of a zero depends on the order of adding
        return Digest(_hash(values), _sample(values))
    exponent = _exponent(case, result, like)
    multiples = np.rint(np.ldexp(result.real, -exponent)) + 0.0
    return Digest(f"{_hash(multiples)}@{exponent}", _sample(np.ldexp(multiples, exponent)))


def _is_exact(case: Case, run_index: int, result: Result) -> bool:
    """Whether float64 rounds no sum, in whatever order it is added."""
    operands = operands_of(case, case.run_shapes[run_index])
    unit = min(operands.grain * operands.kernel_grain, grain(operands.bias))
    return not math.isfinite(unit) or bool(result.magnitude.max(initial=0.0) <= 2.0**_FLOAT64_BITS * unit)


def _exponent(case: Case, result: Result, like: str) -> int:
    """The exponent of the multiple to which the sums are rounded."""
    # Two machines' sums each lie within gamma * magnitude of the exact one; one term more covers the magnitude's own.
    spread = 2 * gamma(result.terms + 1, 2.0**-_FLOAT64_BITS) * result.magnitude
    if not np.isfinite(result.real).all() or not np.isfinite(spread).all():
        raise GoldenError(
            f"{case.id} ({case.location}): an expected value is not finite, so the output cannot be hashed: "
            'set golden = "tensors"'
        )
    finest = int(np.frexp(spread.max())[1]) + _FINEST
    stated = re.search(r"@(-?\d+)", like)
    # The largest error itself may differ in its last bit, so its exponent by one.
    if stated is not None and finest - 1 <= int(stated[1]) <= finest + _MULTIPLES:
        return int(stated[1])
    for exponent in range(finest, finest + _MULTIPLES):
        scaled = np.ldexp(result.real, -exponent)
        to_middle = np.abs(np.abs(scaled - np.rint(scaled)) - 0.5)
        if (to_middle > np.ldexp(spread, -exponent)).all():
            return exponent
    raise GoldenError(
        f"{case.id} ({case.location}): some of its values are near the middle between two multiples of each power of "
        'two, so that their hash would depend on the machine: set golden = "computed"'
    )


def _hash(values: Float64) -> str:
    data = np.ascontiguousarray(values, dtype="<f8").tobytes()
    return hashlib.sha256(f"{values.shape}".encode() + data).hexdigest()[:DIGITS]


def _sample(values: Float64) -> str:
    flat = values.ravel()
    places = sorted({0, flat.size // 2, flat.size - 1})
    return f"{'x'.join(map(str, values.shape))}: {' '.join(f'{flat[place]:.12g}' for place in places)}"
