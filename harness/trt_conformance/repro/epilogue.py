"""The operations after the layer as TensorRT code, and what they compute as NumPy code."""

from __future__ import annotations

import numpy as np

from trt_conformance.core.case import Case
from trt_conformance.core.epilogue_fields import EpilogueName, EpilogueOperation
from trt_conformance.core.types import Floats
from trt_conformance.numerics.reference.activations import SELU_ALPHA, SELU_LAMBDA
from trt_conformance.repro.tensors import number
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
    "add": "expected + x",
    "min": "np.minimum(expected, x)",
    "max": "np.maximum(expected, x)",
}


def inexpressible(step: EpilogueOperation) -> bool:
    """Whether a program does not have an operation."""
    return step.layer is not None or step.of != "input" or step.of_scale is not None or step.op == "quantize"


def followed_lines(case: Case, step: EpilogueOperation) -> list[str]:
    """Put the operation behind ``tensor``; ``source`` is the network's input."""
    axis = len(case.network_shape) - case.spatial_rank - 1
    if step.op in ELEMENTWISE:
        return [_elementwise("source", ELEMENTWISE[step.op])]
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
    weights = "bits(values)" if case.data_type == "bfloat16" else "trt.Weights(values)"
    mode = "CHANNEL" if count > 1 else "UNIFORM"
    ones = _array((1.0,) * count)
    return [
        f"scale = [np.resize({_array(shifts)}, {count}), np.resize({_array(factors)}, {count}), {ones}]",
        f"keep += [values.astype({dtype}) for values in scale]",
        f"shift, scale, power = ({weights} for values in keep[-3:])" if weights.startswith("trt") else
        "shift, scale, power = [bits(values) for values in keep[-3:]]",
        f"tensor = network.add_scale_nd(tensor, trt.ScaleMode.{mode}, shift, scale, power, {axis}).get_output(0)",
    ]  # fmt: skip


def expected_step_lines(case: Case, step: EpilogueOperation) -> list[str]:
    """Apply the operation to ``expected``; ``x`` is the network's input."""
    axis = -case.spatial_rank - 1
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
            window = step.window or ()
            sizes = ", ".join(f"expected.shape[{axis + 1 + i}] // {n}, {n}" for i, n in enumerate(window))
            cut = ", ".join(f":expected.shape[{axis + 1 + i}] // {n} * {n}" for i, n in enumerate(window))
            odd = tuple(range(-2 * len(window) + 1, 0, 2))
            reduced = f"{_REDUCED[step.op]}(axis={odd})"
            return [f"expected = expected[..., {cut}].reshape(*expected.shape[:{axis + 1}], {sizes}).{reduced}"]
    return [f"expected = {_EXPECTED[step.op]}"]


def _array(values: Floats) -> str:
    return f"np.array([{', '.join(number(float(np.float64(value))) for value in values)}])"
