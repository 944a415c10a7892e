"""The reference as a target, in the arithmetic of the case's precision.

It computes in float32 where the reference uses float64, drops TF32's bits and rounds to the narrow
types, so that bounds and comparisons are exercised on every machine.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from trt_conformance.core.arrays import Array
from trt_conformance.core.case import Case
from trt_conformance.core.tensors import INPUT, OUTPUT, layer_input_of, parameters
from trt_conformance.core.types import Mode
from trt_conformance.numerics.reference import epilogue
from trt_conformance.numerics.reference.blocked import convolve
from trt_conformance.numerics.reference.quantization import dequantize, grid_of, quantize, scales, through
from trt_conformance.targets.other_rules import lacks, refuse_invalid
from trt_conformance.targets.timing import host
from trt_conformance.targets.timing.measurement import Measurement, TimingPlan

TF32_KEPT_BITS = np.uint32(0xFFFFE000)


class NumpyEngine:
    """Holds the case's kernel and bias."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._data = parameters(case)

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        given = feeds[INPUT]
        x, quantize = layer_input_of(self._case, given), self._case.quantize
        y = self._float(x) if quantize is None or not quantize.is_plain else self._quantized(x)
        return {OUTPUT: epilogue.apply(self._case, y, given)}

    def _float(self, x: Array) -> Array:
        case, w, b = self._case, self._data.kernel, self._data.bias
        dtype = x.dtype
        if case.quantize is not None:
            grid = grid_of(case.precision)
            x = through(x.astype(np.float64), case.quantize, "input", grid)
            w = through(w.astype(np.float64), case.quantize, "kernel", grid)
        if case.precision == "tf32":
            x, w = truncated(x), truncated(w)
        wide = [None if t is None else t.astype(np.float32) for t in (x, w, b)]
        assert wide[0] is not None and wide[1] is not None
        result: Array = convolve(wide[0], wide[1], wide[2], case.attributes)
        return result.astype(dtype)

    def _quantized(self, x: Array) -> Array:
        case, w, b = self._case, self._data.kernel, self._data.bias
        assert case.quantize is not None
        grid = grid_of(case.precision)
        x_scale, w_scale = scales(case.quantize.input, x.ndim), scales(case.quantize.kernel, w.ndim)
        q, r = quantize(x.astype(np.float64), x_scale, grid), quantize(w.astype(np.float64), w_scale, grid)
        sums = convolve(q, r, None, case.attributes)
        shape = (-1, *(1,) * case.spatial_rank)
        y = sums.astype(np.float32) * (x_scale.ravel() * w_scale.ravel()).astype(np.float32).reshape(shape)
        if b is not None:
            y = y + b.astype(np.float32).reshape(shape)
        if case.quantize.output is None:
            return np.asarray(y, dtype=x.dtype)
        scale = scales(case.quantize.output, y.ndim)
        return dequantize(quantize(y.astype(np.float64), scale, grid), scale).astype(x.dtype)

    def timing_modes(self) -> tuple[Mode, ...]:
        return host.MODES

    def measure(self, feeds: Mapping[str, Array], plan: TimingPlan) -> Measurement:
        return host.measure(lambda: self.run(feeds), plan)

    def close(self) -> None:
        return None


class NumpyTarget:
    """Target ``numpy``."""

    name = "numpy"

    def supports(self, case: Case) -> str | None:
        return lacks(case, self.name, refuses=True)

    def build(self, case: Case) -> NumpyEngine:
        refuse_invalid(case)
        return NumpyEngine(case)


def truncated(values: Array) -> Array:
    """TF32 by truncation: the last 13 of 23 fraction bits dropped."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    return np.asarray((bits & TF32_KEPT_BITS).view(np.float32))
