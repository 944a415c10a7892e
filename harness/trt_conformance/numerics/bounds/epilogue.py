"""How an error of the layer propagates through the operations after it.

relu, clip, min, max and max_pool move no two values further apart, so they do not increase an error. add preserves it
and may round once more, to the output type; quantize turns it into whole steps. scale multiplies it and rounds twice.
An activation multiplies it by at most its steepest slope, has an error of its own, and rounds. concat copies the
network's input without error. A further layer sums errors as it sums values, and rounds as a layer does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trt_conformance.core.arrays import Array, Float64
from trt_conformance.core.case import Case
from trt_conformance.core.epilogue_fields import JOINS, EpilogueOperation, FurtherLayer
from trt_conformance.core.prologue import pooled
from trt_conformance.core.tensors import network_input, representable
from trt_conformance.numerics.bounds.basis import Basis
from trt_conformance.numerics.bounds.elementwise import (
    EPILOGUE_STEPS,
    HALVES,
    NARROWEST,
    ROUNDING,
    Accumulation,
    Arithmetic,
    arithmetic_of,
    gamma,
    narrowest,
    sum_error,
    written,
)
from trt_conformance.numerics.bounds.operands import grain, significant_bits
from trt_conformance.numerics.bounds.transforms import WIDEST_WINDOW, Read, transform_error
from trt_conformance.numerics.reference.activations import ACTIVATIONS
from trt_conformance.numerics.reference.blocked import convolve
from trt_conformance.numerics.reference.epilogue import (
    apply,
    factors,
    further_operands,
    joined,
    setting_of,
    source_of,
    step_applied,
)
from trt_conformance.numerics.reference.quantization import Grid, near_tie_step, rescaled, scales
from trt_conformance.numerics.reference.result import Result


def network_result(
    case: Case, result: Result, limits: Float64, run_shape: Sequence[int], further: Sequence[Basis] | None = None
) -> tuple[Float64, Float64]:
    """Return the network's output and its error bound, from the layer's result and its error bound ``limits``.

    ``further`` is the basis of each further layer, in order; None where the GPU kernels that run them are not known.
    """
    if not case.epilogue:
        return result.output, limits
    return network_result_on(case, result, limits, network_input(case, run_shape), further)


def network_result_on(
    case: Case, result: Result, limits: Float64, given: Array, further: Sequence[Basis] | None = None
) -> tuple[Float64, Float64]:
    """As `network_result`, for the network's input ``given``: the whole, or that of a piece of the output."""
    x = given.astype(np.float64)
    return apply(case, result.output, x), spread(case, limits, result.output, x, further)


def spread(case: Case, limits: Float64, y: Float64, x: Float64, further: Sequence[Basis] | None = None) -> Float64:
    """Return the error bound of the network's output, from the bound ``limits`` of the layer's output ``y``.

    ``further`` is as in `network_result`.
    """
    axis, setting = -case.spatial_rank - 1, setting_of(case)
    relative, tiny = ROUNDING[case.data_type]
    grid, bases = setting.grid, iter(further or ())
    for step in case.epilogue:
        given, operand = y, joined(step, x, setting).astype(np.float64)
        y = step_applied(step, y, operand, axis, setting)
        if step.op in JOINS:
            off = _operand_error(case, step, source_of(step, x, setting).astype(np.float64), operand, grid)
            if step.op != "add":
                limits = np.maximum(limits, off)
                continue
            limits = limits + off
            rounding = relative * (np.abs(y) + limits) + tiny
            limits = limits + np.where(representable(y, case) & (limits == 0), 0.0, rounding)
        elif step.op == "quantize":
            limits = rescaled(given, limits, scales(step.scale or (1.0,), y.ndim), grid)
            limits = limits + np.where(representable(y, case) & (limits == 0), 0.0, _half(case, y, limits))
        elif step.layer is not None:
            limits = _convolved(case, step.layer, given, limits, y, next(bases, None))
        elif step.op == "concat":
            limits = np.concatenate([limits, np.zeros_like(x)], axis=axis)
        elif step.op == "max_pool":
            limits = pooled(limits, step.window or ())
        elif step.op == "average_pool":
            limits = _averaged(case, step.window or (), given, limits)
        elif step.op == "leaky_relu":
            limits = limits * max(1.0, abs(step.alpha or 0.0))
            limits = limits + np.where(given < 0, relative * (np.abs(y) + limits) + tiny, 0.0)
        elif step.op == "scale":
            factor, shift = factors(step, y, axis)
            product = np.abs(given * factor) + limits * np.abs(factor)
            limits = limits * np.abs(factor) + relative * (2 * product + np.abs(shift)) + 2 * tiny
        elif step.op in ACTIVATIONS:
            activation = ACTIVATIONS[step.op]
            limits = limits * activation.slope + activation.error(given)
            limits = limits + activation.roundings * (relative * (np.abs(y) + limits) + tiny)
    return limits


def _operand_error(case: Case, step: EpilogueOperation, given: Float64, operand: Float64, grid: Grid) -> Float64:
    """The error of an operand after Q and DQ: a step where it is quantized near a tie, and that of dequantizing."""
    if step.of_scale is None:
        return np.zeros_like(operand)
    scale = scales(step.of_scale, operand.ndim)
    near = near_tie_step(given, scale, grid)
    limits = near + rescaled(operand, np.zeros_like(operand), scale, grid)
    return np.asarray(
        limits + np.where(representable(operand, case) & (limits == 0), 0.0, _half(case, operand, limits))
    )


def _convolved(
    case: Case, layer: FurtherLayer, y: Float64, limits: Float64, output: Float64, rests_on: Basis | None
) -> Float64:
    """The error of a further layer that reads ``y`` with an error of up to ``limits``, and gives ``output``.

    It is that of `elementwise.bound`, or of a transform, on values of up to |y| + ``limits``: the GPU kernel sums what
    the layer before it gave, and not the exact ``y``. Where the GPU kernel is not known (``rests_on`` is None), it may
    accumulate in the narrowest type of the precision, and round a sum before it adds the bias; and a kernel with a
    window may be one of Winograd's, or an FFT where the window is too wide for Winograd's. Q and DQ allow for the
    widest accumulation whatever the basis, and for a transform only where the GPU kernel is known to have one.
    """
    setting, attributes = setting_of(case), layer.attributes
    kernel, bias = further_operands(layer, setting)
    near = np.zeros_like(kernel)
    if layer.scale is not None:
        given = further_operands(layer.model_copy(update={"scale": None}), setting)[0]
        near = near_tie_step(given, scales(layer.scale, kernel.ndim), setting.grid)
    size, largest = np.abs(y) + limits, np.abs(kernel) + near
    propagated = convolve(limits, largest, None, attributes) + convolve(np.abs(y), near, None, attributes)
    magnitude = convolve(size, largest, None if bias is None else np.abs(bias), attributes)
    accumulation = _accumulation(case, rests_on)
    arithmetic = arithmetic_of(case, accumulation)
    terms = math.prod(layer.shape[1:]) + (bias is not None)
    steps = terms + (EPILOGUE_STEPS if case.quantize is not None else 0)
    of_image = size.max(axis=tuple(range(-case.spatial_rank - 1, 0)), keepdims=True, initial=0.0)
    tiny = terms * arithmetic.step_tiny * (1 + of_image + largest.max(initial=0.0))
    reading = (1 + arithmetic.read) ** 2
    own = sum_error(magnitude, np.abs(output) + propagated, steps, arithmetic.step, reading) + tiny
    may_transform = rests_on in ("winograd", "fft") or (rests_on is None and case.quantize is None)
    if may_transform and math.prod(layer.shape[2:]) > 1:
        own = np.maximum(own, _transformed(case, layer, size, largest, bias, rests_on) + tiny)
    elif case.quantize is None:
        own = np.where(_sums_exactly(y, kernel, bias, magnitude, arithmetic) & (propagated == 0), 0.0, own)
    spread = propagated + own
    if accumulation == "fp32_rounded" and bias is not None:
        spread = written(case, output - bias.reshape(-1, *(1,) * case.spatial_rank), spread, arithmetic)
    return written(case, output, spread, arithmetic)


def _accumulation(case: Case, rests_on: Basis | None) -> Accumulation:
    """The type in which a further layer's sums are accumulated: the narrowest that its GPU kernel may have."""
    if rests_on in ("fp32", "fp32_rounded") and case.quantize is None:
        return rests_on
    precision = narrowest(case)
    return NARROWEST.get(precision, "fp32_rounded" if rests_on is None and precision in HALVES else "fp32")


def _sums_exactly(
    y: Float64, kernel: Float64, bias: Float64 | None, magnitude: Float64, arithmetic: Arithmetic
) -> NDArray[np.bool_]:
    """Where a further layer rounds no sum: operands are read in full, and every partial sum fits the accumulator."""
    grains = grain(y), grain(kernel)
    unit = min(grains[0] * grains[1], math.inf if bias is None else grain(bias))
    is_read = not arithmetic.read or max(significant_bits(y), significant_bits(kernel)) <= arithmetic.read_bits
    if not is_read or min(unit, *grains) < arithmetic.step_tiny:
        return np.zeros(magnitude.shape, dtype=bool)
    return np.asarray(magnitude <= 2.0**arithmetic.step_bits * unit)


def _transformed(
    case: Case, layer: FurtherLayer, size: Float64, kernel: Float64, bias: Float64 | None, rests_on: Basis | None
) -> Float64:
    """The error of a transforming GPU kernel that runs a further layer on values of up to ``size``, before it writes.

    ``kernel`` has the largest magnitudes of its kernel; ``(N, K, 1, 1)``, or one axis more.
    """
    algorithm: Literal["winograd", "fft"] = "winograd"
    if rests_on == "fft" or max(layer.shape[2:]) > WIDEST_WINDOW:
        algorithm = "fft"
    rank = case.spatial_rank
    axes = tuple(range(-rank, 0))
    channels = math.prod(size.shape[: -rank - 1]), size.shape[-rank - 1]
    b = np.zeros(len(kernel)) if bias is None else np.abs(bias)
    read = Read(
        largest=size.max(axis=axes, initial=0.0).reshape(channels),
        norm=np.sqrt((size**2).sum(axis=axes)).reshape(channels),
        kernel=kernel,
        bias=b.reshape(-1, *(1,) * rank),
        sizes=size.shape[-rank:],
        attributes=layer.attributes,
    )
    found = transform_error(case, read, algorithm)
    return found.reshape(*size.shape[: -rank - 1], *found.shape[1:])


def _averaged(case: Case, window: Sequence[int], y: Float64, limits: Float64) -> Float64:
    """The error of the mean of each window of ``y``, whose error is ``limits``: a sum and a division in its type."""
    relative, tiny = ROUNDING[case.data_type]
    size = pooled(np.abs(y) + limits, window, np.mean)
    propagated = pooled(limits, window, np.mean)
    return np.asarray(propagated + gamma(math.prod(window) + 1, relative) * size + 2 * tiny)


def _half(case: Case, values: Float64, limits: Float64) -> Float64:
    """The error of writing dequantized values in a type narrower than float32, which `rescaled` does not have."""
    if case.data_type == "float32":
        return np.zeros_like(values)
    relative, tiny = ROUNDING[case.data_type]
    return np.asarray(relative * (np.abs(values) + limits) + tiny)
