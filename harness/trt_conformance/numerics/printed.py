"""Reads matrices as a document prints them: the values, and the precision to which each is printed."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trt_conformance.core.arrays import Float64

_NUMBER = re.compile(r"[-+]?(\d*)\.?(\d*)(?:[eE]([-+]?\d{1,4}))?")
_PUNCTUATION = str.maketrans("[](),;", "      ")


@dataclass(frozen=True)
class Printed:
    """Printed numbers in float64, half a unit of the last digit of each, and its number of significant digits.

    The three arrays have one shape. Zero has one significant digit.
    """

    values: Float64
    tolerance: Float64
    digits: NDArray[np.int64]


def parse(text: str, shape: Sequence[int]) -> Printed:
    """Read numbers in row-major order; brackets, commas, semicolons and line ends only separate them.

    Raises:
        ValueError: a word is not a number, or the count of numbers does not fit ``shape``.
    """
    numbers = [
        _number(word, line)
        for line, row in enumerate(text.strip().splitlines(), start=1)
        for word in row.translate(_PUNCTUATION).split()
    ]
    if len(numbers) != math.prod(shape):
        raise ValueError(f"{len(numbers)} printed numbers do not fit shape {list(shape)} ({math.prod(shape)} elements)")
    values, tolerance, digits = zip(*numbers, strict=True) if numbers else ((), (), ())
    return Printed(
        np.asarray(values, dtype=np.float64).reshape(shape),
        np.asarray(tolerance, dtype=np.float64).reshape(shape),
        np.asarray(digits, dtype=np.int64).reshape(shape),
    )


def _number(word: str, line: int) -> tuple[float, float, int]:
    """Return the value, half a unit of its last digit, and the number of its significant digits."""
    match = _NUMBER.fullmatch(word)
    if match is None or not (match[1] or match[2]) or not word.isascii():
        raise ValueError(f"line {line} of the printed matrix: {word!r} is not a number")
    whole, fraction, exponent = match[1], match[2], int(match[3] or 0)
    # Decimal text, not 0.5 * 10**n: the tolerance is the float64 next to the decimal half unit.
    value, tolerance = float(word), float(f"5e{exponent - len(fraction) - 1}")
    if math.isinf(value):
        raise ValueError(f"line {line} of the printed matrix: {word!r} is outside the range of float64")
    return value, tolerance, len((whole + fraction).lstrip("0")) or 1
