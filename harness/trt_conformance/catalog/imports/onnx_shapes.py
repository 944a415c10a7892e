"""The shapes of the tensors in an ONNX model: ONNX's shape inference, helped where a shape is computed by the model.

Inference stops where a shape depends on values, such as a Pad whose sizes are computed from the shape of its input.
With static inputs these values are constants, so they are computed here, with ONNX's reference implementation, and
inference is repeated.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.words import one_line

SMALL = 1024
"""Elements up to which a tensor may be part of the computation of a shape; larger ones are weights or activations."""
MAX_ROUNDS = 50
_INPUTS = {"Expand": 2, "Range": 3}
"""The inputs of operators that are looked at by their place; 1 for any other."""

# What models compute shapes with. Each gives at most as many elements as its inputs have, or is checked.
_COMPUTED = frozenset(
    {"Abs", "Neg", "Floor", "Ceil", "Sqrt", "Identity", "Cast", "Not", "And", "Or", "Equal", "Greater", "Less"}
    | {"GreaterOrEqual", "LessOrEqual", "Where", "Add", "Sub", "Mul", "Div", "Mod", "Pow", "Max", "Min", "Range"}
    | {"ReduceMax", "ReduceMin", "ReduceProd", "ReduceSum", "Concat", "ConstantOfShape", "Expand", "Flatten"}
    | {"Gather", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze"}
)


def infer(model: Any) -> Any:
    """Return the model with the types and shapes of its tensors, as far as they can be known.

    Args:
        model: an ``onnx.ModelProto`` whose inputs have static shapes. It is changed.

    Raises:
        ConformanceError: the model contradicts itself.
    """
    from onnx import shape_inference

    for _ in range(MAX_ROUNDS):
        for graph in graphs(model.graph):
            del graph.value_info[:]
        try:
            model = shape_inference.infer_shapes(model, data_prop=True)
        except Exception as fault:  # InferenceError, or what a malformed model causes inside of ONNX
            raise ConformanceError(f"ONNX cannot infer its shapes: {one_line(str(fault), 300)}") from None
        opsets = {entry.domain: entry.version for entry in model.opset_import}
        if not _fold(model.graph, {}, {}, opsets):
            break
    return model


def graphs(graph: Any) -> Iterator[Any]:
    """Yield a graph, and those inside of its nodes."""
    yield graph
    for node in graph.node:
        for inner in inner_graphs(node):
            yield from graphs(inner)


def inner_graphs(node: Any) -> Iterator[Any]:
    """Yield the graphs that a node has as attributes: the branches of If, the bodies of Loop and Scan."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def static_shapes(graph: Any) -> dict[str, tuple[int, ...]]:
    """The tensors of a graph whose shape is known in every dimension."""
    found = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        tensor = value.type.tensor_type
        if value.type.HasField("tensor_type") and tensor.HasField("shape"):
            dims = tensor.shape.dim
            if all(dim.HasField("dim_value") for dim in dims):
                found[value.name] = tuple(dim.dim_value for dim in dims)
    return found


def small_constants(graph: Any) -> dict[str, NDArray[Any]]:
    """The values of a graph's small initializers and constants."""
    from onnx import numpy_helper

    tensors = [(tensor.name, tensor) for tensor in graph.initializer]
    constants = (node for node in graph.node if node.op_type == "Constant" and len(node.attribute) == 1)
    tensors += [(node.output[0], node.attribute[0].t) for node in constants if node.attribute[0].name == "value"]
    found = {}
    for name, tensor in tensors:
        if math.prod(tensor.dims) <= SMALL and is_inline(tensor):
            with suppress(ValueError, TypeError, KeyError):  # of a tensor of an unknown type, nothing is computed
                found[name] = numpy_helper.to_array(tensor)
    return found


def is_inline(tensor: Any) -> bool:
    """Whether a tensor's values are in the model and not in a file beside it, and not left out."""
    if tensor.data_location == tensor.EXTERNAL:
        return False
    fields = (tensor.raw_data, tensor.float_data, tensor.int32_data, tensor.int64_data, tensor.double_data)
    return math.prod(tensor.dims) == 0 or any(map(len, fields)) or len(tensor.uint64_data) > 0


def _fold(
    graph: Any, shapes: dict[str, tuple[int, ...]], constants: dict[str, NDArray[Any]], opsets: dict[str, int]
) -> bool:
    """Replace nodes whose output is a small constant by that constant. Return whether there were any.

    ``shapes`` and ``constants`` are those of the graphs around this one.
    """
    from onnx import numpy_helper

    changed = _take_in(graph, constants)
    shapes = shapes | static_shapes(graph)
    constants = constants | small_constants(graph)
    outputs = {output.name for output in graph.output}
    nodes: list[Any] = []
    for node in graph.node:
        if node.op_type == "If" and node.input and node.input[0] in constants:
            nodes += _branch(graph, node, bool(constants[node.input[0]].any()))
            changed = True
            continue
        for inner in inner_graphs(node):
            changed |= _fold(inner, shapes, constants, opsets)
        value = None if outputs & {*node.output} else _value(node, shapes, constants, opsets)
        if value is None:
            nodes.append(node)
            continue
        constants[node.output[0]] = value
        graph.initializer.append(numpy_helper.from_array(value, node.output[0]))
        changed = True
    if changed:
        copies = [type(node).FromString(node.SerializeToString()) for node in nodes]
        del graph.node[:]
        graph.node.extend(copies)
    return changed


def _take_in(graph: Any, constants: dict[str, NDArray[Any]]) -> bool:
    """Copy constants of the graphs around a graph into it: inference does not look for values outside."""
    from onnx import numpy_helper

    local = {name for node in graph.node for name in node.output}
    local |= {tensor.name for tensor in graph.initializer} | {value.name for value in graph.input}
    taken: dict[str, str] = {}
    for node in graph.node:
        for index, name in enumerate(node.input):
            if name not in constants or name in local:
                continue
            if name not in taken:
                taken[name] = f"{name} (copied into {graph.name})"
                graph.initializer.append(numpy_helper.from_array(constants[name], taken[name]))
            node.input[index] = taken[name]
    return bool(taken)


def _branch(graph: Any, node: Any, condition: bool) -> Iterator[Any]:
    """Yield the nodes of the branch of an If that runs, and what connects them. Its initializers join the graph."""
    from onnx import helper

    wanted = "then_branch" if condition else "else_branch"
    branch = next((attribute.g for attribute in node.attribute if attribute.name == wanted), None)
    if branch is None:
        return
    graph.initializer.extend(branch.initializer)
    yield from branch.node
    for inner, outer in zip(branch.output, node.output, strict=False):
        yield helper.make_node("Identity", [inner.name], [outer])


def _value(
    node: Any, shapes: dict[str, tuple[int, ...]], constants: dict[str, NDArray[Any]], opsets: dict[str, int]
) -> NDArray[Any] | None:
    """The output of a node that computes with shapes; None if it cannot be known or is not small."""
    if node.domain not in ("", "ai.onnx") or len(node.output) != 1 or len(node.input) < _INPUTS.get(node.op_type, 1):
        return None
    if node.op_type in ("Shape", "Size"):
        shape = shapes.get(node.input[0])
        if shape is None:
            return None
        ends = {attribute.name: attribute.i for attribute in node.attribute}
        chosen = shape[ends.get("start") : ends.get("end")]
        return np.asarray(chosen if node.op_type == "Shape" else math.prod(shape), dtype=np.int64)
    given = {name: constants[name] for name in node.input if name in constants}
    if node.op_type not in _COMPUTED or any(name and name not in given for name in node.input):
        return None
    if not _is_small(node, given):
        return None
    from onnx import helper
    from onnx.reference import ReferenceEvaluator

    # A model of the one node: the reference implementation follows the opset of the model.
    inputs = [helper.make_tensor_value_info(name, 0, None) for name in given]
    output = helper.make_tensor_value_info(node.output[0], 0, None)
    alone = helper.make_graph([node], "one", inputs, [output])
    imports = [helper.make_opsetid(domain, version) for domain, version in opsets.items()]
    try:
        with np.errstate(all="ignore"):
            (value,) = ReferenceEvaluator(helper.make_model(alone, opset_imports=imports)).run(None, given)
    except Exception:  # whatever a malformed node causes: its output stays unknown
        return None
    return value if isinstance(value, np.ndarray) and value.size <= SMALL else None


def _is_small(node: Any, given: dict[str, NDArray[Any]]) -> bool:
    """Whether a node that makes a tensor of a size that its inputs state would make a small one."""
    inputs = [given.get(name) for name in node.input]
    if node.op_type == "ConstantOfShape":
        return _product(inputs[0]) <= SMALL
    if node.op_type == "Expand":
        return _product(inputs[1]) * max(1, 0 if inputs[0] is None else inputs[0].size) <= SMALL
    if node.op_type == "Range":
        start, limit, delta = (0.0 if value is None or not value.size else float(value.flat[0]) for value in inputs[:3])
        return delta != 0 and abs((limit - start) / delta) <= SMALL
    return math.prod(max(1, value.size) for value in inputs if value is not None) <= SMALL**2


def _product(values: NDArray[Any] | None) -> int:
    return 0 if values is None else math.prod(int(value) for value in values.flat)
