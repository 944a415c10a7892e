"""The convolution of `convolution`, fast: as matrix products, in blocks that bound the memory, on several threads.

Where no sum is rounded, it gives the same bits as the definition. Otherwise a BLAS adds in its own order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from itertools import product
from typing import Any, TypeVar

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from trt_conformance.core.attributes import Attributes
from trt_conformance.numerics.reference.shape import Axis, resolve

Scalar = TypeVar("Scalar", bound=np.generic)

BLOCK = 2**21
"""The most elements that the windows of one matrix product have, and its result: the memory that it uses."""

MANY_PRODUCTS = 2**28
"""Convolutions of fewer products use one thread: BLAS threads spin for tens of milliseconds after each product."""


def convolve(
    x: NDArray[Scalar], kernel: NDArray[Scalar], bias: NDArray[Scalar] | None, attributes: Attributes
) -> NDArray[Scalar]:
    """Convolve in two or three dimensions, as `convolution.convolution` does.

    Args:
        x: ``(*batch, C, *spatial)``.
        kernel: ``(K, C/groups, *window)``.
        bias: ``(K,)`` or None.
        attributes: stride, padding, dilation, groups and padding mode.

    Returns:
        ``(*batch, K, *spatial)``.

    Raises:
        InvalidConvolution: shapes and attributes do not form a convolution.
    """
    return convolve_along(x, kernel, bias, resolve(x.shape, kernel.shape, attributes), attributes.groups)


def convolve_along(
    x: NDArray[Scalar],
    kernel: NDArray[Scalar],
    bias: NDArray[Scalar] | None,
    axes: tuple[Axis, ...],
    groups: int,
) -> NDArray[Scalar]:
    """Convolve along resolved axes, as `convolve` does.

    There is one matrix product for each image, or for a few of its rows: the kernel times the elements in its windows.
    Those of several small images are computed in one call. A piece of a convolution has the bits of the whole if its
    rows begin and end where those of a matrix product do (`rows_at_once`).
    """
    rank, (maps, channels, *window) = len(axes), kernel.shape
    batch, sizes = x.shape[: -rank - 1], tuple(axis.size for axis in axes)
    terms = math.prod(kernel.shape[1:])

    images = _pad(x, axes, window).reshape(math.prod(batch), groups, channels, *_reach(axes, window))
    windows = _windows(images, axes, window)
    weights = np.ascontiguousarray(kernel).reshape(groups, maps // groups, terms)
    out = np.empty((len(images), groups, maps // groups, *sizes), dtype=x.dtype)
    rows = rows_at_once(kernel.shape, sizes, groups)
    together = max(1, rows // max(1, sizes[0]))
    with _threads(terms * out.size):
        for image, first in product(range(0, len(images), together), range(0, sizes[0], rows)):
            block: Any = (slice(image, image + together), ..., slice(first, first + rows), *(slice(None),) * (rank - 1))
            seen, written = windows[block], out[block]
            columns = math.prod(written.shape[-rank:])  # stated, because without channels nothing tells it
            written[...] = (weights @ seen.reshape(len(seen), groups, terms, columns)).reshape(written.shape)

    result = out.reshape(*batch, maps, *sizes)
    if bias is not None:
        result += bias.reshape(maps, *(1,) * rank)
    return result


def rows_at_once(kernel_shape: Sequence[int], sizes: Sequence[int], groups: int) -> int:
    """Return the rows of an output, along its first spatial axis, that one matrix product computes.

    Args:
        kernel_shape: ``(K, C/groups, *window)``.
        sizes: those of the output along its spatial axes.
        groups: the groups of the convolution.
    """
    of_column = max(groups * math.prod(kernel_shape[1:]), kernel_shape[0])
    return max(1, BLOCK // max(1, of_column * math.prod(sizes[1:])))


def one_thread() -> AbstractContextManager[object]:
    """Limit BLAS to one thread for the duration of the context, whichever thread calls it."""
    limit: AbstractContextManager[object] = _blas().limit(limits=1, user_api="blas")
    return limit


def _threads(products: int) -> AbstractContextManager[object]:
    return nullcontext() if products >= MANY_PRODUCTS else one_thread()


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()


def _windows(images: NDArray[Scalar], axes: tuple[Axis, ...], window: list[int]) -> NDArray[Scalar]:
    """Return a view ``(N, G, C/G, *window, *output)`` of padded images: what each tap of each window reads."""
    leading, spatial = images.strides[: -len(axes)], images.strides[-len(axes) :]
    # Along an axis of one tap or one position nothing is ever added, and the product may exceed 64 bits.
    taps = [step * axis.dilation if f > 1 else 0 for step, axis, f in zip(spatial, axes, window, strict=True)]
    positions = [step * axis.stride if axis.size > 1 else 0 for step, axis in zip(spatial, axes, strict=True)]
    shape = (*images.shape[: -len(axes)], *window, *(axis.size for axis in axes))
    return as_strided(images, shape, (*leading, *taps, *positions), writeable=False)


def _reach(axes: tuple[Axis, ...], window: list[int]) -> tuple[int, ...]:
    return tuple(axis.reach(f) for axis, f in zip(axes, window, strict=True))


def _pad(x: NDArray[Scalar], axes: tuple[Axis, ...], window: list[int]) -> NDArray[Scalar]:
    """Pad the input with the zeros that the windows read; where the size is rounded up, they read past the padding."""
    reach = _reach(axes, window)
    padded = np.zeros((*x.shape[: -len(axes)], *reach), dtype=x.dtype)
    target: list[Any] = [...]
    source: list[Any] = [...]
    for axis, size, end in zip(axes, x.shape[-len(axes) :], reach, strict=True):
        first, last = min(axis.before, end), min(axis.before + size, end)
        target.append(slice(first, last))
        source.append(slice(0, last - first))
    padded[tuple(target)] = x[tuple(source)]
    return padded
