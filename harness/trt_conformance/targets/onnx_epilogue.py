"""The operations after the layer as nodes of an ONNX model."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from trt_conformance.core.arrays import Array
from trt_conformance.core.case import Case
from trt_conformance.core.epilogue_fields import EpilogueName, EpilogueOperation, FurtherLayer
from trt_conformance.core.tensors import ADDEND, INPUT, NUMPY_TYPE, OUTPUT, further_weights

# Operations that are one node of ONNX: of the layer's output, and of that and the network's input.
_ALONE: dict[EpilogueName, tuple[str, dict[str, Any]]] = {
    "relu": ("Relu", {}),
    "sigmoid": ("Sigmoid", {}),
    "tanh": ("Tanh", {}),
    "hard_swish": ("HardSwish", {}),
    "gelu_tanh": ("Gelu", {"approximate": "tanh"}),
    "elu": ("Elu", {}),
    "selu": ("Selu", {}),
    "softsign": ("Softsign", {}),
    "softplus": ("Softplus", {}),
    "hard_sigmoid": ("HardSigmoid", {"alpha": 0.2, "beta": 0.5}),
}
_POOLINGS: dict[EpilogueName, str] = {"max_pool": "MaxPool", "average_pool": "AveragePool"}
_WITH_INPUT: dict[EpilogueName, str] = {"add": "Add", "min": "Min", "max": "Max"}


def has_gelu(case: Case) -> bool:
    """Whether the model of a case needs the operator Gelu, which ONNX has since its version 20."""
    return any(kind == "Gelu" for kind, _ in filter(None, (_operator(case, step) for step in case.epilogue)))


def _operator(case: Case, step: EpilogueOperation) -> tuple[str, dict[str, Any]] | None:
    """The operator that alone computes an operation, and its attributes; None where several do.

    GELU of float32 is five operators that older versions have, too. In halves, each of these would round.
    """
    if step.op == "gelu" and case.data_type != "float32":
        return "Gelu", {}
    return _ALONE.get(step.op)


def followed(case: Case, constants: dict[str, Array]) -> Iterator[Any]:
    """A node for each operation after the layer, from ``output_0`` on to the output; its constants are added."""
    last = len(case.epilogue)
    for index, step in enumerate(case.epilogue, start=1):
        source, result = f"{OUTPUT}_{index - 1}", OUTPUT if index == last else f"{OUTPUT}_{index}"
        yield from _nodes(case, step, source, result, constants)


def _nodes(case: Case, step: EpilogueOperation, source: str, result: str, constants: dict[str, Array]) -> Iterator[Any]:
    from onnx.helper import make_node

    def constant(name: str, value: Any) -> str:
        with np.errstate(over="ignore"):  # the end of a clip that is beyond the type is no limit
            constants[f"{result}_{name}"] = np.asarray(value).astype(NUMPY_TYPE[case.data_type])
        return f"{result}_{name}"

    if (operator := _operator(case, step)) is not None:
        kind, numbers = operator
        yield make_node(kind, [source], [result], None, None, None, None, **numbers)
    elif step.op in _POOLINGS:
        window = list(step.window or ())
        yield make_node(_POOLINGS[step.op], [source], [result], kernel_shape=window, strides=window)
    elif step.op in _WITH_INPUT:
        operand = INPUT if step.of == "input" else ADDEND
        if step.of_scale is not None:
            yield from _rescaled(case, operand, (step.of_scale,), f"{result}_operand", constants)
            operand = f"{result}_operand"
        yield make_node(_WITH_INPUT[step.op], [source, operand], [result])
    elif step.op == "quantize":
        yield from _rescaled(case, source, step.scale or (1.0,), result, constants)
    elif step.layer is not None:
        yield from _convolved(case, step.layer, source, result, constants)
    match step.op:
        case "clip":
            yield make_node("Clip", [source, constant("low", step.low), constant("high", step.high)], [result])
        case "leaky_relu":
            yield make_node("LeakyRelu", [source], [result], alpha=step.alpha)
        case "silu":
            yield make_node("Sigmoid", [source], [f"{result}_gate"])
            yield make_node("Mul", [source, f"{result}_gate"], [result])
        case "gelu" if operator is None:
            yield make_node("Div", [source, constant("root", math.sqrt(2))], [f"{result}_ratio"])
            yield make_node("Erf", [f"{result}_ratio"], [f"{result}_erf"])
            yield make_node("Add", [f"{result}_erf", constant("one", 1.0)], [f"{result}_gate"])
            yield make_node("Mul", [source, f"{result}_gate"], [f"{result}_twice"])
            yield make_node("Mul", [f"{result}_twice", constant("half", 0.5)], [result])
        case "scale":
            shape = (-1, *(1,) * case.spatial_rank)
            factor = constant("scale", np.reshape(step.scale or (1.0,), shape))
            shift = constant("shift", np.reshape(step.shift or (0.0,), shape))
            yield make_node("Mul", [source, factor], [f"{result}_product"])
            yield make_node("Add", [f"{result}_product", shift], [result])
        case "concat":
            yield make_node("Concat", [source, INPUT], [result], axis=-case.spatial_rank - 1)


def _convolved(case: Case, layer: FurtherLayer, source: str, result: str, constants: dict[str, Array]) -> Iterator[Any]:
    """The nodes of a further layer."""
    from onnx.helper import make_node

    given, attributes = further_weights(case.data_type, layer), layer.attributes
    operands = [source, f"{result}_kernel"]
    constants[operands[1]] = given.kernel
    if layer.scale is not None:
        yield from _rescaled(case, operands[1], layer.scale, f"{result}_kernel_dq", constants)
        operands[1] = f"{result}_kernel_dq"
    if given.bias is not None:
        operands.append(f"{result}_bias")
        constants[operands[2]] = given.bias
    yield make_node(
        "Conv",
        operands,
        [result],
        strides=list(attributes.stride),
        dilations=list(attributes.dilation),
        group=attributes.groups,
        pads=[*attributes.pre, *attributes.post],
    )


def _rescaled(
    case: Case, source: str, scale: Sequence[float], result: str, constants: dict[str, Array]
) -> Iterator[Any]:
    """The nodes of a Q and a DQ of one scale, or of one for each element of the first axis."""
    from onnx.helper import make_node

    per_axis = len(scale) > 1
    given = [f"{result}_q_scale", f"{result}_q_zero"]
    constants[given[0]] = np.asarray(scale if per_axis else scale[0], dtype=NUMPY_TYPE[case.data_type])
    constants[given[1]] = np.zeros(constants[given[0]].shape, dtype=NUMPY_TYPE[case.quantized_type])
    axis: dict[str, Any] = {"axis": 0} if per_axis else {}
    yield make_node("QuantizeLinear", [source, *given], [f"{result}_q"], **axis)
    yield make_node("DequantizeLinear", [f"{result}_q", *given], [result], **axis)
