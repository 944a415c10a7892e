"""Compares what a target gave with what it should have given: name, shape and type before values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """Figures of one comparison; the worst element is the one that uses most of its bound.

    ``fraction`` is |error| / bound there: infinite for an error where the bound is 0, or for a value
    that is not finite. ``ulp`` counts units in the last place of the compared type.
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
    """What is wrong with an engine's outputs before any value is looked at."""
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
    """Compare elementwise: |actual - expected| <= bound.

    Args:
        actual: what the target gave, in its own type.
        expected: float64 of the same shape.
        bound: the largest error allowed, float64 of the same shape.

    Raises:
        ValueError: the shapes differ.
    """
    if not actual.shape == expected.shape == bound.shape:
        raise ValueError(f"shapes differ: {actual.shape}, {expected.shape}, {bound.shape}")
    if actual.size == 0:
        return Comparison(0, 0, (), 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, "")
    values = actual.astype(np.float64)
    finite = np.isfinite(values)
    error = np.where(finite, np.abs(np.where(finite, values, 0.0) - expected), np.inf)
    # An unordered comparison counts as beyond: a NaN in the expectation or the bound passes nothing.
    wrong = ~(error <= bound)
    with np.errstate(divide="ignore", invalid="ignore"):
        fraction = np.where(error == 0, 0.0, error / bound)
    fraction = np.where(wrong & ~(fraction > 1), np.inf, fraction)
    worst = tuple(int(i) for i in np.unravel_index(int(np.argmax(_rank(fraction, error))), error.shape))
    spacing = float(_spacing(expected[worst], actual.dtype))
    return Comparison(
        elements=int(actual.size),
        beyond=int(wrong.sum()),
        worst=worst,
        actual=float(values[worst]),
        expected=float(expected[worst]),
        error=float(error[worst]),
        bound=float(bound[worst]),
        fraction=float(fraction[worst]),
        ulp=float(error[worst]) / spacing,
        where=pattern(wrong),
    )


def _rank(fraction: Float64, error: Float64) -> Float64:
    """Orders elements by the fraction used, and equal fractions (two infinities, say) by the error."""
    top = fraction.max()
    return np.where(fraction == top, 1.0 + error / (1.0 + error) if np.isfinite(error).all() else 1.0, 0.0)


def _spacing(value: float, dtype: np.dtype[Any]) -> float:
    """The distance between neighbouring values of a type around ``value``; 1 for integers."""
    if not np.issubdtype(dtype, np.floating) and dtype.kind != "V":
        return 1.0
    import ml_dtypes

    info = ml_dtypes.finfo(dtype)
    exponent = np.floor(np.log2(max(abs(value), float(info.smallest_normal))))
    return float(2.0**exponent * float(info.eps))


AXES = {4: ("n", "k", "h", "w"), 5: ("n", "k", "d", "h", "w")}


def axis_names(rank: int) -> tuple[str, ...]:
    """Names of an output's dimensions: n, k, then d, h, w as far as it has them."""
    return AXES.get(rank, tuple(f"i{axis}" for axis in range(rank)))


def place(index: tuple[int, ...]) -> str:
    """An index as people read it: (n=0, k=0, h=0, w=4)."""
    return "(" + ", ".join(f"{name}={i}" for name, i in zip(axis_names(len(index)), index, strict=True)) + ")"


HINTS = {
    "last": "look at post-padding and rounding",
    "first": "look at pre-padding",
}


def pattern(wrong: NDArray[np.bool_]) -> str:
    """How the wrong elements lie, where they lie in a pattern that hints at a cause; else an empty text."""
    if not wrong.any():
        return ""
    if wrong.all():
        return "every element is beyond its bound"
    places = np.argwhere(wrong)
    names = {"n": "batch row", "k": "output map", "d": "slice", "h": "row", "w": "column"}
    for axis, name in reversed(list(enumerate(axis_names(wrong.ndim)))):
        hit, size = np.unique(places[:, axis]), wrong.shape[axis]
        if len(hit) == 1 and size > 1:
            word = names.get(name, f"index of axis {axis}")
            side = "first" if hit[0] == 0 else "last" if hit[0] == size - 1 else None
            which = f"the {side} {word}" if side else f"{word} {hit[0]}"
            hint = f": {HINTS[side]}" if side and name in "dhw" else ""
            return f"every mismatch lies in {which}{hint}"
    spatial = places[:, 2:]
    edge = (spatial == 0) | (spatial == np.asarray(wrong.shape[2:]) - 1)
    if wrong.ndim > 2 and edge.any(axis=1).all():
        return "every mismatch lies on the border: look at padding"
    return ""
