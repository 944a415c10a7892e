"""What a convolution must do at least, and how fast a device could do that: its speed of light."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from trt_conformance.core.case import Case
from trt_conformance.core.tensors import NUMPY_TYPE
from trt_conformance.core.types import Precision
from trt_conformance.numerics.reference.shape import Axis, output_shape, resolve

MEMORY = "memory"
"""The ceiling of memory, in bytes a second; the others are precisions, in FLOP a second."""


@dataclass(frozen=True)
class Work:
    """``flops``: two for each product of the direct convolution, those with padding included, as is the custom.

    Winograd's and Fourier's algorithms need fewer. ``bytes``: each input element that some window reads, the
    kernel and the bias read once, the output written once.
    """

    precision: Precision
    flops: int
    bytes: int


@dataclass(frozen=True)
class Floor:
    """The least time in seconds, and the ceiling that sets it.

    A warm cache can beat the floor of memory, and an algorithm with fewer products that of compute.
    """

    seconds: float
    bound: Literal["memory", "compute"]

    def fraction(self, seconds: float) -> float:
        """How much of a measured time the floor explains: 1 at the speed of light."""
        return self.seconds / seconds


def work(case: Case, run_shape: Sequence[int] | None = None) -> Work:
    """The work of one run of a case, by default in its first run shape.

    Tensors count in the types the network reads and writes; a quantized kernel is held in its byte a value.
    """
    shape = tuple(case.run_shapes[0] if run_shape is None else run_shape)
    output = output_shape(shape, case.kernel.shape, case.attributes)
    axes = resolve(shape, case.kernel.shape, case.attributes)
    rank = len(axes)
    read = math.prod(shape[:-rank]) * math.prod(
        _read(axis, size, window) for axis, size, window in zip(axes, shape[-rank:], case.kernel.shape[2:], strict=True)
    )
    itemsize = NUMPY_TYPE[case.data_type].itemsize
    bias = 0 if case.bias == "none" else case.kernel.shape[0]
    kernel = math.prod(case.kernel.shape) * (itemsize if case.quantize is None else 1)
    tensors = NUMPY_TYPE[case.input_type].itemsize * read + NUMPY_TYPE[case.output_type].itemsize * math.prod(output)
    return Work(
        precision=case.precision,
        flops=2 * math.prod(output) * math.prod(case.kernel.shape[1:]),
        bytes=tensors + itemsize * bias + kernel,
    )


def _read(axis: Axis, size: int, window: int) -> int:
    """How many positions along an input axis of ``size`` some window reads."""
    positions = np.add.outer(np.arange(axis.size) * axis.stride - axis.before, np.arange(window) * axis.dilation)
    return int(np.unique(positions[(positions >= 0) & (positions < size)]).size)


def floor(work: Work, ceilings: Mapping[str, float]) -> Floor | None:
    """The least time that measured ceilings allow; None where none of them concerns this work.

    Args:
        ceilings: ``memory`` in bytes a second of a large copy, read plus written, and FLOP a second by precision.
    """
    found: list[Floor] = []
    if ceilings.get(MEMORY):
        found.append(Floor(work.bytes / ceilings[MEMORY], "memory"))
    if ceilings.get(work.precision):
        found.append(Floor(work.flops / ceilings[work.precision], "compute"))
    return max(found, key=lambda candidate: candidate.seconds, default=None)
