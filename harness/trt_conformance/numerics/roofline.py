"""The least work of a convolution, and the least time a device needs for it: the roofline, or speed of light."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from trt_conformance.core.case import Case
from trt_conformance.core.tensors import NUMPY_TYPE, weights_bytes
from trt_conformance.core.types import Precision
from trt_conformance.numerics.reference.shape import Axis, layer_output, resolve

MEMORY = "memory"
"""The name of the memory ceiling, in bytes per second. The other ceilings are precisions, in FLOP per second."""


@dataclass(frozen=True)
class Work:
    """The work of one run.

    ``flops``: two for each product of the direct convolution, products with padding included, as is customary; Winograd
    and FFT need fewer. ``bytes``: each input element that some window reads, the kernel and the bias are read once, the
    output is written once.
    """

    precision: Precision
    flops: int
    bytes: int


@dataclass(frozen=True)
class Floor:
    """The least time in seconds, and the ceiling that sets it.

    A warm cache can beat the memory floor, and an algorithm with fewer products the compute floor.
    """

    seconds: float
    bound: Literal["memory", "compute"]

    def fraction(self, seconds: float) -> float:
        """Return the part of a measured time that the floor explains: 1 at the speed of light."""
        return self.seconds / seconds


def work(case: Case, run_shape: Sequence[int] | None = None) -> Work:
    """Return the work of one run of a case, by default in its first run shape.

    Tensors have the types that the network reads and writes; a quantized kernel has one byte a value.
    """
    shape = tuple(case.run_shapes[0] if run_shape is None else run_shape)
    output = layer_output(case, shape)
    axes = resolve(case.layer_shape(shape), case.kernel.shape, case.attributes)
    rank = len(axes)
    read = math.prod(shape[:-rank]) * math.prod(
        _read(axis, size, window) for axis, size, window in zip(axes, shape[-rank:], case.kernel.shape[2:], strict=True)
    )
    tensors = NUMPY_TYPE[case.input_type].itemsize * read + NUMPY_TYPE[case.output_type].itemsize * math.prod(output)
    return Work(
        precision=case.precision,
        flops=2 * math.prod(output) * math.prod(case.kernel.shape[1:]),
        bytes=tensors + weights_bytes(case),
    )


def _read(axis: Axis, size: int, window: int) -> int:
    """Return how many positions of an input axis of ``size`` are read by some window."""
    positions = np.add.outer(np.arange(axis.size) * axis.stride - axis.before, np.arange(window) * axis.dilation)
    return int(np.unique(positions[(positions >= 0) & (positions < size)]).size)


def floor(work: Work, ceilings: Mapping[str, float]) -> Floor | None:
    """Return the least time that measured ceilings allow; None if none of them applies to this work.

    Args:
        ceilings: ``memory``, in bytes per second of a large copy, read plus written, and FLOP per second by precision.
    """
    found: list[Floor] = []
    if ceilings.get(MEMORY):
        found.append(Floor(work.bytes / ceilings[MEMORY], "memory"))
    if ceilings.get(work.precision):
        found.append(Floor(work.flops / ceilings[work.precision], "compute"))
    return max(found, key=lambda candidate: candidate.seconds, default=None)
