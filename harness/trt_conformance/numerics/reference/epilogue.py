"""The epilogue: the operations after the layer, and how an error of the layer propagates through them.

A reference result, and a golden, is the output of the layer alone. These functions compute that of the network from it.

relu and clip move no two values further apart, so they do not increase an error. add preserves it and may round once
more, to the output type. concat copies the network's input without error.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trt_conformance.core.arrays import Array, Float64
from trt_conformance.core.case import Case, EpilogueOperation
from trt_conformance.core.tensors import NUMPY_TYPE, case_data
from trt_conformance.numerics.reference.result import Result

# Half a unit in the last place: relative, and absolute below the normal range, where a value may be flushed to zero.
ROUNDING: dict[str, tuple[float, float]] = {
    "float32": (2.0**-24, 2.0**-126),
    "float16": (2.0**-11, 2.0**-25),
    "bfloat16": (2.0**-8, 2.0**-126),
}


def network_shape(case: Case, layer: Sequence[int], source: Sequence[int]) -> tuple[int, ...]:
    """Return the shape of the network's output, from those of the layer's output and of the network's input."""
    shape, axis = list(layer), -case.spatial_rank - 1
    for step in case.epilogue:
        if step.op == "concat":
            shape[axis] += source[axis]
    return tuple(shape)


def apply(case: Case, y: Array, x: Array) -> Array:
    """Return the network's output, from the layer's output ``y`` and the network's input ``x``, all in one type.

    Args:
        case: determines the epilogue and the number of spatial axes.
        y: ``(*batch, K, *spatial)``.
        x: ``(*batch, C, *spatial)``; for add of the shape of ``y``, for concat equal to it in all but the channels.
    """
    return apply_steps(case.epilogue, case.spatial_rank, y, x)


def apply_steps(steps: Sequence[EpilogueOperation], rank: int, y: Array, x: Array) -> Array:
    """Apply operations in order, as `apply` does, to the output of a layer with ``rank`` spatial axes."""
    for step in steps:
        y = _applied(step, y, x, -rank - 1)
    return y


def network_result(case: Case, result: Result, limits: Float64, run_shape: Sequence[int]) -> tuple[Float64, Float64]:
    """Return the network's output and its error bound, from the layer's result and its error bound ``limits``."""
    if not case.epilogue:
        return result.output, limits
    return network_result_on(case, result, limits, case_data(case, run_shape).input)


def network_result_on(case: Case, result: Result, limits: Float64, given: Array) -> tuple[Float64, Float64]:
    """As `network_result`, for the network's input ``given``: the whole, or that of a piece of the output."""
    x = given.astype(np.float64)
    return apply(case, result.output, x), spread(case, limits, result.output, x)


def spread(case: Case, limits: Float64, y: Float64, x: Float64) -> Float64:
    """Return the error bound of the network's output, from the bound ``limits`` of the layer's output ``y``."""
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
