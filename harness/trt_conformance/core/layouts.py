"""The memory layouts of tensors at a network's edges, by TensorRT's names."""

from __future__ import annotations

from dataclasses import dataclass

from trt_conformance.core.types import DataType, Format


@dataclass(frozen=True)
class Layout:
    """A format: channels a vector, whether each vector is an array's last axis, spatial axes, and types.

    Channels lie before so many spatial axes; whatever is before them is a batch.
    """

    vector: int
    is_major: bool
    rank: int
    types: tuple[DataType, ...]


_HALVES: tuple[DataType, ...] = ("float16", "bfloat16")

# The types of TensorRT 8.6 to 11 together; a version that lacks one refuses it.
LAYOUTS: dict[Format, Layout] = {
    "CHW2": Layout(2, True, 2, _HALVES),
    "CHW4": Layout(4, True, 2, ("float16", "int8")),
    "CHW16": Layout(16, True, 2, ("float16",)),
    "CHW32": Layout(32, True, 2, ("float32", "float16", "int8")),
    "HWC": Layout(1, False, 2, ("float32", *_HALVES, "int8")),
    "HWC8": Layout(8, False, 2, _HALVES),
    "HWC16": Layout(16, False, 2, ("float16", "int8")),
    "DHWC": Layout(1, False, 3, ("float32",)),
    "DHWC8": Layout(8, False, 3, _HALVES),
    "CDHW32": Layout(32, True, 3, ("float16", "int8")),
}
