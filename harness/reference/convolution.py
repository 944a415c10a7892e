"""The convolution layer's definition, written to be read.

    y[n, k, o] = b[k] + sum over c, f of  x[n, g*C/G + c, o*S + f*D - B] * w[k, c, f]

with k in group g, and zero wherever x is read outside its bounds. It works in the type of its
operands: float64 for verdicts, ``Fraction`` objects for exact arithmetic.
"""

from __future__ import annotations

import math
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from harness.model import Attributes
from harness.reference.shape import Axis, extent, resolve

Scalar = TypeVar("Scalar", bound=np.generic)


def convolve(
    x: NDArray[Scalar], kernel: NDArray[Scalar], bias: NDArray[Scalar] | None, attributes: Attributes
) -> NDArray[Scalar]:
    """Convolve (cross-correlate, as every deep-learning library does) in two or three dimensions.

    One matrix product for each tap of the window: what the tap reads, times what it weighs.

    Args:
        x: ``(*batch, C, *spatial)``.
        kernel: ``(K, C/groups, *window)``.
        bias: ``(K,)`` or None.
        attributes: stride, padding, dilation, groups and padding mode.

    Returns:
        ``(*batch, K, *spatial)``.

    Raises:
        InvalidConvolution: shapes and attributes do not go together.
    """
    axes = resolve(x.shape, kernel.shape, attributes)
    rank, groups, maps = len(axes), attributes.groups, kernel.shape[0]
    batch, sizes = x.shape[: -rank - 1], tuple(axis.size for axis in axes)
    count, points = math.prod(batch), math.prod(sizes)

    padded = _pad(x, axes, kernel.shape[2:])
    grouped = np.moveaxis(padded.reshape(count, groups, -1, *padded.shape[-rank:]), 0, 2)
    weights = kernel.reshape(groups, maps // groups, -1, *kernel.shape[2:])
    out = np.zeros((groups, maps // groups, count * points), dtype=x.dtype)
    for tap in np.ndindex(*kernel.shape[2:]):
        read = tuple(_positions(axis, offset) for axis, offset in zip(axes, tap, strict=True))
        seen = grouped[(..., *read)].reshape(groups, weights.shape[2], count * points)
        out += np.ascontiguousarray(weights[(..., *tap)]) @ seen

    result = np.moveaxis(out.reshape(maps, count, *sizes), 0, 1).reshape(*batch, maps, *sizes)
    if bias is None:
        return np.ascontiguousarray(result)
    total: NDArray[Any] = result + bias.reshape(maps, *(1,) * rank)
    return total


def _positions(axis: Axis, offset: int) -> slice:
    """Where the tap at ``offset`` reads along a padded axis."""
    start = offset * axis.dilation
    return slice(start, start + (axis.size - 1) * axis.stride + 1, axis.stride)


def _pad(x: NDArray[Scalar], axes: tuple[Axis, ...], window: tuple[int, ...]) -> NDArray[Scalar]:
    """Zeros around the input, as many as the windows read: rounding up reads past the stated padding."""
    rank = len(axes)
    reach = tuple((a.size - 1) * a.stride + extent(f, a.dilation) for a, f in zip(axes, window, strict=True))
    padded = np.zeros((*x.shape[:-rank], *reach), dtype=x.dtype)
    inside = tuple(
        (min(axis.before, end), min(axis.before + size, end))
        for axis, size, end in zip(axes, x.shape[-rank:], reach, strict=True)
    )
    target = tuple(slice(first, last) for first, last in inside)
    source = tuple(slice(0, last - first) for first, last in inside)
    padded[(..., *target)] = x[(..., *source)]
    return padded
