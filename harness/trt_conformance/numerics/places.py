"""Describes in words where the mismatches of a tensor are."""

from __future__ import annotations

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


def pattern(wrong: NDArray[np.bool_], is_finite: NDArray[np.bool_]) -> str:
    """Describe the wrong elements where that hints at a cause; else return an empty text.

    Args:
        wrong: which elements are beyond their bound.
        is_finite: which elements of the output are finite; of the same shape.
    """
    count, odd = int(wrong.sum()), int((wrong & ~is_finite).sum())
    where = _region(wrong) if count > 1 else ""  # a single element is in some row by chance
    if odd:
        which = "every mismatch" if odd == count else f"{odd} of the {count} mismatches"
        said = "one element is not finite" if count == 1 else f"not finite: {which}"
        return f"{said}; {where}" if where else said
    return where


def _region(wrong: NDArray[np.bool_]) -> str:
    """Where the wrong elements are, if that is one region."""
    if wrong.all():
        return "every element is beyond its bound"
    places = np.argwhere(wrong)
    names = {"n": "batch row", "k": "output map", "d": "slice", "h": "row", "w": "column"}
    for axis, name in reversed(list(enumerate(axis_names(wrong.ndim)))):
        hit, size = np.unique(places[:, axis]), wrong.shape[axis]
        if len(hit) == 1 and size > 1:
            word = names.get(name, f"axis-{axis} index")
            side = "first" if hit[0] == 0 else "last" if hit[0] == size - 1 else None
            which = f"the {side} {word}" if side else f"{word} {hit[0]}"
            hint = f": {HINTS[side]}" if side and name in "dhw" else ""
            return f"every mismatch is in {which}{hint}"
    spatial, sizes = places[:, 2:], np.asarray(wrong.shape[2:])
    # Along an axis of one or two elements every element is on the border, which says nothing.
    edge = ((spatial == 0) | (spatial == sizes - 1)) & (sizes > 2)
    if edge.any(axis=1).all():
        return "every mismatch is on the border: look at padding"
    return ""
