"""Describes in words where the mismatches of a tensor are."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

AXES = {4: ("n", "k", "h", "w"), 5: ("n", "k", "d", "h", "w")}


def axis_names(rank: int) -> tuple[str, ...]:
    """Return the names of an output's dimensions: n, k, then d, h, w; i0, i1, ... for other ranks."""
    return AXES.get(rank, tuple(f"i{axis}" for axis in range(rank)))


def place(index: tuple[int, ...]) -> str:
    """Format an index with the names of its dimensions: (n=0, k=0, h=0, w=4)."""
    return "(" + ", ".join(f"{name}={i}" for name, i in zip(axis_names(len(index)), index, strict=True)) + ")"


HINTS = {
    "last": "look at post-padding and rounding",
    "first": "look at pre-padding",
}


class Pattern:
    """Where the wrong elements of an output are, gathered from its pieces."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        """``shape`` is that of the whole output."""
        self._shape = shape
        self._elements = self._count = self._odd = 0
        self._hit = [np.zeros(size, dtype=bool) for size in shape]
        self._on_border = True

    def add(self, offset: tuple[int, ...], wrong: NDArray[np.bool_], is_finite: NDArray[np.bool_]) -> None:
        """Add a piece.

        Args:
            offset: the index of the piece's first element in the whole.
            wrong: which elements of the piece are beyond their bound.
            is_finite: which of them are finite; of the same shape.
        """
        self._elements += wrong.size
        if not wrong.any():
            return
        self._count += int(wrong.sum())
        self._odd += int((wrong & ~is_finite).sum())
        inner = wrong
        for axis, (start, size, hit) in enumerate(zip(offset, self._shape, self._hit, strict=True)):
            others = tuple(other for other in range(wrong.ndim) if other != axis)
            places = slice(start, start + wrong.shape[axis])
            hit[places] |= wrong.any(axis=others)
            # Along an axis of one or two elements every element is on the border, which says nothing.
            if axis >= 2 and size > 2:
                index = np.arange(places.start, places.stop)
                inner = np.compress((index > 0) & (index < size - 1), inner, axis=axis)
        self._on_border &= not inner.any()

    def join(self, other: Pattern) -> None:
        """Add the pieces of another pattern of the same output."""
        self._elements += other._elements
        self._count += other._count
        self._odd += other._odd
        self._on_border &= other._on_border
        for hit, more in zip(self._hit, other._hit, strict=True):
            np.logical_or(hit, more, out=hit)

    def text(self) -> str:
        """Describe the wrong elements if that hints at a cause; else return an empty text."""
        where = self._region() if self._count > 1 else ""  # a single element is in some row by chance
        if not self._odd:
            return where
        which = "every mismatch" if self._odd == self._count else f"{self._odd} of the {self._count} mismatches"
        said = "one element is not finite" if self._count == 1 else f"not finite: {which}"
        return f"{said}; {where}" if where else said

    def _region(self) -> str:
        """Where the wrong elements are, if that is one region."""
        if self._count == self._elements:
            return "every element is beyond its bound"
        names = {"n": "batch row", "k": "output map", "d": "slice", "h": "row", "w": "column"}
        for axis, name in reversed(list(enumerate(axis_names(len(self._shape))))):
            hit, size = np.flatnonzero(self._hit[axis]), self._shape[axis]
            if len(hit) == 1 and size > 1:
                word = names.get(name, f"axis-{axis} index")
                side = "first" if hit[0] == 0 else "last" if hit[0] == size - 1 else None
                which = f"the {side} {word}" if side else f"{word} {hit[0]}"
                hint = f": {HINTS[side]}" if side and name in "dhw" else ""
                return f"every mismatch is in {which}{hint}"
        if self._on_border:
            return "every mismatch is on the border: look at padding"
        return self._several(names)

    def _several(self, names: Mapping[str, str]) -> str:
        """The wrong elements' indices along the axis of which they take the smallest part, if these have a rule.

        At least half of the elements with these indices must be wrong: a few elements have some by chance.
        """
        axes = [
            (hit.sum() / max(1, size), axis)
            for axis, (hit, size) in enumerate(zip(self._hit, self._shape, strict=True))
        ]
        for part, axis in sorted(axes, key=lambda entry: (entry[0], -entry[1])):
            name = axis_names(len(self._shape))[axis]
            rule = _rule(np.flatnonzero(self._hit[axis]), self._shape[axis])
            if part < 1 and rule and 2 * self._count >= part * self._elements:
                return f"every mismatch is in {rule.format(names.get(name, f'axis-{name} index'))}"
        return ""


def _rule(hit: NDArray[np.intp], size: int) -> str:
    """Say which of ``size`` indices these are: a range at an end, one of at most half of them, or each n-th; else ''.

    The text has a place for the name of the axis.
    """
    if len(hit) < 2:
        return ""
    steps = np.diff(hit)
    first, last, step = int(hit[0]), int(hit[-1]), int(steps[0])
    if (steps != step).any():
        return ""
    if step > 1:
        return f"every {_ordinal(step)} {{}} from {first} on" if len(hit) > 2 and last + step >= size else ""
    at_an_end = first == 0 or last == size - 1
    return f"{{}}s {first} to {last} of {size}" if at_an_end or 2 * len(hit) <= size else ""


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return "second" if number == 2 else f"{number}{ending}"
