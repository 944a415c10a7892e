"""Memory layouts of tensors, as NvInfer.h documents ``TensorFormat``.

A vector-major format (CHW2, CHW4, CHW16, CHW32, CDHW32) splits the channels into vectors of V: a tensor
``(*batch, C, *spatial)`` lies as an array ``(*batch, ceil(C/V), *spatial, V)``, channel c at ``c / V`` and ``c % V``.
A vector-minor one (HWC, HWC8, HWC16, DHWC, DHWC8) moves them last: ``(*batch, *spatial, ceil(C/V)*V)``.
What lies in the places that pad the last vector means nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from trt_conformance.core.arrays import Array
from trt_conformance.core.layouts import LAYOUTS
from trt_conformance.core.types import Format


def packed_shape(shape: Sequence[int], name: Format) -> tuple[int, ...]:
    """The C array that stores a tensor ``(*batch, C, *spatial)``."""
    if name == "LINEAR":
        return tuple(shape)
    layout = LAYOUTS[name]
    batch, channels, spatial = _split(shape, layout.rank)
    vectors = math.ceil(channels / layout.vector)
    if layout.is_major:
        return (*batch, vectors, *spatial, layout.vector)
    return (*batch, *spatial, vectors * layout.vector)


def pack(tensor: Array, name: Format, padding: float = 0.0) -> Array:
    """A tensor as stored in memory, with ``padding`` in the places that belong to no channel.

    Args:
        tensor: ``(*batch, C, *spatial)``.
        name: the format; of LINEAR this is the tensor itself.
        padding: 0 or NaN.
    """
    if name == "LINEAR":
        return np.ascontiguousarray(tensor)
    layout = LAYOUTS[name]
    axis, vector = -layout.rank - 1, layout.vector
    widths = [(0, 0)] * tensor.ndim
    widths[axis] = (0, -tensor.shape[axis] % vector)
    full = np.pad(tensor, widths, constant_values=np.asarray(padding).astype(tensor.dtype))
    if not layout.is_major:
        return np.ascontiguousarray(np.moveaxis(full, axis, -1))
    batch, channels, spatial = _split(full.shape, layout.rank)
    split = full.reshape(*batch, channels // vector, vector, *spatial)
    return np.ascontiguousarray(np.moveaxis(split, axis, -1))


def unpack(memory: Array, name: Format, shape: Sequence[int]) -> Array:
    """The tensor of ``shape`` that is stored in a packed array; the padding of its vectors is dropped."""
    array = memory.reshape(packed_shape(shape, name))
    if name == "LINEAR":
        return array
    layout = LAYOUTS[name]
    axis = -layout.rank - 1
    full = np.moveaxis(array, -1, axis)
    if layout.is_major:
        batch, channels, spatial = _split(shape, layout.rank)
        full = full.reshape(*batch, -1, *spatial)
    channels = shape[axis]
    inside: Any = (..., slice(0, channels), *(slice(None),) * layout.rank)
    return np.ascontiguousarray(full[inside])


def _split(shape: Sequence[int], rank: int) -> tuple[tuple[int, ...], int, tuple[int, ...]]:
    """Batch dimensions, channels and spatial sizes."""
    return tuple(shape[: -rank - 1]), shape[-rank - 1], tuple(shape[-rank:])
