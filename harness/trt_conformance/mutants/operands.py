"""Mutants that misread their operands: kernel, input, groups and bias."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from trt_conformance.core.arrays import Array
from trt_conformance.core.case import Case
from trt_conformance.mutants import conditions
from trt_conformance.mutants.mutant import Change, Mutant, add_bias, per_map


def flipped(*axes: int) -> Change:
    """Reverse a tensor along axes."""
    return lambda tensor, case: np.flip(tensor, axes)


def zeroed(*place: Any) -> Change:
    """Read one part of a tensor as zero."""
    return patched(lambda part: part * 0, *place)


def patched(change: Callable[[Array], Array], *place: Any) -> Change:
    """Change one part of a tensor."""

    def patch(tensor: Array, case: Case) -> Array:
        copy = tensor.copy()
        copy[place] = change(copy[place])
        return copy

    return patch


def channel_axis(case: Case) -> int:
    return -case.spatial_rank - 1


def on_channels(choose: Callable[[int, int], list[int]]) -> Change:
    """Read channel ``i`` of the input from channel ``choose(channels, groups)[i]``."""

    def gather(x: Array, case: Case) -> Array:
        axis = channel_axis(case)
        return np.take(x, choose(x.shape[axis], case.attributes.groups), axis=axis)

    return gather


def on_maps(choose: Callable[[int, int], list[int]]) -> Change:
    """Read map ``i`` of the kernel or the bias from map ``choose(maps, groups)[i]``."""
    return lambda tensor, case: tensor[choose(len(tensor), case.attributes.groups)]


def interleaved(count: int, groups: int) -> list[int]:
    """0, n, 2n, … 1, n+1, …: members of all groups in turn."""
    return [int(i) for i in np.arange(count).reshape(groups, -1).T.ravel()]


def dealt(count: int, groups: int) -> list[int]:
    """The inverse of `interleaved`: group g has the members g, g + groups, …"""
    return [int(i) for i in np.arange(count).reshape(-1, groups).T.ravel()]


def groups_rolled(count: int, groups: int) -> list[int]:
    size = count // groups
    return [(i + size) % count for i in range(count)]


def first_group(count: int, groups: int) -> list[int]:
    return [i % (count // groups) for i in range(count)]


def overlapping(count: int, groups: int) -> list[int]:
    """Each group but the first starts one channel early."""
    return [max(0, i - (i >= count // groups)) for i in range(count)]


def resized(w: Array, case: Case) -> Array:
    """Read the kernel's memory with H and W of the window exchanged."""
    return w.reshape(*w.shape[:-2], w.shape[-1], w.shape[-2])


def transposed(w: Array, case: Case) -> Array:
    """Transpose a square window."""
    return w.swapaxes(-1, -2) if w.shape[-1] == w.shape[-2] else w


def axes_reversed(w: Array, case: Case) -> Array:
    """Exchange D and W of a window if they are equal in size."""
    return w.swapaxes(-1, -3) if w.shape[-1] == w.shape[-3] else w


def channels_last(tensor: Array, case: Case) -> Array:
    """Read memory in channels-first order as channels-last."""
    axis = channel_axis(case)
    shape = (*tensor.shape[:axis], *tensor.shape[axis + 1 :], tensor.shape[axis])
    return np.moveaxis(tensor.reshape(shape), -1, axis)


def channels_before_maps(w: Array, case: Case) -> Array:
    """Read memory in the order KCRS as CKRS."""
    return w.reshape(w.shape[1], w.shape[0], *w.shape[2:]).swapaxes(0, 1)


def term_limit(count: int) -> Change:
    """Sum only the first ``count`` terms of each output."""

    def limited(w: Array, case: Case) -> Array:
        flat = w.reshape(len(w), -1).copy()
        flat[:, count:] = 0
        return flat.reshape(w.shape)

    return limited


def channel_multiple(size: int) -> Change:
    """Drop the kernel's channels after the last whole vector of ``size``."""

    def limited(w: Array, case: Case) -> Array:
        whole = w.shape[1] // size * size
        return zeroed(slice(None), slice(whole, None))(w, case) if whole else w

    return limited


def depth_signs(w: Array, case: Case) -> Array:
    """Subtract every second slice of a 3D kernel."""
    return np.asarray(w * np.where(np.arange(w.shape[2]) % 2, -1, 1).astype(w.dtype).reshape(-1, 1, 1))


def opt_pitch(x: Array, case: Case) -> Array:
    """Read a dynamic input's memory with the row length of the profile's largest shape."""
    assert case.dynamic is not None
    flat = np.zeros(math.prod(case.dynamic.max), x.dtype)
    flat[: x.size] = x.ravel()
    return np.asarray(flat.reshape(case.dynamic.max)[tuple(map(slice, x.shape))])


def biased(change: Change) -> Callable[[Array, Array, Case], Array]:
    """Add a changed bias correctly."""
    return lambda y, bias, case: add_bias(y, change(bias, case), case)


def bias_by_column(y: Array, bias: Array, case: Case) -> Array:
    return np.asarray(y + bias[np.arange(y.shape[-1]) % len(bias)])


def bias_on_first_image(y: Array, bias: Array, case: Case) -> Array:
    y[:1] += per_map(bias, case)
    return y


def bias_on_first_column(y: Array, bias: Array, case: Case) -> Array:
    y[..., :1] += per_map(bias, case)
    return y


def bias_inside_only(y: Array, bias: Array, case: Case) -> Array:
    """Omit the bias where the products sum to zero."""
    return np.where(y == 0, y, add_bias(y, bias, case))


KERNEL: tuple[Mutant, ...] = (
    Mutant("kernel_flipped_on_h", "the window's rows are reversed", kernel=flipped(-2)),
    Mutant("kernel_flipped_on_w", "the window's columns are reversed", kernel=flipped(-1)),
    Mutant("kernel_flipped", "a true convolution: the window is flipped on H and W", kernel=flipped(-2, -1)),
    Mutant("kernel_flipped_on_d_h_w", "a true convolution in 3D", conditions.three_d, kernel=flipped(-3, -2, -1)),
    Mutant(
        "kernel_flipped_on_d",
        "the window's slices are reversed",
        conditions.three_d,
        kernel=flipped(-3),
    ),
    Mutant("kernel_transposed", "a square window is transposed", kernel=transposed),
    Mutant("kernel_axes_reversed", "a cubic window's axes are reversed", conditions.three_d, kernel=axes_reversed),
    Mutant(
        "kernel_size_reversed",
        "the axes of a 3D window's size are reversed",
        conditions.three_d,
        kernel=lambda w, case: w.reshape(*w.shape[:2], *w.shape[:1:-1]),
    ),
    Mutant("kernel_size_h_w_swapped", "the window's height and width are exchanged", kernel=resized),
    Mutant("kernel_channels_last", "the kernel's memory is read as KRSC", kernel=channels_last),
    Mutant("kernel_channels_first", "the kernel's memory is read as CKRS", kernel=channels_before_maps),
    Mutant("kernel_channels_reversed", "the kernel's channels are reversed", kernel=lambda w, case: w[:, ::-1]),
    Mutant(
        "kernel_maps_reversed",
        "the kernel's output maps are reversed, but not their bias",
        kernel=lambda w, case: w[::-1],
    ),
    Mutant(
        "kernel_maps_all_first", "every output map has the first map's kernel", kernel=lambda w, case: w[[0] * len(w)]
    ),
    Mutant(
        "kernel_slices_subtracted",
        "every second slice of a 3D window is subtracted",
        conditions.three_d,
        kernel=depth_signs,
    ),
    Mutant("kernel_magnitude", "the kernel loses its signs", kernel=lambda w, case: np.abs(w)),
    Mutant("first_tap_dropped", "the window's first element is not read", kernel=zeroed(..., 0, 0)),
    Mutant("last_tap_dropped", "the window's last element is not read", kernel=zeroed(..., -1, -1)),
    Mutant("last_channel_not_summed", "the last channel of each group is not summed", kernel=zeroed(slice(None), -1)),
    Mutant(
        "one_term_twice", "the first map counts one term twice", kernel=patched(lambda part: 2 * part, 0, 0, ..., -1, 0)
    ),
    Mutant(
        "channel_tail_of_4_dropped", "channels after the last whole four are not summed", kernel=channel_multiple(4)
    ),
    Mutant(
        "channel_tail_of_8_dropped", "channels after the last whole eight are not summed", kernel=channel_multiple(8)
    ),
    Mutant("terms_beyond_32_dropped", "only 32 terms are summed", kernel=term_limit(32)),
    Mutant("terms_beyond_128_dropped", "only 128 terms are summed", kernel=term_limit(128)),
    Mutant(
        "kernel_setter_ignored",
        "a kernel set by its setter is ignored: the placeholder's zeros remain",
        conditions.by_setters,
        kernel=lambda w, case: w * 0,
    ),
    Mutant(
        "num_output_maps_setter_ignored",
        "num_output_maps set by its setter is ignored: one map remains",
        conditions.by_setters,
        kernel=lambda w, case: w[:1],
    ),
)
INPUT: tuple[Mutant, ...] = (
    Mutant(
        "input_channels_reversed",
        "the input's channels are reversed",
        input=on_channels(lambda n, g: [*range(n)][::-1]),
    ),
    Mutant("input_channels_last", "the input's memory is read as NHWC", input=channels_last),
    Mutant("input_first_row_unread", "the first row of the input is read as zeros", input=zeroed(..., 0, slice(None))),
    Mutant("input_last_row_unread", "the last row of the input is read as zeros", input=zeroed(..., -1, slice(None))),
    Mutant("input_last_column_unread", "the last column of the input is read as zeros", input=zeroed(..., -1)),
    Mutant(
        "input_last_channel_first",
        "the last channel repeats the first",
        input=on_channels(lambda n, g: [*range(n - 1), 0]),
    ),
    Mutant("input_magnitude", "the input loses its signs", input=lambda x, case: np.abs(x)),
    Mutant("input_h_w_transposed", "the input's memory is read with H and W exchanged", input=resized),
    Mutant("input_upside_down", "the input's rows are reversed", input=flipped(-2)),
    Mutant(
        "input_depth_reversed",
        "the slices of a 3D input are reversed",
        conditions.three_d,
        input=flipped(-3),
    ),
    Mutant(
        "input_pitch_of_max",
        "a dynamic input is read with the row length of the profile's max shape",
        conditions.dynamic,
        input=opt_pitch,
    ),
)
GROUPS: tuple[Mutant, ...] = (
    Mutant(
        "groups_read_next_input",
        "each group reads the next group's channels",
        conditions.grouped,
        input=on_channels(groups_rolled),
    ),
    Mutant(
        "groups_read_first_input",
        "every group reads the first group's channels",
        conditions.grouped,
        input=on_channels(first_group),
    ),
    Mutant(
        "groups_overlap",
        "the channels of each group start one early",
        conditions.grouped,
        input=on_channels(overlapping),
    ),
    Mutant(
        "groups_interleave_input", "group g reads channels g, g + G, …", conditions.grouped, input=on_channels(dealt)
    ),
    Mutant(
        "groups_interleave_kernel",
        "the groups' kernels are interleaved by map",
        conditions.grouped,
        kernel=on_maps(interleaved),
    ),
    Mutant(
        "groups_use_next_kernel",
        "each group has the next group's kernel",
        conditions.grouped,
        kernel=on_maps(groups_rolled),
    ),
    Mutant(
        "groups_use_first_kernel",
        "every group has the first group's kernel",
        conditions.grouped,
        kernel=on_maps(first_group),
    ),
    Mutant(
        "groups_use_first_bias",
        "every group has the first group's bias",
        conditions.grouped,
        bias=biased(on_maps(first_group)),
    ),
    Mutant(
        "groups_use_next_bias",
        "each group has the next group's bias",
        conditions.grouped,
        bias=biased(on_maps(groups_rolled)),
    ),
    Mutant(
        "depthwise_maps_interleaved",
        "in a depthwise convolution, the maps of all channels are interleaved",
        conditions.depthwise,
        kernel=on_maps(interleaved),
    ),
)
BIAS: tuple[Mutant, ...] = (
    Mutant("bias_dropped", "the bias is not added", bias=lambda y, bias, case: y),
    Mutant("bias_twice", "the bias is added twice", bias=biased(lambda b, case: 2 * b)),
    Mutant("bias_subtracted", "the bias is subtracted", bias=biased(lambda b, case: -b)),
    Mutant("bias_of_next_map", "each map has the next map's bias", bias=biased(lambda b, case: np.roll(b, -1))),
    Mutant("bias_of_first_map", "every map has the first map's bias", bias=biased(lambda b, case: b[[0] * len(b)])),
    Mutant("bias_by_column", "the bias is indexed by column instead of by map", bias=bias_by_column),
    Mutant("bias_on_first_image", "the bias is added to the first image of a batch only", bias=bias_on_first_image),
    Mutant("bias_on_first_column", "the bias is added to the first column only", bias=bias_on_first_column),
    Mutant("bias_skips_zeros", "no bias is added to a sum of zero", bias=bias_inside_only),
    Mutant(
        "bias_setter_ignored",
        "a bias set by its setter is ignored",
        conditions.by_setters,
        bias=biased(lambda b, case: b * 0),
    ),
)
MUTANTS: tuple[Mutant, ...] = (*KERNEL, *INPUT, *GROUPS, *BIAS)
