"""The operations after a convolution of an ONNX model that a case can express."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from trt_conformance.catalog.imports.onnx_file import Scope
from trt_conformance.core.epilogue_fields import EpilogueName, EpilogueOperation

MAX_EPILOGUE = 4
SIXTH = 1 / 6

_ACTIVATIONS: dict[str, EpilogueName] = {
    "Relu": "relu",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "HardSwish": "hard_swish",
}


def epilogue_of(scope: Scope, y: str, x: str) -> tuple[list[EpilogueOperation], str]:
    """Return the operations after a convolution, up to the first that a case cannot express, and their names: `` +
    Relu``.

    An operation belongs to the epilogue if nothing else reads its input.

    Args:
        scope: the graph.
        y: the output of the convolution.
        x: its input.
    """
    steps: list[EpilogueOperation] = []
    names = ""
    while len(steps) < MAX_EPILOGUE:
        found = _gated(scope, y) or _step(scope, y, x)
        if found is None:
            break
        step, name, y = found
        steps.append(step)
        names += f" + {name}"
    return steps, names


def _gated(scope: Scope, y: str) -> tuple[EpilogueOperation, str, str] | None:
    """y times a sigmoid of y: SiLU, or with a piecewise linear sigmoid hard swish. With its name and output."""
    readers = scope.readers(y)
    if len(readers) != 2:
        return None
    for gate, product in (readers, readers[::-1]):
        if product.op_type != "Mul" or sorted(product.input) != sorted((y, gate.output[0])):
            continue
        if [id(node) for node in scope.readers(gate.output[0])] != [id(product)]:
            continue
        if gate.op_type == "Sigmoid":
            return EpilogueOperation(op="silu"), "Sigmoid + Mul", product.output[0]
        slopes = {attribute.name: attribute.f for attribute in gate.attribute}
        is_sixth = abs(slopes.get("alpha", 0.2) - SIXTH) < 1e-6 and slopes.get("beta", 0.5) == 0.5
        if gate.op_type == "HardSigmoid" and is_sixth:
            return EpilogueOperation(op="hard_swish"), "HardSigmoid + Mul", product.output[0]
    return None


def _step(scope: Scope, y: str, x: str) -> tuple[EpilogueOperation, str, str] | None:
    """The operation of the node that alone reads y, with its name and output."""
    node = scope.only_user(y)
    if node is None or node.domain not in ("", "ai.onnx") or len(node.output) != 1:
        return None
    step = _operation(scope, node, y, x)
    return None if step is None else (step, node.op_type, node.output[0])


def _operation(scope: Scope, node: Any, y: str, x: str) -> EpilogueOperation | None:
    given = {attribute.name: attribute for attribute in node.attribute}
    if node.op_type in _ACTIVATIONS:
        return EpilogueOperation(op=_ACTIVATIONS[node.op_type])
    if node.op_type == "Gelu" and ("approximate" not in given or given["approximate"].s == b"none"):
        return EpilogueOperation(op="gelu")
    if node.op_type == "LeakyRelu":
        alpha = given["alpha"].f if "alpha" in given else float(np.float32(0.01))
        return EpilogueOperation(op="leaky_relu", alpha=alpha) if math.isfinite(alpha) and alpha != 1 else None
    if node.op_type == "Clip":
        limits = _limits(scope, node)
        if limits is None or not (math.isfinite(limits[0]) and math.isfinite(limits[1]) and limits[0] < limits[1]):
            return None
        return EpilogueOperation(op="clip", low=limits[0], high=limits[1])
    if node.op_type == "Add" and sorted(node.input) == sorted((x, y)) and scope.shape(x) == scope.shape(y):
        return EpilogueOperation(op="add")
    if node.op_type == "Concat" and [*node.input] == [y, x] and "axis" in given and given["axis"].i == 1:
        return EpilogueOperation(op="concat")
    return None


def _limits(scope: Scope, node: Any) -> tuple[float, float] | None:
    """The limits of a Clip: attributes before opset 11, inputs since."""
    given = {attribute.name: attribute.f for attribute in node.attribute}
    if "min" in given and "max" in given:
        return given["min"], given["max"]
    if len(node.input) != 3 or given:
        return None
    low, high = (scope.constant(name) if name else None for name in node.input[1:])
    return None if low is None or high is None else (float(low.flat[0]), float(high.flat[0]))
