"""Compares the output of a target with the expected one: name, shape and type first, then values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from trt_conformance.core.arrays import Array, Float64, widened
from trt_conformance.core.json import finite
from trt_conformance.numerics.places import pattern

# Significant bits, and the exponent that frexp gives the smallest normal number.
FORMATS = {"float64": (53, -1021), "float32": (24, -125), "float16": (11, -13), "bfloat16": (8, -125)}


@dataclass(frozen=True)
class Comparison:
    """The figures of one comparison. The worst element is the one whose error is the largest fraction of its bound.

    ``fraction`` is |error| / bound of that element: infinite where the bound is 0 and the error is not, or where either
    is not finite. ``ulp`` is the error in units in the last place of the output type. ``where`` describes the pattern
    of the mismatches.
    """

    elements: int
    beyond: int
    worst: tuple[int, ...]
    actual: float
    expected: float
    error: float
    bound: float
    fraction: float
    ulp: float
    where: str

    @property
    def passed(self) -> bool:
        return self.beyond == 0 and self.elements > 0


def structure_faults(
    outputs: Mapping[str, Array], name: str, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> list[str]:
    """Return what is wrong with the names, the shape and the type of an engine's outputs."""
    if set(outputs) != {name}:
        return [f"outputs are {sorted(outputs)}, but should be ['{name}']"]
    actual = outputs[name]
    faults = []
    if actual.shape != shape:
        faults.append(f"{name}.shape is {actual.shape}, but should be {shape}")
    if actual.dtype != dtype:
        faults.append(f"{name}.dtype is {actual.dtype}, but should be {dtype}")
    return faults


def compare(actual: Array, expected: Float64, bound: Float64) -> Comparison:
    """Compare elementwise: |actual - expected| <= bound. An element that is not finite on either side does not pass.

    Args:
        actual: the output of the target, in its own type.
        expected: float64 of the same shape.
        bound: the largest error that is allowed, float64 of the same shape.

    Raises:
        ValueError: the shapes differ.
    """
    if not actual.shape == expected.shape == bound.shape:
        raise ValueError(f"shapes differ: {actual.shape}, {expected.shape}, {bound.shape}")
    if actual.size == 0:
        return Comparison(0, 0, (), 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, "")
    values = widened(actual)
    both_finite = np.isfinite(values) & np.isfinite(expected)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        error = np.where(both_finite, np.abs(values - expected), np.inf)
        fraction = np.where(error == 0, 0.0, error / bound)
    wrong = ~((error <= bound) & np.isfinite(bound))
    fraction = np.where(wrong & ~(fraction > 1), np.inf, fraction)
    worst = _worst(fraction, error)
    return Comparison(
        elements=int(actual.size),
        beyond=int(wrong.sum()),
        worst=worst,
        actual=float(values[worst]),
        expected=float(expected[worst]),
        error=float(error[worst]),
        bound=float(bound[worst]),
        fraction=float(fraction[worst]),
        ulp=float(error[worst]) / _spacing(float(expected[worst]), actual.dtype),
        where=pattern(wrong, np.isfinite(values)),
    )


def _worst(fraction: Float64, error: Float64) -> tuple[int, ...]:
    """Return the index of the largest fraction; where several are equal (infinite, say), that of the largest error."""
    candidates = np.where(fraction == np.max(fraction), error, -1.0)
    return tuple(int(i) for i in np.unravel_index(int(np.argmax(candidates)), error.shape))


def _spacing(value: float, dtype: np.dtype[Any]) -> float:
    """Return the distance between neighboring values of a type around ``value``; 1 for integers."""
    if dtype.name not in FORMATS:
        return 1.0
    bits, smallest = FORMATS[dtype.name]
    exponent = math.frexp(value)[1] if math.isfinite(value) else smallest
    return math.ldexp(1.0, max(exponent, smallest) - bits)


def same_bits(a: Array, b: Array) -> bool:
    """Return whether shape, type and every byte are equal."""
    return a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()


def figures_of(found: Comparison) -> dict[str, Any]:
    """Return a comparison as the figures of a verdict."""
    return {
        "elements": found.elements,
        "beyond": found.beyond,
        "worst": list(found.worst),
        "actual": finite(found.actual),
        "expected": finite(found.expected),
        "error": finite(found.error),
        "bound": finite(found.bound),
        "fraction": finite(found.fraction),
        "ulp": finite(found.ulp),
    }
