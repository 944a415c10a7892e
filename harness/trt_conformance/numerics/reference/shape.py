"""Output shape and padding of a convolution, and the constraints on its shapes and attributes.

Sources: the documentation of ``PaddingMode`` and ``IConvolutionLayer`` in NvInfer.h. The SAME and CAFFE formulas there
have the window size F, which is read as the dilated extent DK = 1 + D*(F-1): TensorRT 8.6 was measured to use it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from trt_conformance.core.attributes import Attributes
from trt_conformance.core.case import Case
from trt_conformance.core.errors import InvalidConvolution
from trt_conformance.core.types import MAX_ELEMENTS, PaddingMode
from trt_conformance.core.words import counted


class Axis(NamedTuple):
    """One spatial axis of a convolution, with its padding resolved."""

    size: int
    """Output size."""
    before: int
    """Zeros before the input; the first window starts there."""
    stride: int
    dilation: int

    def reach(self, window: int) -> int:
        """Elements from the start of the first window of ``window`` taps to the end of the last one."""
        return (self.size - 1) * self.stride + extent(window, self.dilation)


def extent(window: int, dilation: int) -> int:
    """Return how many elements a dilated window spans: DK = 1 + D*(F-1)."""
    return 1 + dilation * (window - 1)


def resolve_axis(size: int, window: int, stride: int, pre: int, post: int, dilation: int, mode: PaddingMode) -> Axis:
    """Resolve one axis of input size ``size`` and a window of ``window`` taps.

    Where the SAME formula gives a negative padding (the window is smaller than its stride), the first window starts at
    the first element: TensorRT 8.6 was measured to do so in both SAME modes.

    Raises:
        InvalidConvolution: `attributes_in_range`, `input_is_not_empty` or `window_fits` is violated.
    """
    if window < 1 or stride < 1 or dilation < 1 or pre < 0 or post < 0:
        raise InvalidConvolution(
            "attributes_in_range",
            f"window {window}, stride {stride} and dilation {dilation} must be at least 1, "
            f"and padding {pre}, {post} at least 0",
        )
    span = extent(window, dilation)
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        if size < 1:
            raise InvalidConvolution("input_is_not_empty", f"{mode} needs at least one input element, got {size}")
        out = -(-size // stride)
        padding = max(0, (out - 1) * stride + span - size)
        before = padding // 2 if mode == "SAME_UPPER" else padding - padding // 2
        return Axis(out, before, stride, dilation)
    padded = size + 2 * pre if mode.startswith("CAFFE") else size + pre + post
    if span > padded:
        raise InvalidConvolution(
            "window_fits",
            f"the window spans {span} elements and the padded input has {padded}: "
            "image size is smaller than filter size",
        )
    free = padded - span
    steps = -(-free // stride) if mode.endswith("UP") else free // stride
    return Axis(steps + 1, pre, stride, dilation)


def resolve(input_shape: Sequence[int], kernel_shape: Sequence[int], attributes: Attributes) -> tuple[Axis, ...]:
    """Check that input, kernel and attributes form a convolution, and resolve each spatial axis.

    Args:
        input_shape: ``(*batch, C, *spatial)``, at least one batch dimension.
        kernel_shape: ``(K, C/groups, *window)`` with two or three window dimensions.

    Raises:
        InvalidConvolution: naming the first constraint that is violated.
    """
    rank = len(kernel_shape) - 2
    if rank not in (2, 3):
        raise InvalidConvolution(
            "kernel_has_two_or_three_axes", f"the kernel must have 2 or 3 window dimensions, not {rank}"
        )
    if len(input_shape) < rank + 2:
        raise InvalidConvolution(
            "input_has_batch_and_channels",
            f"at least {rank + 2} dimensions are required for input with a {rank}D kernel, got {len(input_shape)}",
        )
    for name in ("stride", "pre", "post", "dilation"):
        if len(getattr(attributes, name)) != rank:
            raise InvalidConvolution(
                "one_value_per_axis", f"{name} {getattr(attributes, name)} must have {rank} values"
            )
    channels, maps, per_group = input_shape[-rank - 1], kernel_shape[0], kernel_shape[1]
    groups = attributes.groups
    if groups < 1 or channels % groups:
        raise InvalidConvolution("groups_divide_channels", f"{groups} groups must divide the {channels} input channels")
    if maps < 1 or maps % groups:
        raise InvalidConvolution("groups_divide_maps", f"{groups} groups must divide the {maps} output maps")
    if per_group * groups != channels:
        raise InvalidConvolution(
            "kernel_fits_groups",
            f"the kernel holds {per_group} channels a group, "
            f"but the input has {channels // groups}: {counted(channels, 'channel')} in {counted(groups, 'group')}",
        )
    axes = tuple(
        resolve_axis(size, window, *axis, attributes.mode)
        for size, window, axis in zip(input_shape[-rank:], kernel_shape[2:], attributes.axes(), strict=True)
    )
    for axis, window in zip(axes, kernel_shape[2:], strict=True):
        if axis.reach(window) >= MAX_ELEMENTS:
            raise InvalidConvolution(
                "padded_input_is_addressable",
                f"the windows reach {axis.reach(window)} elements along an axis, more than {MAX_ELEMENTS - 1}",
            )
    return axes


def output_shape(input_shape: Sequence[int], kernel_shape: Sequence[int], attributes: Attributes) -> tuple[int, ...]:
    """Return the shape of the output, ``(*batch, K, *spatial)``. Raises InvalidConvolution as `resolve` does."""
    axes = resolve(input_shape, kernel_shape, attributes)
    batch = tuple(input_shape[: -len(axes) - 1])
    return (*batch, kernel_shape[0], *(axis.size for axis in axes))


def layer_output(case: Case, run_shape: Sequence[int]) -> tuple[int, ...]:
    """Return the shape of the layer's output in a run. Raises InvalidConvolution as `resolve` does."""
    return output_shape(case.layer_shape(run_shape), case.kernel.shape, case.attributes)


def check(case: Case) -> None:
    """Check that a case is a convolution in each shape that it runs.

    Raises:
        InvalidConvolution: as `resolve` does, or `channels_are_static` is violated.
    """
    if case.dynamic is not None and case.dynamic.shape[-case.spatial_rank - 1] == -1:
        raise InvalidConvolution("channels_are_static", "the channel dimension must be a build-time constant, not -1")
    for shape in case.run_shapes:
        layer_output(case, shape)
