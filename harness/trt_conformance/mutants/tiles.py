"""Mutants that are wrong where an output's tiles end, or where an input is smaller than the window."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from trt_conformance.core.arrays import Array
from trt_conformance.core.attributes import Attributes
from trt_conformance.core.case import Case
from trt_conformance.mutants import conditions
from trt_conformance.mutants.conditions import Condition, both
from trt_conformance.mutants.mutant import Mutant, multiply
from trt_conformance.mutants.operands import zeroed

Multiply = Callable[[Array, Array, Attributes, Case], Array]


def pixel_behind(tile: int) -> Callable[[Array, Case], Array]:
    """Leave the one element of each map after whole tiles of ``tile`` zero."""

    def limited(y: Array, case: Case) -> Array:
        flat = y.reshape(*y.shape[: -case.spatial_rank], -1).copy()
        if flat.shape[-1] > tile and flat.shape[-1] % tile == 1:
            flat[..., -1] = 0
        return flat.reshape(y.shape)

    return limited


def tile_across_images(tile: int) -> Callable[[Array, Case], Array]:
    """Begin each image but the first with that before it where the last tile of that reaches into it."""

    def mixed(y: Array, case: Case) -> Array:
        maps = y.reshape(-1, y.shape[-case.spatial_rank - 1], math.prod(y.shape[-case.spatial_rank :])).copy()
        if maps.shape[-1] > tile and 0 < maps.shape[-1] % tile < 4:
            maps[1:, :, 0] = maps[:-1, :, 0]
        return maps.reshape(y.shape)

    return mixed


def without_taps(taps: Any, axis: int, places: slice) -> Multiply:
    """Leave taps of the window out of the outputs at some places of an axis."""

    def wrong(x: Array, kernel: Array, attributes: Attributes, case: Case) -> Array:
        y = multiply(x, kernel, attributes, case)
        part = multiply(x, zeroed(*taps)(kernel, case), attributes, case)
        of_axis = np.moveaxis(y, axis, 0)  # a view
        of_axis[places] = np.moveaxis(part, axis, 0)[places]
        return y

    return wrong


def strides_by(stride: int) -> Condition:
    return lambda case: case.attributes.stride[-1] == stride


def one_long(axis: int) -> Condition:
    """Whether the layer's input has one element along an axis along which the window has several."""
    return lambda case: (
        case.kernel.shape[axis] > 1
        and case.spatial_rank >= -axis
        and all(case.layer_shape(shape)[axis] == 1 for shape in case.run_shapes)
    )


def middle_tap(axis: int) -> Callable[[Array, Case], Array]:
    """Read only the middle tap of the window along an axis."""

    def only(kernel: Array, case: Case) -> Array:
        taps = np.arange(kernel.shape[axis]).reshape(-1, *(1,) * (-axis - 1))
        return np.asarray(kernel * (taps == kernel.shape[axis] // 2).astype(kernel.dtype))

    return only


def offsets_in_16_bits(x: Array, case: Case) -> Array:
    """Read image n from where it begins modulo 65,536 elements."""
    images = math.prod(x.shape[: -case.spatial_rank - 1])
    size = x.size // max(1, images)
    starts = np.arange(images)[:, None] * size % 2**16
    return np.asarray(np.resize(x.ravel(), x.size + 2**16)[starts + np.arange(size)]).reshape(x.shape)


def written_in_16_bits(y: Array, case: Case) -> Array:
    """Write image n to where it begins modulo 65,536 elements."""
    images = math.prod(y.shape[: -case.spatial_rank - 1])
    size = y.size // max(1, images)
    written = np.zeros_like(y).ravel()
    for number, image in enumerate(y.reshape(images, size)):
        start = number * size % 2**16
        written[start : start + size] = image[: y.size - start]
    return written.reshape(y.shape)


LAST = (..., slice(-1, None))
FIRST_ROW = (..., slice(0, 1), slice(None))


def _all() -> Iterator[Mutant]:
    yield Mutant(
        "pixel_behind_tiles_of_128", "the one element after whole tiles of 128 is zero", output=pixel_behind(128)
    )
    yield Mutant(
        "tile_of_256_across_images",
        "an image begins with the one before it where tiles of 256 reach into it",
        conditions.batched,
        output=tile_across_images(256),
    )
    for stride in (1, 2, 3):
        yield Mutant(
            f"last_tap_left_out_of_column_31_by_{stride}",
            f"the last column of each tile of 32 lacks the window's last column, by a stride of {stride}",
            both(strides_by(stride), lambda case: case.kernel.shape[-1] > 1),
            multiply=without_taps(LAST, -1, slice(31, -1, 32)),
            passes=lambda case: 2,
        )
    for name, words, condition in (
        ("window_5", "a window of five rows or more", lambda case: case.kernel.shape[-2] >= 5),
        ("dilated", "a dilated window", lambda case: case.attributes.dilation[-2] > 1 and case.kernel.shape[-2] > 1),
    ):
        yield Mutant(
            f"first_tap_left_out_of_row_16_{name}",
            f"the first row of each tile of 16 but the first lacks the first row of {words}",
            condition,
            multiply=without_taps(FIRST_ROW, -2, slice(16, None, 16)),
            passes=lambda case: 2,
        )
    yield Mutant(
        "depthwise_window_5_by_stride_2",
        "depthwise windows of five columns have the fourth in place of the fifth, by a stride of 2",
        both(both(conditions.depthwise, strides_by(2)), lambda case: case.kernel.shape[-1] == 5),
        kernel=lambda kernel, case: kernel[..., [0, 1, 2, 3, 3]],
    )
    for axis, word in ((-2, "row"), (-1, "column"), (-3, "slice")):
        in_3d = conditions.three_d if axis == -3 else conditions.always
        yield Mutant(
            f"input_of_one_{word}",
            f"an input of one {word} meets only the middle {word} of the window",
            both(in_3d, one_long(axis)),
            kernel=middle_tap(axis),
        )
    yield Mutant("input_offset_in_16_bits", "an image's offset in the input has 16 bits", input=offsets_in_16_bits)
    yield Mutant("output_offset_in_16_bits", "an image's offset in the output has 16 bits", output=written_in_16_bits)


MUTANTS: tuple[Mutant, ...] = tuple(_all())
