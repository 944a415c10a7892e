"""Compares the output of a target with the expected one: name, shape and type first, then values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from trt_conformance.core.arrays import Array, Float64, widened
from trt_conformance.core.json import finite
from trt_conformance.numerics.places import Pattern

# Significant bits, and the exponent that frexp gives the smallest normal number.
FORMATS = {"float64": (53, -1021), "float32": (24, -125), "float16": (11, -13), "bfloat16": (8, -125)}


@dataclass(frozen=True)
class Comparison:
    """The figures of one comparison. The worst element is the one whose error is the largest fraction of its bound.

    ``fraction`` is |error| / bound of that element: infinite if the bound is 0 and the error is not, or where either
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
    tally = Tally(actual.shape, actual.dtype)
    tally.add((0,) * actual.ndim, actual, expected, bound)
    return tally.comparison()


class Tally:
    """A comparison that is made piece by piece. The result does not depend on how the output is cut."""

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        """``shape`` and ``dtype`` are those of the whole output."""
        self._dtype = dtype
        self._pattern = Pattern(shape)
        self._elements = self._beyond = 0
        self._worst: _Worst | None = None

    def add(self, offset: tuple[int, ...], actual: Array, expected: Float64, bound: Float64) -> None:
        """Compare a piece, as `compare` does, whose first element has the index ``offset`` in the whole."""
        if actual.size == 0:
            return
        values = widened(actual)
        if self._are_equal(offset, values, expected, bound):
            return
        is_finite = np.isfinite(values)
        both_finite = is_finite & np.isfinite(expected)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            error = np.where(both_finite, np.abs(values - expected), np.inf)
            fraction = np.where(error == 0, 0.0, error / bound)
        wrong = ~((error <= bound) & np.isfinite(bound))
        fraction = np.where(wrong & ~(fraction > 1), np.inf, fraction)
        self._elements += actual.size
        self._beyond += int(wrong.sum())
        self._pattern.add(offset, wrong, is_finite)
        at = _worst(fraction, error)
        place = tuple(start + index for start, index in zip(offset, at, strict=True))
        figures = (float(tensor[at]) for tensor in (values, expected, bound))
        self._note(_Worst(float(fraction[at]), float(error[at]), place, *figures))

    def _are_equal(self, offset: tuple[int, ...], values: Float64, expected: Float64, bound: Float64) -> bool:
        """Whether a piece has no error, which is usual where sums are exact; then it is added, at a small cost."""
        right = values == expected
        if not (right.all() and np.isfinite(expected).all() and ((bound >= 0) & np.isfinite(bound)).all()):
            return False
        self._elements += right.size
        self._pattern.add(offset, ~right, right)
        self._note(_Worst(0.0, 0.0, offset, float(values.flat[0]), float(expected.flat[0]), float(bound.flat[0])))
        return True

    def join(self, other: Tally) -> None:
        """Add the pieces of another tally of the same output."""
        self._elements += other._elements
        self._beyond += other._beyond
        self._pattern.join(other._pattern)
        self._note(other._worst)

    def _note(self, found: _Worst | None) -> None:
        if found is not None and (self._worst is None or found.order > self._worst.order):
            self._worst = found

    def comparison(self) -> Comparison:
        """The figures of all pieces so far."""
        worst = self._worst
        if worst is None:
            return Comparison(0, 0, (), 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, "")
        return Comparison(
            elements=self._elements,
            beyond=self._beyond,
            worst=worst.place,
            actual=worst.actual,
            expected=worst.expected,
            error=worst.error,
            bound=worst.bound,
            fraction=worst.fraction,
            ulp=worst.error / _spacing(worst.expected, self._dtype),
            where=self._pattern.text(),
        )


class _Worst(NamedTuple):
    """The worst element of a piece, with its place in the whole."""

    fraction: float
    error: float
    place: tuple[int, ...]
    actual: float
    expected: float
    bound: float

    @property
    def order(self) -> tuple[float, float, tuple[int, ...]]:
        """Larger where it is worse; of equal ones, the first place counts."""
        return self.fraction, self.error, tuple(-index for index in self.place)


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
