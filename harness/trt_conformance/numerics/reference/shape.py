"""Output shape and padding of a convolution: the one place that knows the formulas.

Source: the documentation of ``PaddingMode`` in NvInfer.h. Its F in the SAME and CAFFE formulas is
read as the dilated extent DK = 1 + D*(F-1), which TensorRT 8.6 was measured to use.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from trt_conformance.core.attributes import Attributes
from trt_conformance.core.errors import InvalidConvolution
from trt_conformance.core.types import PaddingMode


class Axis(NamedTuple):
    """One spatial axis of a convolution, padding resolved."""

    size: int
    """Output size."""
    before: int
    """Zeros in front of the input; the first window starts there."""
    stride: int
    dilation: int


def extent(window: int, dilation: int) -> int:
    """What a dilated window spans: DK = 1 + D*(F-1)."""
    return 1 + dilation * (window - 1)


def resolve_axis(size: int, window: int, stride: int, pre: int, post: int, dilation: int, mode: PaddingMode) -> Axis:
    """Resolve one axis of input size ``size`` under a window of ``window`` elements.

    A negative SAME padding (a window smaller than its stride) crops nothing at the head: TensorRT 8.6
    was measured to start at the first element in both SAME modes.

    Raises:
        InvalidConvolution: the window does not fit, or an attribute is out of range.
    """
    if window < 1 or stride < 1 or dilation < 1 or pre < 0 or post < 0:
        raise InvalidConvolution(
            f"window {window}, stride {stride} and dilation {dilation} must be at least 1, "
            f"and padding {pre}, {post} at least 0"
        )
    span = extent(window, dilation)
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        if size < 1:
            raise InvalidConvolution(f"{mode} needs at least one input element, got {size}")
        out = -(-size // stride)
        padding = max(0, (out - 1) * stride + span - size)
        before = padding // 2 if mode == "SAME_UPPER" else padding - padding // 2
        return Axis(out, before, stride, dilation)
    padded = size + 2 * pre if mode.startswith("CAFFE") else size + pre + post
    if span > padded:
        raise InvalidConvolution(
            f"the window spans {span} elements and the padded input has {padded}: "
            "image size is smaller than filter size"
        )
    free = padded - span
    steps = -(-free // stride) if mode.endswith("UP") else free // stride
    return Axis(steps + 1, pre, stride, dilation)


def resolve(input_shape: Sequence[int], kernel_shape: Sequence[int], attributes: Attributes) -> tuple[Axis, ...]:
    """Check that input, kernel and attributes go together, and resolve each spatial axis.

    Args:
        input_shape: ``(*batch, C, *spatial)``, at least one batch dimension.
        kernel_shape: ``(K, C/groups, *window)`` with two or three window dimensions.

    Raises:
        InvalidConvolution: with the first constraint that does not hold.
    """
    rank = len(kernel_shape) - 2
    if rank not in (2, 3):
        raise InvalidConvolution(f"the kernel must have 2 or 3 window dimensions, not {rank}")
    if len(input_shape) < rank + 2:
        raise InvalidConvolution(
            f"at least {rank + 2} dimensions are required for input with a {rank}D kernel, got {len(input_shape)}"
        )
    for name in ("stride", "pre", "post", "dilation"):
        if len(getattr(attributes, name)) != rank:
            raise InvalidConvolution(f"{name} {getattr(attributes, name)} must have {rank} values")
    channels, maps, per_group = input_shape[-rank - 1], kernel_shape[0], kernel_shape[1]
    groups = attributes.groups
    if groups < 1 or channels % groups:
        raise InvalidConvolution(f"{groups} groups must divide the {channels} input channels")
    if maps < 1 or maps % groups:
        raise InvalidConvolution(f"{groups} groups must divide the {maps} output maps")
    if per_group * groups != channels:
        raise InvalidConvolution(
            f"the kernel holds {per_group} channels a group, "
            f"but {channels} input channels in {groups} groups are {channels // groups}"
        )
    return tuple(
        resolve_axis(size, window, *axis, attributes.mode)
        for size, window, axis in zip(input_shape[-rank:], kernel_shape[2:], attributes.axes(), strict=True)
    )


def output_shape(input_shape: Sequence[int], kernel_shape: Sequence[int], attributes: Attributes) -> tuple[int, ...]:
    """Shape of the output, ``(*batch, K, *spatial)``. Raises InvalidConvolution as `resolve` does."""
    axes = resolve(input_shape, kernel_shape, attributes)
    batch = tuple(input_shape[: -len(axes) - 1])
    return (*batch, kernel_shape[0], *(axis.size for axis in axes))
