"""The epilogue: the operations after the layer, and how an error of the layer propagates through them.

A reference result, and a golden, is the output of the layer alone. These functions compute that of the network from it.

relu, clip, min, max and max_pool move no two values further apart, so they do not increase an error. add preserves it
and may round once more, to the output type; quantize turns it into whole steps. scale multiplies it and rounds twice.
An activation multiplies it by at most its steepest slope, has an error of its own, and rounds. concat copies the
network's input without error.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trt_conformance.core.arrays import Array, Float64
from trt_conformance.core.case import Case
from trt_conformance.core.epilogue_fields import JOINS, EpilogueOperation
from trt_conformance.core.prologue import pooled
from trt_conformance.core.tensors import addend_of, network_input, representable
from trt_conformance.numerics.reference.activations import ACTIVATIONS
from trt_conformance.numerics.reference.quantization import (
    INT8,
    Grid,
    dequantize,
    grid_of,
    near_tie_step,
    quantize,
    rescaled,
    scales,
)
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
        elif step.op == "max_pool" and step.window is not None:
            shape[axis + 1 :] = (size // window for size, window in zip(shape[axis + 1 :], step.window, strict=True))
    return tuple(shape)


def apply(case: Case, y: Array, x: Array) -> Array:
    """Return the network's output, from the layer's output ``y`` and the network's input ``x``, all in one type.

    Args:
        case: determines the epilogue, the network's addend, and the number of spatial axes.
        y: ``(*batch, K, *spatial)``.
        x: ``(*batch, C, *spatial)``; for add of the shape of ``y``, for concat equal to it in all but the channels.
    """
    return applied(case, case.epilogue, y, x)


def applied(case: Case, steps: Sequence[EpilogueOperation], y: Array, x: Array) -> Array:
    """As `apply`, of other operations than the case's own."""
    return apply_steps(steps, case.spatial_rank, y, x, addend_of(case), grid_of(case.precision))


def apply_steps(
    steps: Sequence[EpilogueOperation], rank: int, y: Array, x: Array, addend: Array | None = None, grid: Grid = INT8
) -> Array:
    """Apply operations in order, as `apply` does, to the output of a layer with ``rank`` spatial axes.

    Args:
        steps: the operations.
        rank: the number of spatial axes.
        y: the layer's output.
        x: the network's input.
        addend: its second input, where an operation reads one.
        grid: the values of the type to which operations quantize.
    """
    for step in steps:
        y = _applied(step, y, joined(step, x, addend, grid).astype(y.dtype), -rank - 1, grid)
    return y


def joined(step: EpilogueOperation, x: Array, addend: Array | None, grid: Grid) -> Array:
    """Return the operand of an operation: the network's input or its addend, behind its Q and DQ where it has them."""
    operand = x if step.of == "input" or addend is None else addend
    if step.of_scale is None:
        return operand
    scale = scales(step.of_scale, operand.ndim)
    return dequantize(quantize(operand.astype(np.float64), scale, grid), scale)


def network_result(case: Case, result: Result, limits: Float64, run_shape: Sequence[int]) -> tuple[Float64, Float64]:
    """Return the network's output and its error bound, from the layer's result and its error bound ``limits``."""
    if not case.epilogue:
        return result.output, limits
    return network_result_on(case, result, limits, network_input(case, run_shape))


def network_result_on(case: Case, result: Result, limits: Float64, given: Array) -> tuple[Float64, Float64]:
    """As `network_result`, for the network's input ``given``: the whole, or that of a piece of the output."""
    x = given.astype(np.float64)
    return apply(case, result.output, x), spread(case, limits, result.output, x)


def spread(case: Case, limits: Float64, y: Float64, x: Float64) -> Float64:
    """Return the error bound of the network's output, from the bound ``limits`` of the layer's output ``y``."""
    axis, grid = -case.spatial_rank - 1, grid_of(case.precision)
    relative, tiny = ROUNDING[case.data_type]
    given_addend = addend_of(case)
    addend = None if given_addend is None else given_addend.astype(np.float64)
    for step in case.epilogue:
        given, operand = y, joined(step, x, addend, grid)
        y = _applied(step, y, operand, axis, grid)
        if step.op in JOINS:
            off = _operand_error(case, step, x if step.of == "input" or addend is None else addend, operand, grid)
            if step.op != "add":
                limits = np.maximum(limits, off)
                continue
            limits = limits + off
            rounding = relative * (np.abs(y) + limits) + tiny
            limits = limits + np.where(representable(y, case) & (limits == 0), 0.0, rounding)
        elif step.op == "quantize":
            limits = rescaled(given, limits, scales(step.scale or (1.0,), y.ndim), grid)
            limits = limits + np.where(representable(y, case) & (limits == 0), 0.0, _half(case, y, limits))
        elif step.op == "concat":
            limits = np.concatenate([limits, np.zeros_like(x)], axis=axis)
        elif step.op == "max_pool":
            limits = pooled(limits, step.window or ())
        elif step.op == "leaky_relu":
            limits = limits * max(1.0, abs(step.alpha or 0.0))
            limits = limits + np.where(given < 0, relative * (np.abs(y) + limits) + tiny, 0.0)
        elif step.op == "scale":
            factor, shift = _factors(step, y, axis)
            product = np.abs(given * factor) + limits * np.abs(factor)
            limits = limits * np.abs(factor) + relative * (2 * product + np.abs(shift)) + 2 * tiny
        elif step.op in ACTIVATIONS:
            activation = ACTIVATIONS[step.op]
            limits = limits * activation.slope + activation.error(given)
            limits = limits + activation.roundings * (relative * (np.abs(y) + limits) + tiny)
    return limits


def _operand_error(case: Case, step: EpilogueOperation, given: Float64, operand: Float64, grid: Grid) -> Float64:
    """The error of an operand behind Q and DQ: a step where it is quantized near a tie, and that of dequantizing."""
    if step.of_scale is None:
        return np.zeros_like(operand)
    scale = scales(step.of_scale, operand.ndim)
    near = near_tie_step(given, scale, grid)
    limits = near + rescaled(operand, np.zeros_like(operand), scale, grid)
    return limits + np.where(representable(operand, case) & (limits == 0), 0.0, _half(case, operand, limits))


def _half(case: Case, values: Float64, limits: Float64) -> Float64:
    """The error of writing dequantized values in a type narrower than float32, which `rescaled` does not have."""
    if case.data_type == "float32":
        return np.zeros_like(values)
    relative, tiny = ROUNDING[case.data_type]
    return np.asarray(relative * (np.abs(values) + limits) + tiny)


def _applied(step: EpilogueOperation, y: Array, operand: Array, axis: int, grid: Grid) -> Array:
    match step.op:
        case "relu":
            return np.maximum(y, np.zeros((), y.dtype))
        case "clip":  # numpy.clip widens bfloat16.
            raised = np.maximum(y, np.asarray(step.low, y.dtype))
            return np.asarray(np.minimum(raised, np.asarray(step.high, y.dtype)))
        case "add":
            return np.asarray(y + operand)
        case "min":
            return np.minimum(y, operand)
        case "max":
            return np.maximum(y, operand)
        case "max_pool":
            return pooled(y, step.window or ())
        case "concat":
            return np.concatenate([y, operand], axis=axis)
        case "quantize":
            scale = scales(step.scale or (1.0,), y.ndim)
            return dequantize(quantize(y.astype(np.float64), scale, grid), scale).astype(y.dtype)
    return _smooth(step, y.astype(np.float64), axis).astype(y.dtype)


def _smooth(step: EpilogueOperation, y: Float64, axis: int) -> Float64:
    """Apply an operation of real numbers."""
    if step.op == "leaky_relu":
        return np.where(y < 0, y * (step.alpha or 0.0), y)
    if step.op == "scale":
        factor, shift = _factors(step, y, axis)
        return y * factor + shift
    return ACTIVATIONS[step.op].values(y)


def _factors(step: EpilogueOperation, y: Float64, axis: int) -> tuple[Float64, Float64]:
    """The factors and the shifts of a scale, shaped to broadcast along the maps."""
    shape = [1] * y.ndim
    shape[axis] = -1
    scale, shift = (np.asarray(values, dtype=np.float64) for values in (step.scale or (1.0,), step.shift or (0.0,)))
    return scale.reshape(shape), shift.reshape(shape)
