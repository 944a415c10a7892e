"""The memory layouts of a network's inputs and outputs, by TensorRT's names."""

from __future__ import annotations

from dataclasses import dataclass

from trt_conformance.core.types import DataType, Format


@dataclass(frozen=True)
class Layout:
    """A memory layout.

    ``vector`` is the number of channels in a vector, ``is_major`` whether the vectors are the last axis of the array,
    ``rank`` the number of spatial axes after the channels, and ``types`` the types that have this layout. All axes
    before the channels are batch axes.
    """

    vector: int
    is_major: bool
    rank: int
    types: tuple[DataType, ...]


_HALVES: tuple[DataType, ...] = ("float16", "bfloat16")

# The union of the types of TensorRT 8.6 to 11. A version that does not have one refuses it.
LAYOUTS: dict[Format, Layout] = {
    "CHW2": Layout(2, True, 2, _HALVES),
    "CHW4": Layout(4, True, 2, ("float16", "int8")),
    "CHW16": Layout(16, True, 2, ("float16",)),
    "CHW32": Layout(32, True, 2, ("float32", "float16", "int8")),
    "HWC": Layout(1, False, 2, ("float32", *_HALVES, "int8")),
    "HWC8": Layout(8, False, 2, _HALVES),
    "HWC16": Layout(16, False, 2, ("float16", "int8", "float8")),
    "DHWC": Layout(1, False, 3, ("float32",)),
    "DHWC8": Layout(8, False, 3, _HALVES),
    "CDHW32": Layout(32, True, 3, ("float16", "int8")),
}
