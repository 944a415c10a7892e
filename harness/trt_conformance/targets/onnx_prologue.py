"""The operations before the layer as nodes of an ONNX model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from trt_conformance.core.arrays import Array
from trt_conformance.core.case import Case
from trt_conformance.core.prologue_fields import PrologueOperation
from trt_conformance.core.tensors import ADDEND, INPUT, NUMPY_TYPE


def preceded(case: Case, constants: dict[str, Array]) -> tuple[list[Any], str]:
    """The nodes before the layer, whose constants are added, and the name of what the layer, or its Q, reads."""
    nodes: list[Any] = []
    name = INPUT
    for index, step in enumerate(case.prologue):
        result = f"before_{index}"
        nodes += _nodes(case, step, name, result, constants)
        name = result
    return nodes, name


def _nodes(case: Case, step: PrologueOperation, source: str, result: str, constants: dict[str, Array]) -> Iterator[Any]:
    from onnx.helper import make_node, np_dtype_to_tensor_dtype

    def constant(name: str, values: Any) -> str:
        constants[f"{result}_{name}"] = np.asarray(values, dtype=np.int64)
        return f"{result}_{name}"

    match step.op:
        case "cast":
            yield make_node("Cast", [source], [result], to=np_dtype_to_tensor_dtype(NUMPY_TYPE[case.data_type]))
        case "relu":
            yield make_node("Relu", [source], [result])
        case "pad":
            around = (0,) * (len(case.input.shape) - 2)
            ends = (*around, *(step.pre_padding or ()), *around, *(step.post_padding or ()))
            yield make_node("Pad", [source, constant("pads", ends)], [result])
        case "slice":
            along = [*zip(step.start or (), step.shape or (), step.stride or (), strict=True)]
            values = [
                constant("starts", [a for a, _, _ in along]),
                constant("ends", [a + (n - 1) * s + 1 for a, n, s in along]),
                constant("axes", range(len(along))),
                constant("steps", [s for _, _, s in along]),
            ]
            yield make_node("Slice", [source, *values], [result])
        case "max_pool":
            window = list(step.window or ())
            yield make_node("MaxPool", [source], [result], kernel_shape=window, strides=window)
        case "concat":
            yield make_node("Concat", [source, ADDEND], [result], axis=-case.spatial_rank - 1)
