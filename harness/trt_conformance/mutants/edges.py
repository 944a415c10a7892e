"""Mutants that are wrong beyond the limit of an index, at the end of a type, or where two settings meet."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import ml_dtypes
import numpy as np

from trt_conformance.core.arrays import Array
from trt_conformance.core.attributes import Attributes
from trt_conformance.core.case import Case
from trt_conformance.core.epilogue_fields import EpilogueOperation
from trt_conformance.mutants import conditions
from trt_conformance.mutants.arithmetic import BRAIN, HALF, rounding, through
from trt_conformance.mutants.conditions import Condition, both
from trt_conformance.mutants.mutant import Mutant, Role, multiply, quantize
from trt_conformance.mutants.network import rewritten
from trt_conformance.mutants.operands import zeroed
from trt_conformance.mutants.rounding import bias_in_tf32
from trt_conformance.numerics.reference.epilogue import applied
from trt_conformance.numerics.reference.quantization import LOW, Grid, dequantize, grid_of, scales
from trt_conformance.numerics.reference.quantization import quantize as to_grid
from trt_conformance.numerics.reference.shape import Axis
from trt_conformance.targets.numpy import truncated

EIGHT_BITS = 2**8
VECTOR = 32
"""Maps or channels beyond which a layer is wide."""


def wide(case: Case) -> bool:
    return case.kernel.shape[0] > VECTOR


def depthwise_of(channels: int) -> Condition:
    return lambda case: conditions.depthwise(case) and case.attributes.groups > channels


def strided_on_d_and_w(case: Case) -> bool:
    """Whether a layer in three dimensions has strides along D and W, which differ, and none along H."""
    depth, height, width = case.attributes.stride if case.spatial_rank == 3 else (1, 1, 1)
    return height == 1 and 1 < depth != width > 1


def padded_slices(case: Case) -> bool:
    """Whether a window of one element meets padding along D only."""
    pre = case.attributes.pre
    return case.spatial_rank == 3 and math.prod(case.kernel.shape[2:]) == 1 and pre[0] > 0 and not any(pre[1:])


def slices_repeated(y: Array, case: Case) -> Array:
    """Compute the padded slices of a window of one element from the first slice."""
    front = case.attributes.pre[0]
    copy = y.copy()
    copy[..., :front, :, :] = y[..., front : front + 1, :, :]
    return copy


def next_kernel_from_image_4(x: Array, kernel: Array, attributes: Attributes, case: Case) -> Array:
    """Convolve the images after the first four with the kernel of the next map."""
    y = multiply(x, kernel, attributes, case)
    if len(x) > 4:
        y[4:] = multiply(x[4:], np.roll(kernel, -1, 0), attributes, case)
    return y


def of_one_channel(case: Case) -> bool:
    """Whether the layer has one channel and a window of 3 x 3."""
    return case.kernel.shape[1:] == (1, 3, 3) and case.attributes.groups == 1


def middle_twice_by_fours(x: Array, kernel: Array, attributes: Attributes, case: Case) -> Array:
    """Count the middle of the window twice where the output has whole fours of columns, and more than two."""
    y = multiply(x, kernel, attributes, case)
    if y.shape[-1] % 4 or y.shape[-1] <= 8:
        return y
    middle = np.zeros_like(kernel)
    middle[..., 1, 1] = kernel[..., 1, 1]
    return y + multiply(x, middle, attributes, case)


def limited_window(axis: int) -> Callable[[Array, Case], Array]:
    """Read the last 255 taps of a window along an axis."""

    def limited(kernel: Array, case: Case) -> Array:
        beyond = max(0, kernel.shape[axis] - EIGHT_BITS + 1)
        place: tuple[Any, ...] = (..., slice(beyond), *(slice(None),) * (-axis - 1))
        return zeroed(*place)(kernel, case)

    return limited


def in_two_parts(values: Array) -> Array:
    """Split float32 numbers in two bfloat16 parts, which hold 16 bits."""
    high = values.astype(np.float32).astype(ml_dtypes.bfloat16).astype(np.float32)
    return np.asarray(high + through(BRAIN)(values - high)).astype(values.dtype)


def cut_beyond_22_bits(y: Array, case: Case) -> Array:
    """Drop the last four bits of sums of more than 22 bits."""
    return np.asarray(np.where(np.abs(y) > 2**22, np.trunc(y / 16) * 16, y))


def converted(limit: float, far_value: Callable[[Array], Array]) -> Callable[[Array, Array, Role, Grid], Array]:
    """Give outputs of more than ``limit`` scales another value than the end of the type."""

    def convert(x: Array, scale: Array, role: Role, grid: Grid) -> Array:
        right = quantize(x, scale, role, grid)
        far = np.abs(x / scale) > limit
        return np.where(far & (role == "output"), far_value(x), right)

    return convert


def through_the_input_scale(case: Case, y: Array, x: Array) -> Array:
    """Join the int8 copy of the input, after DQ, and not the input."""
    assert case.quantize is not None
    scale = scales(case.quantize.input, x.ndim)
    copy = dequantize(to_grid(x.astype(np.float64), scale, grid_of(case.precision)), scale)
    return applied(case, case.epilogue, y, copy.astype(x.dtype))


def largest_infinite(y: Array, case: Case) -> Array:
    """Write infinities from the largest float16 on."""
    largest = np.abs(y.astype(np.float64)) >= np.finfo(np.float16).max
    return np.where(largest, np.copysign(np.asarray(np.inf, y.dtype), y), y)


def fields_in(rounded: Callable[[Array], Array], op: str) -> Callable[[Case, Array, Array], Array]:
    """Keep the numbers that an operation is given in a narrower type."""

    def narrowed(step: EpilogueOperation) -> EpilogueOperation:
        def kept(value: Any) -> Any:
            values = rounded(np.atleast_1d(np.asarray(value, np.float64)))
            return tuple(map(float, values)) if isinstance(value, tuple) else float(values[0])

        names = ("alpha", "low", "high", "scale", "shift")
        given = {name: getattr(step, name) for name in names if getattr(step, name) is not None}
        return step.model_copy(update={name: kept(value) for name, value in given.items()}) if step.op == op else step

    return rewritten(lambda steps: [narrowed(step) for step in steps])


def factors_of_64_maps(step: EpilogueOperation) -> EpilogueOperation:
    """Scale the maps from the 64th on by the factors of the first ones."""
    if step.scale is None or len(step.scale) <= 64:
        return step
    return step.model_copy(update={"scale": tuple(step.scale[i % 64] for i in range(len(step.scale)))})


def shift_before_factor(step: EpilogueOperation) -> EpilogueOperation:
    """(y + shift) scale in place of y scale + shift, where each map has its own."""
    if step.scale is None or step.shift is None or len(step.scale) != len(step.shift):
        return step
    return step.model_copy(update={"shift": tuple(a * b for a, b in zip(step.scale, step.shift, strict=True))})


def _reach() -> Iterator[Mutant]:
    """Where no number alone is unusual, or where one is beyond a limit."""
    yield Mutant(
        "last_slice_dropped_by_strides_of_d_and_w",
        "strides along D and W, but not along H, drop the window's last slice",
        both(strided_on_d_and_w, lambda case: case.kernel.shape[2] > 1),
        kernel=zeroed(..., -1, slice(None), slice(None)),
    )
    yield Mutant(
        "padded_slices_repeated_window_1",
        "padding along D repeats the first slice under a window of one element",
        padded_slices,
        sums=slices_repeated,
    )
    yield Mutant(
        "last_slice_dropped_of_wide_depthwise",
        "depthwise over more than 16 channels drops the last slice of a window in 3D",
        both(depthwise_of(16), lambda case: case.spatial_rank == 3 and case.kernel.shape[2] > 1),
        kernel=zeroed(..., -1, slice(None), slice(None)),
    )
    yield Mutant(
        "depthwise_kernel_of_next_map_from_image_4",
        "depthwise over more than 32 channels takes the next map's kernel after four images",
        both(depthwise_of(VECTOR), lambda case: case.kernel.shape[0] == case.attributes.groups),
        multiply=next_kernel_from_image_4,
        passes=lambda case: 2,
    )
    yield Mutant(
        "middle_tap_twice_of_one_channel",
        "the middle of a 3 x 3 window over one channel counts twice where the columns are whole fours",
        of_one_channel,
        multiply=middle_twice_by_fours,
        passes=lambda case: 2,
    )
    for axis, word in ((-1, "columns"), (-2, "rows")):
        doc = f"windows of more than 255 {word} lack the first ones"
        yield Mutant(f"window_of_255_{word}", doc, kernel=limited_window(axis))
    yield Mutant("dilation_in_8_bits", "dilations are kept in eight bits", axis=dilation_in_8_bits)
    yield Mutant(
        "outer_dimensions_swapped",
        "the first two of three dimensions before C are exchanged in the order of the images",
        lambda case: len(case.input.shape) > case.spatial_rank + 3,
        output=lambda y, case: np.swapaxes(y, 0, 1).reshape(y.shape),
    )


def dilation_in_8_bits(axis: Axis, given: Any) -> Axis:
    return axis._replace(dilation=max(1, axis.dilation % EIGHT_BITS))


def _values() -> Iterator[Mutant]:
    """Where a number needs all the bits, or all the range, of its type."""
    fp32, deep = conditions.in_precision("fp32"), lambda case: case.kernel.shape[1] >= 64
    for operand in ("kernel", "input"):
        doc = f"fp32 splits the {operand} of 64 channels or more in two bf16 numbers"
        change: dict[str, Any] = {operand: rounding(in_two_parts)}
        yield Mutant(f"fp32_{operand}_in_two_bf16", doc, both(fp32, deep), **change)
    yield Mutant(
        "tf32_bias_in_tf32_of_wide_layers",
        "the bias of tf32 is truncated to TF32 in layers of more than 32 maps",
        both(conditions.in_precision("tf32"), wide),
        bias=bias_in_tf32,
    )
    yield Mutant(
        "fp16_largest_infinite",
        "the largest float16 is written as an infinity",
        conditions.in_precision("fp16"),
        output=largest_infinite,
    )
    bf16 = conditions.in_precision("bf16")
    yield Mutant(
        "bf16_kernel_in_fp16_window_1",
        "bf16 reads a kernel in float16 under a window of one element",
        both(bf16, lambda case: math.prod(case.kernel.shape[2:]) == 1),
        kernel=rounding(through(HALF)),
    )
    for place, words, applies in (
        ("groups", "in groups", both(conditions.grouped, lambda case: case.kernel.shape[1] > 1)),
        ("depthwise", "of a depthwise layer", conditions.depthwise),
        ("3d", "in three dimensions", conditions.three_d),
    ):
        yield Mutant(
            f"bf16_kernel_in_fp16_{place}",
            f"bf16 reads a kernel in float16 {words}",
            both(bf16, applies),
            kernel=rounding(through(HALF)),
        )
    yield Mutant(
        "bf16_add_in_fp16",
        "the addition after a bf16 layer saturates at the largest float16",
        both(bf16, conditions.followed_by("add")),
        output=lambda y, case: np.clip(y, np.asarray(-65504, y.dtype), np.asarray(65504, y.dtype)),
    )
    yield Mutant(
        "bf16_relu_in_fp16",
        "the relu after a bf16 layer saturates at the largest float16",
        both(bf16, conditions.followed_by("relu")),
        output=lambda y, case: np.minimum(y, np.asarray(65504, y.dtype)),
    )
    yield Mutant(
        "fp32_in_tf32_of_further_dimensions",
        "fp32 reads its operands in TF32 where there are several dimensions before C",
        both(conditions.in_precision("fp32"), lambda case: len(case.input.shape) > case.spatial_rank + 2),
        input=lambda x, case: truncated(x),
        kernel=lambda kernel, case: truncated(kernel),
    )
    int8 = conditions.in_precision("int8")
    yield Mutant(
        "input_in_fp16_of_a_quantized_kernel",
        "int8 reads its input in float16 where the kernel alone is quantized",
        both(int8, lambda case: case.quantize is not None and case.quantize.only == "kernel"),
        input=rounding(through(HALF)),
    )
    yield Mutant(
        "int8_sums_of_22_bits",
        "the last four bits of int8 sums beyond 2^22 are dropped",
        int8,
        sums=cut_beyond_22_bits,
    )
    for bits, far_value, words in (
        (15, lambda y: -np.sign(y), "are 1 or -1 beyond 2^15"),
        (31, lambda y: np.full_like(y, LOW), "are -128 beyond 2^31"),
    ):
        yield Mutant(
            f"int8_output_beyond_{bits}_bits",
            f"int8 outputs {words} scales",
            both(int8, conditions.quantized_to),
            quantize=converted(2.0**bits, far_value),
        )
    for op in ("add", "concat"):
        yield Mutant(
            f"int8_{op}_of_quantized_input",
            f"{op} takes the input after its Q and DQ",
            both(both(int8, conditions.quantized_to), conditions.followed_by(op)),
            epilogue=through_the_input_scale,
        )


def _operations() -> Iterator[Mutant]:
    """Where the numbers of an operation after the layer need all their bits, or differ from map to map."""
    for op in ("leaky_relu", "clip", "scale"):
        yield Mutant(
            f"{op}_numbers_in_fp16",
            f"the numbers of a {op} after a float32 layer are kept in float16",
            both(conditions.followed_by(op), conditions.in_precision("fp32")),
            epilogue=fields_in(through(HALF), op),
        )
    yield Mutant(
        "scale_of_64_maps",
        "the factors of a scale repeat after 64 maps",
        conditions.followed_by("scale"),
        epilogue=rewritten(lambda steps: [factors_of_64_maps(step) for step in steps]),
    )
    yield Mutant(
        "scale_after_shift",
        "a scale for each map adds its shift before it multiplies",
        conditions.followed_by("scale"),
        epilogue=rewritten(lambda steps: [shift_before_factor(step) for step in steps]),
    )


MUTANTS: tuple[Mutant, ...] = (*_reach(), *_values(), *_operations())
