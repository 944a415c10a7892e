"""The epilogue: the operations after the layer.

A reference result and a golden are outputs of the layer alone. These functions compute the network's output from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trt_conformance.core.arrays import Array, Float64
from trt_conformance.core.case import Case
from trt_conformance.core.epilogue_fields import EpilogueOperation, FurtherLayer
from trt_conformance.core.prologue import pooled
from trt_conformance.core.tensors import addend_of, further_weights
from trt_conformance.core.types import DataType
from trt_conformance.numerics.reference.activations import ACTIVATIONS
from trt_conformance.numerics.reference.blocked import convolve
from trt_conformance.numerics.reference.quantization import INT8, Grid, dequantize, grid_of, quantize, scales
from trt_conformance.numerics.reference.shape import output_shape


@dataclass(frozen=True)
class Setting:
    """What operations need in addition to the tensors that they follow.

    ``addend``: the network's second input. ``grid``: the values of the type to which Q quantizes. ``data_type``: the
    type of the weights of further layers.
    """

    addend: Array | None = None
    grid: Grid = INT8
    data_type: DataType = "float32"


def setting_of(case: Case) -> Setting:
    """Return the setting of a case's own operations."""
    return Setting(addend_of(case), grid_of(case.precision), case.data_type)


def network_shape(case: Case, layer: Sequence[int], source: Sequence[int]) -> tuple[int, ...]:
    """Return the shape of the network's output, from those of the layer's output and of the network's input.

    Raises:
        InvalidConvolution: a further layer does not fit what it reads.
    """
    return shapes_along(case, layer, source)[-1]


def shapes_along(case: Case, layer: Sequence[int], source: Sequence[int]) -> list[tuple[int, ...]]:
    """Return the shapes of the layer's output and of each operation's after it; raises as `network_shape` does."""
    shape, axis = list(layer), -case.spatial_rank - 1
    found = [tuple(shape)]
    for step in case.epilogue:
        if step.op == "concat":
            shape[axis] += source[axis]
        elif step.window is not None:
            shape[axis + 1 :] = (size // window for size, window in zip(shape[axis + 1 :], step.window, strict=True))
        elif step.layer is not None:
            shape = [*output_shape(shape, step.layer.shape, step.layer.attributes)]
        found.append(tuple(shape))
    return found


def apply(case: Case, y: Array, x: Array) -> Array:
    """Return the network's output, from the layer's output ``y`` and the network's input ``x``, all in one type.

    Args:
        case: determines the epilogue, the network's addend, and the number of spatial axes.
        y: ``(*batch, K, *spatial)``.
        x: ``(*batch, C, *spatial)``; for add of the shape of ``y``, for concat equal to it in all but the channels.
    """
    return applied(case, case.epilogue, y, x)


def applied(case: Case, steps: Sequence[EpilogueOperation], y: Array, x: Array) -> Array:
    """As `apply`, with operations other than the case's own."""
    return apply_steps(steps, case.spatial_rank, y, x, setting_of(case))


def apply_steps(
    steps: Sequence[EpilogueOperation],
    rank: int,
    y: Array,
    x: Array,
    setting: Setting = Setting(),
) -> Array:
    """Apply operations in order, as `apply` does, to the output of a layer with ``rank`` spatial axes."""
    for step in steps:
        y = step_applied(step, y, joined(step, x, setting).astype(y.dtype), -rank - 1, setting)
    return y


def joined(step: EpilogueOperation, x: Array, setting: Setting) -> Array:
    """Return the operand of an operation: the network's input or its addend, after its Q and DQ if it has them."""
    operand = source_of(step, x, setting)
    if step.of_scale is None:
        return operand
    scale = scales(step.of_scale, operand.ndim)
    return dequantize(quantize(operand.astype(np.float64), scale, setting.grid), scale)


def source_of(step: EpilogueOperation, x: Array, setting: Setting) -> Array:
    """Return the network's input, or its addend: what an operation joins before any Q and DQ."""
    return x if step.of == "input" or setting.addend is None else setting.addend


def further_operands(layer: FurtherLayer, setting: Setting) -> tuple[Float64, Float64 | None]:
    """Return the kernel of a further layer, after its Q and DQ if it has them, and its bias."""
    given = further_weights(setting.data_type, layer)
    kernel = given.kernel.astype(np.float64)
    if layer.scale is not None:
        scale = scales(layer.scale, kernel.ndim)
        kernel = dequantize(quantize(kernel, scale, setting.grid), scale)
    return kernel, None if given.bias is None else given.bias.astype(np.float64)


def step_applied(step: EpilogueOperation, y: Array, operand: Array, axis: int, setting: Setting) -> Array:
    """Apply one operation, in the type of ``y``; ``operand`` is what it joins, ``axis`` that of the channels."""
    match step.op:
        case "relu":
            return np.maximum(y, np.zeros((), y.dtype))
        case "clip":  # numpy.clip widens bfloat16.
            with np.errstate(over="ignore"):  # an end beyond the type is no limit
                low, high = np.asarray(step.low).astype(y.dtype), np.asarray(step.high).astype(y.dtype)
            return np.asarray(np.minimum(np.maximum(y, low), high))
        case "add":
            return np.asarray(y + operand)
        case "min":
            return np.minimum(y, operand)
        case "max":
            return np.maximum(y, operand)
        case "max_pool":
            return pooled(y, step.window or ())
        case "average_pool":
            return np.asarray(pooled(y.astype(np.float64), step.window or (), np.mean).astype(y.dtype))
        case "convolution":
            assert step.layer is not None
            return _convolved(step.layer, y, setting)
        case "concat":
            return np.concatenate([y, operand], axis=axis)
        case "quantize":
            scale = scales(step.scale or (1.0,), y.ndim)
            return dequantize(quantize(y.astype(np.float64), scale, setting.grid), scale).astype(y.dtype)
    return _smooth(step, y.astype(np.float64), axis).astype(y.dtype)


def _convolved(layer: FurtherLayer, y: Array, setting: Setting) -> Array:
    """The output of a further layer; halves are computed in float32."""
    wide = np.result_type(np.float32 if y.dtype.itemsize < 4 else y.dtype)
    kernel, bias = further_operands(layer, setting)
    b = None if bias is None else bias.astype(wide)
    found: Array = convolve(y.astype(wide), kernel.astype(wide), b, layer.attributes)
    return found.astype(y.dtype)


def _smooth(step: EpilogueOperation, y: Float64, axis: int) -> Float64:
    """Apply an operation of real numbers."""
    if step.op == "leaky_relu":
        return np.where(y < 0, y * (step.alpha or 0.0), y)
    if step.op == "scale":
        factor, shift = factors(step, y, axis)
        return y * factor + shift
    return ACTIVATIONS[step.op].values(y)


def factors(step: EpilogueOperation, y: Float64, axis: int) -> tuple[Float64, Float64]:
    """The factors and the shifts of a scale, shaped to broadcast along the maps."""
    shape = [1] * y.ndim
    shape[axis] = -1
    scale, shift = (np.asarray(values, dtype=np.float64) for values in (step.scale or (1.0,), step.shift or (0.0,)))
    return scale.reshape(shape), shift.reshape(shape)
