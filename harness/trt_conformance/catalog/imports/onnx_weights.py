"""The weights of an ONNX model: initializers, in the file or beside it, and what the model computes from them only."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trt_conformance.catalog.imports.layer import NotExpressible
from trt_conformance.catalog.imports.onnx_external import check_location
from trt_conformance.catalog.imports.onnx_file import Scope
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.words import one_line

MAX_ELEMENTS = 2**26
"""Elements of a kernel, or of a tensor that it is computed from."""
MAX_NODES = 32
"""Nodes that compute a kernel from initializers."""


class WeightReader:
    """Reads the weights of one model.

    Args:
        removed: the initializers whose values were removed from the graph, by their token.
        folder: where files beside the model lie.
    """

    def __init__(self, removed: dict[str, Any], folder: Path) -> None:
        self._removed, self._folder = removed, folder

    def read(self, scope: Scope, name: str) -> NDArray[Any]:
        """Return a constant tensor.

        Raises:
            NotExpressible: it is computed in a way that is not followed here.
            ConformanceError: its file cannot be used.
        """
        return self._value(scope, name, [MAX_NODES])

    def _value(self, scope: Scope, name: str, left: list[int]) -> NDArray[Any]:
        tensor = scope.initializer(name)
        if tensor is not None:
            return self._array(tensor)
        node = scope.producer(name)
        left[0] -= 1
        if node is None or left[0] < 0:
            raise NotExpressible("its weights are computed in too many steps")
        if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
            return self._array(node.attribute[0].t)
        given = {each: self._value(scope, each, left) for each in node.input if each}
        return _computed(node, given, scope.opsets)

    def _array(self, tensor: Any) -> NDArray[Any]:
        from onnx import numpy_helper

        tensor = self._removed.get(tensor.doc_string, tensor)
        if math.prod(tensor.dims) > MAX_ELEMENTS:
            raise NotExpressible(f"its weights have {math.prod(tensor.dims)} elements, more than {MAX_ELEMENTS}")
        if tensor.data_location == tensor.EXTERNAL:
            check_location(tensor, self._folder)
        try:
            return np.asarray(numpy_helper.to_array(tensor, str(self._folder)))
        except Exception as fault:  # a file that is missing or too short, or a tensor that contradicts itself
            name, reason = one_line(tensor.name, 100), one_line(str(fault), 200)
            raise ConformanceError(f'the weights "{name}" cannot be read: {reason}') from None


def _computed(node: Any, given: dict[str, NDArray[Any]], opsets: dict[str, int]) -> NDArray[Any]:
    """The output of a node, by ONNX's reference implementation."""
    if node.op_type == "DequantizeLinear":  # whose reference knows only opset 19 and later
        return _dequantized(node, [given[name] if name else None for name in node.input])
    from onnx import helper
    from onnx.reference import ReferenceEvaluator

    inputs = [helper.make_tensor_value_info(name, 0, None) for name in given]
    outputs = [helper.make_tensor_value_info(node.output[0], 0, None)]
    graph = helper.make_graph([node], "one", inputs, outputs)
    imports = [helper.make_opsetid(domain, version) for domain, version in opsets.items()]
    try:
        with np.errstate(all="ignore"):
            (value,) = ReferenceEvaluator(helper.make_model(graph, opset_imports=imports)).run(None, given)
    except Exception:  # whatever the operator does not like, or an operator that is not implemented
        raise NotExpressible(f"its weights are computed by {node.op_type}, which is not supported") from None
    if not isinstance(value, np.ndarray):
        raise NotExpressible(f"its weights are computed by {node.op_type}, which does not give a tensor")
    return value


def _dequantized(node: Any, inputs: list[NDArray[Any] | None]) -> NDArray[Any]:
    """``(x - zero point) * scale`` in float32, with one scale, or one for each element of an axis."""
    x, scale, zero = (*inputs, None)[:3]
    attributes = {attribute.name: attribute.i for attribute in node.attribute}
    if x is None or scale is None or attributes.get("block_size"):
        raise NotExpressible("its weights have block scales")
    shape, axis = [1] * x.ndim, attributes.get("axis", 1)
    if scale.size > 1:
        if not -x.ndim <= axis < x.ndim or x.shape[axis] != scale.size:
            raise NotExpressible(f"its weights have {scale.size} scales for the axis {axis} of {list(x.shape)}")
        shape[axis] = scale.size
    if zero is not None and zero.size not in (1, scale.size):
        raise NotExpressible(f"its weights have {zero.size} zero points and {scale.size} scales")
    shifted = x.astype(np.float64) - (0 if zero is None else zero.astype(np.float64).reshape(_of(zero, shape)))
    return np.asarray(shifted * scale.astype(np.float64).reshape(_of(scale, shape)), dtype=np.float32)


def _of(values: NDArray[Any], shape: list[int]) -> list[int]:
    return shape if values.size > 1 else []
