"""The prologue: applies the operations before the layer to the network's input."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from trt_conformance.core.arrays import Array
from trt_conformance.core.prologue_fields import PrologueOperation

Sizes = tuple[int, ...]


def layer_shape(steps: Sequence[PrologueOperation], rank: int, shape: Sequence[int], addend: Sequence[int]) -> Sizes:
    """Return the shape of the layer's input, from those of the network's input and of its addend.

    Args:
        steps: the operations before the layer.
        rank: the number of spatial axes.
        shape: ``(*batch, C, *spatial)``.
        addend: the same with other channels, where an operation reads it.
    """
    sizes, channels = list(shape), -rank - 1
    for step in steps:
        if step.op == "pad":
            ends = zip(step.pre_padding or (), step.post_padding or (), strict=True)
            sizes[-2:] = [size + before + after for size, (before, after) in zip(sizes[-2:], ends, strict=True)]
        elif step.op == "slice":
            sizes = list(step.shape or ())
        elif step.op == "max_pool":
            sizes[-rank:] = [size // each for size, each in zip(sizes[-rank:], step.window or (), strict=True)]
        elif step.op == "concat":
            sizes[channels] += addend[channels]
    return tuple(sizes)


def layer_input(steps: Sequence[PrologueOperation], rank: int, x: Array, addend: Array | None) -> Array:
    """Return the layer's input, from the network's input ``x`` and its addend, in their type; shapes as above."""
    for step in steps:
        x = _applied(step, rank, x, addend)
    return x


def _applied(step: PrologueOperation, rank: int, x: Array, addend: Array | None) -> Array:
    match step.op:
        case "cast":
            return x  # the harness has the values in the type of the case
        case "relu":
            return np.maximum(x, np.zeros((), x.dtype))
        case "pad":
            ends = [*zip(step.pre_padding or (), step.post_padding or (), strict=True)]
            return np.pad(x, [(0, 0)] * (x.ndim - 2) + ends)
        case "slice":
            along = zip(step.start or (), step.shape or (), step.stride or (), strict=True)
            taken: Any = tuple(slice(a, a + (n - 1) * s + 1, s) for a, n, s in along)
            return np.asarray(x[taken])
        case "max_pool":
            return pooled(x, step.window or ())
        case "concat":
            assert addend is not None
            return np.concatenate([x, addend.astype(x.dtype)], axis=-rank - 1)


def pooled(y: Array, window: Sequence[int], largest: Callable[..., Array] = np.max) -> Array:
    """Return the largest element of each window; windows do not overlap, and what fills none is left out.

    Args:
        y: ``(..., *spatial)``.
        window: one size for each spatial axis.
        largest: reduces the elements of a window, the last axes of its argument.
    """
    rank = len(window)
    sizes = [size // each for size, each in zip(y.shape[-rank:], window, strict=True)]
    whole: Any = (..., *(slice(0, size * each) for size, each in zip(sizes, window, strict=True)))
    whole_windows = y[whole]
    split = whole_windows.reshape(*y.shape[:-rank], *(n for pair in zip(sizes, window, strict=True) for n in pair))
    first = y.ndim - rank
    return largest(split, axis=tuple(range(first + 1, first + 2 * rank, 2)))
