"""A layer described by a few independent settings, and the fields of a case that follow from all of them.

Any combination of settings gives a valid convolution: an input that is too small for the window grows until it fits.
"""

from __future__ import annotations

import math
from itertools import cycle, islice
from typing import Annotated, Any, Literal, NamedTuple, get_args

from pydantic import Field

from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.types import QUANTIZED_PRECISIONS, Fill, Model, PaddingMode, Precision
from trt_conformance.numerics.reference.shape import extent

_Size = Annotated[int, Field(ge=1, le=2**31 - 1)]
_Pad = Annotated[int, Field(ge=0, le=2**31 - 1)]
# Biases and scales are written out, one value per output map.
_Count = Annotated[int, Field(ge=1, le=2**16)]
AxisName = Literal["D", "H", "W"]
AXIS_NAMES: tuple[AxisName, ...] = get_args(AxisName)
Sizes = Annotated[tuple[_Size, _Size, _Size], Field(strict=False)]
Pads = Annotated[tuple[_Pad, _Pad, _Pad], Field(strict=False)] | Literal["half", "full"]


class OnAxis(Model):
    """The settings of one spatial axis, in place of those of the layer."""

    size: _Size | None = None
    window: _Size | None = None
    stride: _Size | None = None
    dilation: _Size | None = None
    pre: _Pad | None = None
    post: _Pad | None = None


class Layer(Model):
    """The settings. Triples are depth, height and width: ``rank`` 2 ignores the depth, and ``rank`` 1 also the height.

    A layer of rank 1 is computed as one of rank 2 with height 1. ``size`` is the input's size; if that is too small for
    the window, the stride or the dilation, the smallest valid size is used, so a size of 1 gives a window as large as
    its padded input. Padding is a number of elements, ``half`` for an output of the input's size, or ``full``, with
    which the first and last windows read a single element of the input. ``data`` is ``exact`` for integers whose sums
    are never rounded, ``small`` for such integers of at most 3 in int8, too, or ``uniform`` for numbers of 20 bits.
    ``quantize`` gives the kernel one scale per tensor or per output channel; the scales of the channels repeat after
    four, or, ``mixed``, with no short period, and the first is not 1. ``dynamic`` names the dynamic dimensions; their
    profile reaches from the input's shape to one element or stride more, and with ``wide`` from the smallest valid
    shape to twice the input's. With an ``order``, it reaches from the smallest valid shape to beyond twice the input's,
    and three shapes run: from the smallest up, or down.

    ``on`` has the settings of single axes. ``group_channels`` and ``group_maps`` are the numbers in each group, in
    place of those in all. ``tight``: a size may be smaller than the stride and the dilation.
    """

    rank: Literal[1, 2, 3] = 2
    batch: _Size = 1
    channels: _Count = 1
    maps: _Count = 1
    groups: _Count = 1
    group_channels: _Count | None = None
    group_maps: _Count | None = None
    size: Sizes = (1, 1, 1)
    window: Sizes = (1, 1, 1)
    stride: Sizes = (1, 1, 1)
    dilation: Sizes = (1, 1, 1)
    pre: Pads = (0, 0, 0)
    post: Pads = (0, 0, 0)
    on: dict[AxisName, OnAxis] = Field(default_factory=dict)
    tight: bool = False
    mode: PaddingMode = "EXPLICIT_ROUND_DOWN"
    data: Literal["exact", "small", "uniform"] = "exact"
    bias: bool = False
    quantize: Literal["tensor", "channel"] = "tensor"
    quantize_output: bool = False
    scales: Literal["repeating", "mixed"] = "repeating"
    dynamic: Literal["none", "batch", "depth", "height", "width", "spatial", "all", "wide"] = "none"
    order: Literal["none", "up", "down"] = "none"

    @property
    def all_channels(self) -> int:
        return self.groups * self.group_channels if self.group_channels is not None else self.channels

    @property
    def all_maps(self) -> int:
        return self.groups * self.group_maps if self.group_maps is not None else self.maps

    def fields(self, precision: Precision, seed: int) -> dict[str, Any]:
        """Return the fields of a case: tensors, attributes, dynamic shapes, scales."""
        axes = [self._axis(index) for index in range(3)][-max(self.rank, 2) :]
        if self.rank == 1:
            axes[0] = SpatialAxis(1, 1, 1, 1, 0, 0, 1)
        window = tuple(axis.window for axis in axes)
        kernel = (self.all_maps, self.all_channels // self.groups, *window)
        shape = (self.batch, self.all_channels, *(axis.size for axis in axes))
        data = _Data.of(self, precision, math.prod(kernel[1:]))
        fields: dict[str, Any] = {
            "input": {"shape": shape, "fill": data.input, "seed": seed},
            "kernel": {"shape": kernel, **_kernel(data, math.prod(kernel), seed + 1)},
            "set": dict(self._assignments(axes)),
            "exact": self.data != "uniform",
        }
        if self.bias:
            fields["bias"] = _bias(self, data, seed)
        if precision in QUANTIZED_PRECISIONS:
            fields["quantize"] = {"input": data.input_scale, "kernel": data.kernel_scales}
            if self.quantize_output:
                fields["quantize"]["output"] = data.output_scale
        if self.dynamic != "none":
            fields["dynamic"] = self._dynamic(shape, axes)
        return fields

    def _axis(self, index: int) -> SpatialAxis:
        own = self.on.get(AXIS_NAMES[index], OnAxis())
        window, stride = own.window or self.window[index], own.stride or self.stride[index]
        dilation = own.dilation or self.dilation[index]
        span = extent(window, dilation)
        pre = _pad(self.pre, index, span, 0) if own.pre is None else own.pre
        post = _pad(self.post, index, span, 1) if own.post is None else own.post
        if self.mode.startswith("SAME"):
            least = 1
        else:
            least = max(1, span - pre - (pre if self.mode.startswith("CAFFE") else post))
        if not self.tight:  # so that at least one window reads the input, not only padding
            least = max(least, stride, dilation)
        return SpatialAxis(max(own.size or self.size[index], least), window, stride, dilation, pre, post, least)

    def _assignments(self, axes: list[SpatialAxis]) -> Any:
        stride, dilation, pre, post = (tuple(axis[place] for axis in axes) for place in (2, 3, 4, 5))
        if max(stride) > 1:
            yield "stride_nd", stride
        if max(dilation) > 1:
            yield "dilation_nd", dilation
        if pre == post:
            if any(pre):
                yield "padding_nd", pre
        else:
            yield "pre_padding", pre
            yield "post_padding", post
        if self.mode != "EXPLICIT_ROUND_DOWN":
            yield "padding_mode", self.mode
        if self.groups > 1:
            yield "num_groups", self.groups

    def _dynamic(self, shape: tuple[int, ...], axes: list[SpatialAxis]) -> dict[str, Any]:
        """Return a profile and two shapes to run. The height of a layer of rank 1 stays 1."""
        wide = self.dynamic == "wide"
        free = [wide or self.dynamic in ("batch", "all"), False, *self._free_axes(len(axes))]
        least = (1, shape[1], *(axis.least for axis in axes))
        more = (shape[0] + 1, shape[1], *(axis.size + axis.stride for axis in axes))

        def where_free(sizes: tuple[int, ...]) -> tuple[int, ...]:
            return tuple(size if is_free else given for size, given, is_free in zip(sizes, shape, free, strict=True))

        low = where_free(least) if wide or self.order != "none" else shape
        high = where_free(tuple(2 * size for size in shape)) if wide else where_free(more)
        if self.order != "none":
            high = where_free(tuple(2 * size + 1 for size in shape))
        runs = {"none": (shape, low if wide else high), "up": (low, shape, high), "down": (high, shape, low)}
        return {
            "shape": tuple(-1 if is_free else size for is_free, size in zip(free, shape, strict=True)),
            "min": low,
            "opt": shape,
            "max": high,
            "run": tuple(dict.fromkeys(runs[self.order])),
        }

    def _free_axes(self, rank: int) -> list[bool]:
        """Whether each spatial axis is dynamic. The height of a layer of rank 1 is not."""
        names = ("depth", "height", "width")[-rank:]
        if self.dynamic in ("batch", *names):
            return [self.dynamic == name for name in names]
        if self.dynamic == "depth":
            raise ConformanceError(f"dynamic: a layer of rank {self.rank} has no depth that could be dynamic")
        return [not (self.rank == 1 and place == 0) for place in range(rank)]


class SpatialAxis(NamedTuple):
    """One spatial axis; ``least`` is the smallest valid size."""

    size: int
    window: int
    stride: int
    dilation: int
    pre: int
    post: int
    least: int


def _pad(pads: Pads, index: int, span: int, side: int) -> int:
    if pads == "half":
        return (span - 1 + side) // 2
    return span - 1 if pads == "full" else pads[index]


class _Data(NamedTuple):
    """Fills, and scales of a few bits, so that a sum in float64 is exact in any order."""

    input: Fill
    kernel: Fill
    input_scale: float
    kernel_scales: tuple[float, ...]
    output_scale: float

    @classmethod
    def of(cls, layer: Layer, precision: Precision, terms: int) -> _Data:
        uniform = layer.data == "uniform"
        mixed = layer.scales == "mixed"
        inputs, kernel = _UNIFORM_FILLS if uniform else exact_fills(precision, terms, mixed, layer.data == "small")
        count = layer.all_maps if layer.quantize == "channel" else 1
        if mixed:
            scales = tuple(mixed_scale(place, uniform) for place in range(count))
        else:
            scales = _UNIFORM_SCALES if uniform else _EXACT_SCALES
        output = (1.25 if uniform else 1.0) * step_of_output(inputs, kernel, terms)
        own = 1.25 * 2.0**-7 if uniform else _EXACT_INPUT_SCALE.get(precision, 1.0)
        return cls(inputs, kernel, own, tuple(islice(cycle(scales), count)), output)


_UNIFORM_FILLS: tuple[Fill, Fill] = ("uniform_20_bits", "uniform_20_bits")
_UNIFORM_SCALES = (1.125 * 2.0**-7, 0.75 * 2.0**-7, 1.5 * 2.0**-7, 2.0**-7)
_EXACT_SCALES = (1.0, 0.5, 2.0, 4.0)
_EXACT_INPUT_SCALE: dict[Precision, float] = {"fp8": 2.0**-7}
"""With it, FP8's integers of up to 3 are up to 384: beyond 240, where other types of 4 bits of exponent end."""


def mixed_scale(place: int, uniform: bool) -> float:
    """The scale of a map, by its place or another number. The scales repeat with no short period, and none is 1.

    uniform: 64 values from 2^-7 on. Else powers of two from 1/2 to 1/16, with which no integer is rounded.
    """
    number = mixed(place)
    return float(2.0**-7 * (1 + number % 64 / 64) if uniform else 2.0 ** -(1 + number % 4))


def mixed(number: int) -> int:
    """A number in which every bit of the given one counts (Knuth's multiplicative hash, 32 bits)."""
    return (number + 1) * 2654435761 % 2**32 >> 16


# The standard deviation of a value, and how many steps of a quantized output that of a sum is.
_SPREAD: dict[Fill, float] = {
    "uniform_20_bits": 3**-0.5,
    "exact_integers": 2.0,
    "ternary": (2 / 3) ** 0.5,
    "sparse_ternary": 0.125**0.5,
    "int8_full_range": 73.9,
    "int8_extremes": 96.0,
    "int8_ties": 75.5,
    "uint8_full_range": 147.8,
    "integers_13_bits": 4729.6,
    "two_of_four": 2.0**0.5,
}
_STEPS_OF_SPREAD = 48


def step_of_output(inputs: Fill, kernel: Fill, terms: int) -> float:
    """The power of two of which a sum of products of two fills has about 48 in its standard deviation."""
    spread = math.sqrt(terms) * _SPREAD[inputs] * _SPREAD[kernel]
    return float(2.0 ** round(math.log2(spread / _STEPS_OF_SPREAD)))


# The largest number of products for which each pair of fills is exact in the narrowest accumulator and output.
_EXACT_FILLS: dict[Precision, tuple[tuple[int, Fill, Fill], ...]] = {
    "fp32": ((10**6, "exact_integers", "exact_integers"),),
    "tf32": ((10**6, "exact_integers", "exact_integers"),),
    "fp16": (
        (200, "exact_integers", "exact_integers"),
        (2000, "ternary", "ternary"),
        (20000, "ternary", "sparse_ternary"),
    ),
    "fp8": (
        (200, "exact_integers", "exact_integers"),
        (2000, "ternary", "ternary"),
        (20000, "ternary", "sparse_ternary"),
    ),
    "bf16": (
        (25, "exact_integers", "exact_integers"),
        (1000, "ternary", "ternary"),
        (20000, "ternary", "sparse_ternary"),
    ),
    "int8": (
        (1000, "int8_full_range", "int8_full_range"),
        (20000, "int8_full_range", "exact_integers"),
        (10**5, "int8_full_range", "sparse_ternary"),
    ),
}
# The same for int8 with mixed scales, of which the smallest, 1/16, makes 48 of a weight of 3: more would saturate.
_MIXED_INT8: tuple[tuple[int, Fill, Fill], ...] = (
    (2500, "int8_full_range", "exact_integers"),
    (8000, "int8_full_range", "ternary"),
    (10**5, "int8_full_range", "sparse_ternary"),
)


def exact_fills(precision: Precision, terms: int, mixed: bool = False, small: bool = False) -> tuple[Fill, Fill]:
    """Return fills of input and kernel whose sums of this many products are exact in the precision's accumulator.

    Args:
        precision: of the layer.
        terms: the products of a sum.
        mixed: whether the kernel has mixed scales.
        small: whether int8 has the integers that FP32 has, instead of its whole range.
    """
    ladder = _EXACT_FILLS["fp32" if small and precision == "int8" else precision]
    if mixed and not small and precision == "int8":
        ladder = _MIXED_INT8
    return next(((x, w) for most, x, w in ladder if terms <= most), ladder[-1][1:])


def _kernel(data: _Data, size: int, seed: int) -> dict[str, Any]:
    """Return a fill, or explicit nonzero values where a small fill might be all zeros."""
    if size > _FEW or data.kernel not in _WEIGHT:
        return {"fill": data.kernel, "seed": seed}
    return {"values": tuple(float(_WEIGHT[data.kernel] * (1 + i % 3) * (-1) ** i) for i in range(size))}


_FEW = 8
_WEIGHT: dict[Fill, int] = {"exact_integers": 1, "int8_full_range": 42}


def _bias(layer: Layer, data: _Data, seed: int) -> dict[str, Any]:
    """Return values large enough to change the output: of the size of a quantized output's step."""
    if layer.data == "uniform":
        return {"fill": "uniform_20_bits", "seed": seed + 2}
    unit = data.output_scale if layer.quantize_output else 1.0
    period = tuple(unit * (1 + k % 7) * (-1) ** k for k in range(14))
    return {"values": (period * (1 + layer.all_maps // 14))[: layer.all_maps]}
