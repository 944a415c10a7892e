"""The documented padding formulas, and the known deviations of targets from them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from trt_conformance.checks.padding.tiers import PaddingAxis, Shape
from trt_conformance.core.errors import InvalidConvolution
from trt_conformance.core.types import PaddingMode
from trt_conformance.numerics.reference import shape as reference
from trt_conformance.targets.protocols import Configuration

FORMULAS: dict[PaddingMode, str] = {
    "EXPLICIT_ROUND_DOWN": "floor((I+B+A-DK)/S) + 1, refused where DK > I+B+A",
    "EXPLICIT_ROUND_UP": "ceil((I+B+A-DK)/S) + 1, refused where DK > I+B+A",
    "SAME_UPPER": "ceil(I/S), refused where I = 0",
    "SAME_LOWER": "ceil(I/S), refused where I = 0",
    "CAFFE_ROUND_DOWN": "floor((I+2B-DK)/S) + 1, refused where DK > I+2B",
    "CAFFE_ROUND_UP": "ceil((I+2B-DK)/S) + 1, refused where DK > I+2B",
}


def stated(configuration: Configuration) -> Shape:
    """The output shape by the reference's formula."""
    try:
        return tuple(
            reference.resolve_axis(size, window, stride, pre, post, dilation, configuration.mode).size
            for size, window, stride, dilation, pre, post in zip(*configuration[:6], strict=True)
        )
    except InvalidConvolution:
        return None


@dataclass(frozen=True)
class Deviation:
    """A different formula that some targets are known to follow in some modes; expectations name these targets.

    ``size`` returns the output size of an axis in a mode, or None if the axis is refused.
    """

    name: str
    modes: tuple[PaddingMode, ...]
    formula: str
    size: Callable[[PaddingAxis, PaddingMode], int | None]

    def shape(self, configuration: Configuration) -> Shape:
        """The output shape by this formula."""
        sizes = [self.size(axis, configuration.mode) for axis in zip(*configuration[:6], strict=True)]
        return None if None in sizes else tuple(n for n in sizes if n is not None)


def spare(axis: PaddingAxis, mode: PaddingMode) -> int:
    """Padded input size minus window extent in an explicit or Caffe mode; negative if the window is larger."""
    size, window, _, dilation, pre, post = axis
    return size + pre + (pre if mode.startswith("CAFFE") else post) - reference.extent(window, dilation)


def _up_to_nothing(axis: PaddingAxis, mode: PaddingMode) -> int | None:
    out = math.ceil(spare(axis, mode) / axis[2]) + 1
    return out if out >= 1 else None


def _up_by_truncation(axis: PaddingAxis, mode: PaddingMode) -> int | None:
    free, stride = spare(axis, mode), axis[2]
    return math.ceil(free / stride) + 1 if math.trunc((free + stride - 1) / stride) >= 0 else None


def _same_of_nothing(axis: PaddingAxis, _: PaddingMode) -> int | None:
    size, stride = axis[0], axis[2]
    return None if size == 0 and stride == 1 else math.ceil(size / stride)


DEVIATIONS = (
    Deviation(
        "window_past_the_end",
        ("EXPLICIT_ROUND_UP",),
        "ceil(free/S) + 1 with free = I+B+A-DK, refused where that is below 1: "
        "a window larger than the padded input gives one output where -S < free < 0",
        _up_to_nothing,
    ),
    Deviation(
        "window_far_past_the_end",
        ("EXPLICIT_ROUND_UP", "CAFFE_ROUND_UP"),
        "ceil(free/S) + 1 with free = I+B+A-DK (Caffe: I+2B-DK), refused where trunc((free+S-1)/S) < 0: a window "
        "larger than the padded input gives one output where -S < free < 0, and none where 1-2S < free <= -S",
        _up_by_truncation,
    ),
    Deviation(
        "same_of_nothing",
        ("SAME_UPPER", "SAME_LOWER"),
        "ceil(I/S), refused where I = 0 and S = 1: an empty input gives an empty output where S > 1",
        _same_of_nothing,
    ),
)
