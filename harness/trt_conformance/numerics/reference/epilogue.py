"""The network around the layer: what stands behind it, and how far that lets an error of the layer grow.

A result (and a golden) is the layer's own; these functions make of it what the network's output must be.

relu and clip move no two values further apart, so an error passes as it is. An addition keeps it and may round
once more, to the output's type. A concatenated input is copied, without any error.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trt_conformance.core.arrays import Array, Float64
from trt_conformance.core.case import Case, EpilogueOperation
from trt_conformance.core.tensors import NUMPY_TYPE, case_data
from trt_conformance.numerics.reference.result import Result

# Half a unit in the last place, relative, and absolute below the normal range, where a value may be flushed.
ROUNDING: dict[str, tuple[float, float]] = {
    "float32": (2.0**-24, 2.0**-126),
    "float16": (2.0**-11, 2.0**-25),
    "bfloat16": (2.0**-8, 2.0**-126),
}


def network_shape(case: Case, layer: Sequence[int], source: Sequence[int]) -> tuple[int, ...]:
    """The shape of the network's output, from those of the layer's output and the network's input."""
    shape, axis = list(layer), -case.spatial_rank - 1
    for step in case.epilogue:
        if step.op == "concat":
            shape[axis] += source[axis]
    return tuple(shape)


def apply(case: Case, y: Array, x: Array) -> Array:
    """The network's output in the type of ``y``, from the layer's and the network's input ``x`` in the same type.

    Args:
        case: what stands behind the layer, and how many spatial axes there are.
        y: ``(*batch, K, *spatial)``.
        x: ``(*batch, C, *spatial)``; where it is added or joined, of the shape that fits.
    """
    return apply_steps(case.epilogue, case.spatial_rank, y, x)


def apply_steps(steps: Sequence[EpilogueOperation], rank: int, y: Array, x: Array) -> Array:
    """As `apply`, of steps behind a layer with so many spatial axes."""
    for step in steps:
        y = _applied(step, y, x, -rank - 1)
    return y


def network_result(case: Case, result: Result, limits: Float64, run_shape: Sequence[int]) -> tuple[Float64, Float64]:
    """The network's output and the bound around it, from the layer's result and the bound around that."""
    if not case.epilogue:
        return result.output, limits
    x = case_data(case, run_shape).input.astype(np.float64)
    return apply(case, result.output, x), spread(case, limits, result.output, x)


def spread(case: Case, limits: Float64, y: Float64, x: Float64) -> Float64:
    """The bound around the network's output, from the bound ``limits`` around the layer's output ``y``."""
    axis = -case.spatial_rank - 1
    for step in case.epilogue:
        y = _applied(step, y, x, axis)
        if step.op == "add":
            relative, tiny = ROUNDING[case.data_type]
            with np.errstate(over="ignore"):
                kept = y.astype(NUMPY_TYPE[case.data_type]).astype(np.float64) == y
            rounding = relative * (np.abs(y) + limits) + tiny
            limits = limits + np.where(kept & (limits == 0), 0.0, rounding)
        elif step.op == "concat":
            limits = np.concatenate([limits, np.zeros_like(x)], axis=axis)
    return limits


def _applied(step: EpilogueOperation, y: Array, x: Array, axis: int) -> Array:
    if step.op == "relu":
        return np.maximum(y, np.zeros((), y.dtype))
    if step.op == "clip":
        # numpy.clip widens bfloat16.
        raised = np.maximum(y, np.asarray(step.low, y.dtype))
        return np.asarray(np.minimum(raised, np.asarray(step.high, y.dtype)))
    if step.op == "add":
        return np.asarray(y + x)
    return np.concatenate([y, x], axis=axis)
