"""The operations after the layer as TensorRT code, and what they compute as NumPy code."""

from __future__ import annotations

import numpy as np

from trt_conformance.core.case import Case
from trt_conformance.core.epilogue_fields import EpilogueName, EpilogueOperation
from trt_conformance.core.types import Floats
from trt_conformance.numerics.reference.activations import SELU_ALPHA, SELU_LAMBDA
from trt_conformance.repro.further import expected_layer_line, further_layer_lines, layer_number
from trt_conformance.repro.prologue import pooled_lines
from trt_conformance.repro.scaling import ScalingCode, scale_code
from trt_conformance.repro.tensors import number, weights_code
from trt_conformance.targets.tensorrt.following import ACTIVATIONS, ELEMENTWISE, PARAMETERS, POOLINGS

# As one would write them: a sixth has no short decimal.
_NUMBERS = {name: f"{alpha}, {beta}" for name, (alpha, beta) in PARAMETERS.items()} | {"hard_swish": "1 / 6, 0.5"}
# What NumPy takes of a window.
_REDUCED: dict[EpilogueName, str] = {"max_pool": "max", "average_pool": "mean"}
_EXPECTED: dict[EpilogueName, str] = {
    "relu": "np.maximum(expected, 0)",
    "sigmoid": "1 / (1 + np.exp(-expected))",
    "tanh": "np.tanh(expected)",
    "silu": "expected / (1 + np.exp(-expected))",
    "hard_swish": "expected * np.clip(expected / 6 + 0.5, 0, 1)",
    "gelu": "expected * (1 + np.vectorize(math.erf)(expected / math.sqrt(2))) / 2",
    "gelu_tanh": "expected * (1 + np.tanh(math.sqrt(2 / math.pi) * (expected + 0.044715 * expected**3))) / 2",
    "elu": "np.maximum(expected, 0) + np.expm1(np.minimum(expected, 0))",
    "selu": f"{SELU_LAMBDA} * (np.maximum(expected, 0) + {SELU_ALPHA} * np.expm1(np.minimum(expected, 0)))",
    "softsign": "expected / (1 + np.abs(expected))",
    "softplus": "np.logaddexp(0, expected)",
    "hard_sigmoid": "np.clip(expected / 5 + 0.5, 0, 1)",
}
_JOINED: dict[EpilogueName, str] = {
    "add": "expected + {operand}",
    "min": "np.minimum(expected, {operand})",
    "max": "np.maximum(expected, {operand})",
}

ALONE: tuple[EpilogueName, ...] = (*_EXPECTED, "clip", "leaky_relu", "quantize")
"""Elementwise operations with one input."""


def followed_lines(case: Case, scaling: ScalingCode | None, strong: bool) -> list[str]:
    """Add the case's operations after ``tensor``; ``source`` and ``second`` are the network's inputs.

    ``scaling`` adds Q and DQ. ``strong``: whether the network is strongly typed.
    """
    lines = []
    for index, step in enumerate(case.epilogue):
        if step.layer is not None:
            lines += further_layer_lines(case, layer_number(case, index), step.layer, scaling, strong)
        elif step.op == "quantize":
            assert scaling is not None
            lines += scaling.rescaled("tensor", step.scale or (1.0,))
        else:
            lines += _followed(case, step, scaling)
    return lines


def _followed(case: Case, step: EpilogueOperation, scaling: ScalingCode | None) -> list[str]:
    axis = len(case.network_shape) - case.spatial_rank - 1
    if step.op in ELEMENTWISE:
        operand = "source" if step.of == "input" else "second"
        if step.of_scale is None:
            return [_elementwise(operand, ELEMENTWISE[step.op])]
        assert scaling is not None
        rescaled = scaling.rescaled("operand", (step.of_scale,))
        return [f"operand = {operand}", *rescaled, _elementwise("operand", ELEMENTWISE[step.op])]
    if step.op == "concat":
        return [
            "joined = network.add_concatenation([tensor, source])",
            f"joined.axis = {axis}",
            "tensor = joined.get_output(0)",
        ]
    if step.op in POOLINGS:
        return [
            f"pooling = network.add_pooling_nd(tensor, trt.PoolingType.{POOLINGS[step.op]}, {step.window})",
            f"pooling.stride_nd = {step.window}",
            "tensor = pooling.get_output(0)",
        ]
    if step.op == "scale":
        return _scale_lines(case, step, axis)
    lines = [f"activation = network.add_activation(tensor, trt.ActivationType.{ACTIVATIONS[step.op]})"]
    match step.op:
        case "clip":
            lines.append(f"activation.alpha, activation.beta = {step.low}, {step.high}")
        case "leaky_relu":
            lines.append(f"activation.alpha = {step.alpha}")
        case op if op in _NUMBERS:
            lines.append(f"activation.alpha, activation.beta = {_NUMBERS[op]}")
    if step.op in ("silu", "hard_swish"):
        return [*lines, _elementwise("activation.get_output(0)", "PROD")]
    return [*lines, "tensor = activation.get_output(0)"]


def _elementwise(other: str, operation: str) -> str:
    return f"tensor = network.add_elementwise(tensor, {other}, trt.ElementWiseOperation.{operation}).get_output(0)"


def _scale_lines(case: Case, step: EpilogueOperation, axis: int) -> list[str]:
    factors, shifts = step.scale or (1.0,), step.shift or (0.0,)
    count = max(len(factors), len(shifts))
    dtype = "np.float16" if case.data_type == "float16" else "np.float32"
    mode = "CHANNEL" if count > 1 else "UNIFORM"
    ones = _array((1.0,) * count)
    return [
        f"scale = [np.resize({_array(shifts)}, {count}), np.resize({_array(factors)}, {count}), {ones}]",
        f"keep += [values.astype({dtype}) for values in scale]",
        f"shift, scale, power = [{weights_code(case, 'values')} for values in keep[-3:]]",
        f"tensor = network.add_scale_nd(tensor, trt.ScaleMode.{mode}, shift, scale, power, {axis}).get_output(0)",
    ]  # fmt: skip


def expected_step_lines(case: Case, index: int) -> list[str]:
    """Apply the operation of this index to ``expected``; ``x`` and ``addend`` are the network's inputs."""
    step, axis = case.epilogue[index], -case.spatial_rank - 1
    if step.layer is not None:
        return [expected_layer_line(layer_number(case, index), step.layer)]
    if step.op in _JOINED:
        operand = "x" if step.of == "input" else "addend"
        if step.of_scale is not None:
            operand = f"qdq({operand}.astype(float), {scale_code((step.of_scale,))})"
        return [f"expected = {_JOINED[step.op].format(operand=operand)}"]
    match step.op:
        case "clip":
            return [f"expected = np.clip(expected, {step.low}, {step.high})"]
        case "leaky_relu":
            return [f"expected = np.where(expected < 0, {step.alpha} * expected, expected)"]
        case "concat":
            return [f"expected = np.concatenate([expected, x], axis={axis})"]
        case "scale":
            axes = (-1, *(1,) * case.spatial_rank)
            factor, shift = (_array(values) for values in (step.scale or (1.0,), step.shift or (0.0,)))
            return [f"expected = expected * {factor}.reshape({axes}) + {shift}.reshape({axes})"]
        case "max_pool" | "average_pool":
            return pooled_lines("expected", step.window or (), axis, _REDUCED[step.op])
        case "quantize":
            return [f"expected = qdq(expected, {scale_code(step.scale or (1.0,))})"]
    return [f"expected = {_EXPECTED[step.op]}"]


def _array(values: Floats) -> str:
    return f"np.array([{', '.join(number(float(np.float64(value))) for value in values)}])"
