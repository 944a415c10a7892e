"""How many bytes an engine may take for the weights of a case, and the zeros that TensorRT-RTX is known to add.

The limit is twice the weights, in the layouts and transforms that TensorRT documents or names: channels and maps in
vectors of up to 32 (`TensorFormat` CHW32), and tiles of Winograd's kernels. Each constant of the network may be
aligned. In addition to its weights, a plan has code and metadata, which do not grow with the tensors.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from trt_conformance.core.case import Case
from trt_conformance.core.layouts import LAYOUTS
from trt_conformance.core.tensors import NUMPY_TYPE
from trt_conformance.core.types import Precision
from trt_conformance.numerics.bounds.basis import Basis
from trt_conformance.numerics.bounds.transforms import LARGEST_TILE
from trt_conformance.numerics.reference.shape import layer_output

TIMES = 2
"""A plan larger than this multiple of its weights is a finding."""
VECTOR = max(layout.vector for layout in LAYOUTS.values())
"""The most channels that a layout of TensorRT pads to."""
CONSTANT_BYTES = 512
"""What a constant may take beside its values. TensorRT-RTX 1.7.1 takes up to 380 bytes for a kernel with its bias."""
CONSTANTS_OF_EPILOGUE = 3
"""The most constants that an operation after the layer has: scale, shift and power."""
CODE_BYTES = 2**20
"""What a plan may have besides weights. None of 1,037 plans of TensorRT-RTX 1.7.1 has more than 318,436 bytes."""
PADDED_TO: dict[Precision, int] = {"fp16": 2, "bf16": 2, "int8": 4}
"""TensorRT-RTX 1.7.1 pads the input channels of a convolution to a multiple of this; none in other precisions."""
PADDED_TO_ON_TURING: dict[Precision, int] = {"fp16": 8, "int8": 4}
"""The same for compute capability 7.5, where the zeros of INT8 are stored in FP32."""
LEAN_RUNTIME = "VERSION_COMPATIBLE"
"""The builder flag that puts a runtime into the plan, whose size is not known."""


@dataclass(frozen=True)
class Padding:
    """The zeros that would pad a tensor's channels: ``channels`` more in each of ``groups`` at each position."""

    tensor: str
    groups: int
    channels: int
    positions: int
    itemsize: int

    @property
    def bytes(self) -> int:
        return self.groups * self.channels * self.positions * self.itemsize

    def text(self) -> str:
        """``input: 1 channel x 65,536 positions x 2 bytes = 131,072 bytes``."""
        groups = f"{self.groups} groups x " if self.groups > 1 else ""
        more = "channel" if self.channels == 1 else "channels"
        size = "byte" if self.itemsize == 1 else "bytes"
        return (
            f"{self.tensor}: {groups}{self.channels} {more} x {self.positions:,} positions x {self.itemsize} {size} "
            f"= {self.bytes:,} bytes"
        )


def weights_limit(case: Case, ran_in: Precision | None = None, rests_on: Basis = "fp32") -> int:
    """Return the most bytes that an engine may store for a case's weights.

    Args:
        case: the kernel, the bias and the precision asked for.
        ran_in: the precision in which the engine runs, if it reports it; a wider one has wider weights.
        rests_on: what the GPU kernel computes with; Winograd's kernels store transformed weights.
    """
    maps, channels, *window = case.kernel.shape
    values = _up(maps, VECTOR) * _up(channels, VECTOR) * math.prod(window)
    if rests_on == "winograd":
        tile = LARGEST_TILE.get(case.precision, 2)
        values = math.ceil(values * math.prod((tile + size - 1) / size for size in window))
    itemsize = max(_itemsize(case.precision), _itemsize(ran_in or case.precision))
    bias = 0 if case.bias == "none" and not case.epilogue else maps * NUMPY_TYPE["float32"].itemsize
    constants = 2 if case.quantize is None else 8  # kernel and bias; scales before and after input, kernel and output
    after = len(case.epilogue) * CONSTANTS_OF_EPILOGUE
    return TIMES * (values * itemsize + bias * (1 + after)) + (constants + after) * CONSTANT_BYTES


def code_limit(case: Case) -> int | None:
    """Return the most bytes that a plan may have in addition to weights; None if it contains a runtime as well."""
    return None if LEAN_RUNTIME in case.builder.flags else CODE_BYTES


def paddings(case: Case, on_turing: bool = False) -> tuple[Padding, ...]:
    """Return the zeros that pad the channels of the case's input and, to vectors of its layout, of its output.

    There are none where the shape is not known when the engine is built.

    Args:
        case: the shapes, groups, precision and layout.
        on_turing: whether the engine is built for compute capability 7.5.
    """
    shape = _built_shape(case)
    if shape is None:
        return ()
    rank, groups = case.spatial_rank, case.attributes.groups
    output = layer_output(case, shape)
    found = []
    channels = case.kernel.shape[1]
    more = _up(channels, (PADDED_TO_ON_TURING if on_turing else PADDED_TO).get(case.precision, 1)) - channels
    read = "fp32" if on_turing and case.precision == "int8" else case.precision
    found.append(Padding("input", groups, more, _positions(case.layer_shape(shape), rank), _itemsize(read)))
    layout = LAYOUTS.get(case.formats.output)
    if layout is not None:
        maps = case.kernel.shape[0]
        written = NUMPY_TYPE[case.output_type].itemsize
        found.append(Padding("output", 1, _up(maps, layout.vector) - maps, _positions(output, rank), written))
    return tuple(padding for padding in found if padding.bytes)


def _built_shape(case: Case) -> tuple[int, ...] | None:
    """The input's shape when the engine is built; that of a profile that leaves no choice; else None."""
    if case.dynamic is None:
        return case.input.shape
    return case.dynamic.opt if case.dynamic.min == case.dynamic.max else None


def _positions(shape: tuple[int, ...], rank: int) -> int:
    return math.prod(shape[: -rank - 1]) * math.prod(shape[-rank:])


def _itemsize(precision: Precision) -> int:
    """Bytes of a value that a convolution reads."""
    return {"fp32": 4, "tf32": 4, "fp16": 2, "bf16": 2, "int8": 1, "fp8": 1}[precision]


def _up(count: int, multiple: int) -> int:
    return -(-count // multiple) * multiple
