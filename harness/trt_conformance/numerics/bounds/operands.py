"""What the error bounds need from a layer's operands: the kernel and the bias, and a few figures of the input.

The figures are collected from parts of the input, of a size that does not depend on the memory. So they have the same
bits, whether an output is then compared as a whole or in pieces.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from trt_conformance.core.arrays import Array, Float64
from trt_conformance.core.case import Case
from trt_conformance.core.quantization_fields import Operand
from trt_conformance.core.tensors import CaseData, case_data
from trt_conformance.numerics.reference.quantization import grid_of, through

PART = 2**20
"""Elements of the input that are in float64 at a time: 8 MiB."""

REMEMBERED = 2**20
"""Elements of the operands of a run that are remembered: 8 MiB in float64."""

FLOAT64_BITS = 53
SAMPLE = 256
"""Values whose grain is found at a time."""


@dataclass(frozen=True)
class Operands:
    """The operands of one run of a case, as the layer reads them: after Q/DQ, in float64."""

    case: Case
    data: CaseData

    @cached_property
    def kernel(self) -> Float64:
        """``(K, C/groups, *window)``."""
        return after_quantization(self.case, "kernel", self.data.kernel.astype(np.float64))

    @cached_property
    def bias(self) -> Float64:
        """``(K, 1, 1)`` or ``(K, 1, 1, 1)``; zeros where the layer has none."""
        w, b = self.data.kernel, self.data.bias
        values = np.zeros(w.shape[0]) if b is None else b.astype(np.float64)
        return values.reshape(-1, *(1,) * self.case.spatial_rank)

    @cached_property
    def largest(self) -> Float64:
        """The largest magnitude in each image and channel of the input, ``(N, C)``; N counts the images."""
        return self._of_channels(lambda found, part: np.maximum(found, np.abs(part).max(axis=1, initial=0.0)))

    @cached_property
    def norm(self) -> Float64:
        """The 2-norm of each image and channel of the input, ``(N, C)``."""
        return np.sqrt(self._of_channels(lambda found, part: np.asarray(found + (part**2).sum(axis=1))))

    @cached_property
    def grain(self) -> float:
        """As `grain`, of the input."""
        return min((grain(part) for _, part in self._parts()), default=math.inf)

    @cached_property
    def kernel_grain(self) -> float:
        """As `grain`, of the kernel."""
        return grain(self.kernel)

    @cached_property
    def bits(self) -> int:
        """The most significant bits that a value of the input has."""
        return max((significant_bits(part) for _, part in self._parts()), default=0)

    def _channels(self) -> Array:
        """The input as ``(N * C, elements of a channel)``."""
        x = self.data.input
        leading = math.prod(x.shape[: -self.case.spatial_rank])
        return x.reshape(leading, math.prod(x.shape[-self.case.spatial_rank :]))

    def _parts(self) -> Iterable[tuple[slice, Float64]]:
        """Parts of whole channels, or of one where it is larger than a part; with the range of their channels."""
        return self._small_parts if self.data.input.size <= PART else self._made_parts()

    @cached_property
    def _small_parts(self) -> list[tuple[slice, Float64]]:
        """The parts of a small input, of which each figure needs all."""
        return list(self._made_parts())

    def _made_parts(self) -> Iterator[tuple[slice, Float64]]:
        channels = self._channels()
        count, size = channels.shape
        many = max(1, PART // max(1, size))
        for first in range(0, count, many):
            for start in range(0, size, PART):
                part = channels[first : first + many, start : start + PART].astype(np.float64)
                yield slice(first, first + many), after_quantization(self.case, "input", part)

    def _of_channels(self, add: Callable[[Float64, Float64], Float64]) -> Float64:
        found = np.zeros(len(self._channels()))
        for channels, part in self._parts():
            found[channels] = add(found[channels], part)
        *batch, count = self.data.input.shape[: -self.case.spatial_rank]
        return found.reshape(math.prod(batch), count)


def operands_of(case: Case, run_shape: Sequence[int]) -> Operands:
    """The operands of a run of a case. Those of the last run are remembered, if small, with the figures found so far.

    Raises:
        ConformanceError: as `case_data`.
    """
    shape = tuple(run_shape)
    known = _LAST.get(shape)
    if known is not None and known.case is case:
        return known
    found = Operands(case, case_data(case, shape))
    _LAST.clear()
    if found.data.input.size + found.data.kernel.size <= REMEMBERED:
        _LAST[shape] = found
    return found


_LAST: dict[tuple[int, ...], Operands] = {}
"""By the run's shape, which the layer's input may not have where something is before the layer."""


def after_quantization(case: Case, operand: Operand, values: Float64) -> Float64:
    """Return an operand, or a part of the input, after its Q/DQ, in float64; unchanged if it passes through none."""
    if case.quantize is None:
        return values
    return through(values, case.quantize, operand, grid_of(case.precision))


def grain(values: Array) -> float:
    """Return the largest power of two that divides every value; infinity if all are 0.

    That of a few values nearly always divides all. The bits of the others are examined only if it does not.
    """
    found, rest = math.inf, values[values != 0]
    while rest.size:
        found = min(found, _grain_of_each(rest[:SAMPLE]))
        rest = rest[SAMPLE:]
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            multiples = rest / found  # exact, unless it overflows, as a multiple does, or underflows to 0
        rest = rest[(multiples != np.trunc(multiples)) | (multiples == 0)]
    return found


def _grain_of_each(values: Array) -> float:
    mantissa, exponent = np.frexp(values)
    whole = np.ldexp(mantissa, FLOAT64_BITS).astype(np.int64)
    return float(np.ldexp((whole & -whole).astype(np.float64), exponent - FLOAT64_BITS).min())


def significant_bits(values: Array) -> int:
    """Return the most significant bits that any finite value has: 0 if all are 0."""
    mantissa = np.frexp(values[(values != 0) & np.isfinite(values)])[0]
    whole = np.ldexp(mantissa, FLOAT64_BITS).astype(np.int64)
    lowest = (whole & -whole).min(initial=2**FLOAT64_BITS)
    return FLOAT64_BITS + 1 - int(lowest).bit_length()
