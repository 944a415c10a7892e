"""Reads an ONNX model for its convolutions: the graph with static shapes, without its weights."""

from __future__ import annotations

import hashlib
import math
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from trt_conformance.catalog.imports import onnx_shapes
from trt_conformance.catalog.imports.onnx_external import take_in_sizes
from trt_conformance.catalog.source import name_of
from trt_conformance.core.advice import install_command
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.words import closest, one_line

Shape = tuple[int, ...]

MAX_BYTES = 2**31 - 1
"""Protobuf, and so ONNX, has no larger files; the weights of larger models are in files beside them."""
MAX_ELEMENTS = 2**34
MAX_LONG = 2**24
"""Elements of a tensor with one dimension: inference looks at the values of such tensors."""
MAX_NAME = 120
MAX_IDENTITY = 200
"""Characters of a line that says which model was read."""
MAX_INPUTS = 8


class Scope:
    """A graph, with what is known about its tensors; ``outer`` is the graph around it."""

    def __init__(self, graph: Any, opsets: dict[str, int], outer: Scope | None = None, inside: str = "") -> None:
        self.graph, self.opsets, self.outer, self.inside = graph, opsets, outer, inside
        self.shapes = onnx_shapes.static_shapes(graph)
        self.constants = onnx_shapes.small_constants(graph)
        self.producers = {name: node for node in graph.node for name in node.output if name}
        self.initializers = {tensor.name: tensor for tensor in graph.initializer}
        self.types = {tensor.name: tensor.data_type for tensor in graph.initializer}
        for value in (*graph.input, *graph.value_info, *graph.output):
            self.types[value.name] = value.type.tensor_type.elem_type
        self.outputs = {value.name for value in graph.output}
        self.users: dict[str, list[Any]] = {}
        for node in graph.node:
            for name in {*node.input, *_names_inside(node)}:
                self.users.setdefault(name, []).append(node)

    def shape(self, name: str) -> Shape | None:
        """The shape of a tensor; None if a dimension is not known."""
        if name in self.shapes:
            return self.shapes[name]
        return None if self.outer is None or name in self.producers else self.outer.shape(name)

    def type(self, name: str) -> int:
        """The element type of a tensor, as a ``TensorProto.DataType``; 0 if it is not known."""
        found = self.types.get(name)
        return found or (0 if self.outer is None or name in self.producers else self.outer.type(name))

    def constant(self, name: str) -> NDArray[Any] | None:
        """The value of a small constant tensor; None if it is not constant, or not small."""
        if name in self.constants:
            return self.constants[name]
        return None if self.outer is None or name in self.producers else self.outer.constant(name)

    def producer(self, name: str) -> Any | None:
        """The node that computes a tensor; None for an input or an initializer."""
        if name in self.producers:
            return self.producers[name]
        return None if self.outer is None else self.outer.producer(name)

    def is_constant(self, name: str) -> bool:
        """Whether a tensor is an initializer, or computed from constants only."""
        todo, seen = [name], set()
        while todo:
            each = todo.pop()
            if not each or each in seen:
                continue
            seen.add(each)
            if self.initializer(each) is not None:
                continue
            node = self.producer(each)
            if node is None or node.op_type.startswith("Random") or any(onnx_shapes.inner_graphs(node)):
                return False
            todo += node.input
        return True

    def initializer(self, name: str) -> Any | None:
        """The initializer of a name; None if there is none, or a node computes it."""
        if name in self.initializers:
            return self.initializers[name]
        return None if self.outer is None or name in self.producers else self.outer.initializer(name)

    def only_user(self, name: str) -> Any | None:
        """The node that alone reads a tensor; None if there are others, or the tensor is an output."""
        readers = self.readers(name)
        return readers[0] if len(readers) == 1 else None

    def readers(self, name: str) -> list[Any]:
        """The nodes that read a tensor; none if it is an output too, or read inside of a node."""
        users = self.users.get(name, [])
        return [] if name in self.outputs or not all(name in node.input for node in users) else users


@dataclass(frozen=True)
class OnnxModel:
    """A model: its graphs, the outer one first, the size of its batch, its folder, and the names of its inputs.

    ``weights`` are the initializers whose values are not in the graphs, by their ``doc_string`` there. ``about`` says
    which model it is, and which shapes its inputs have, a line each.
    """

    name: str
    scopes: list[Scope]
    batch: int
    folder: Path
    weights: dict[str, Any]
    inputs: frozenset[str]
    about: tuple[str, ...] = ()


def read_model(path: Path, shapes: Mapping[str, Shape], is_one_of_several: bool = False) -> OnnxModel:
    """Read a model and infer its shapes. Of data in other files only small integers are read, which may be sizes.

    Args:
        path: the file.
        shapes: those of inputs that have dynamic dimensions. A first dimension is 1 by default, and dimensions of
            one name have one size.
        is_one_of_several: whether a shape may be that of another model's input.

    Raises:
        ConformanceError: with the one reason why the model cannot be used.
    """
    try:
        import onnx
        from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
        from onnx import inliner
    except ImportError:
        raise ConformanceError(f"{name_of(path)}: a model needs the package onnx: {install_command('cpu')}") from None
    content = _content(path)
    try:
        model = onnx.load_model_from_string(content)
    except DecodeError:
        raise ConformanceError(f"{name_of(path)}: is not an ONNX model") from None
    try:
        _check_versions(model, onnx.defs.onnx_opset_version())
        if model.functions:
            model = inliner.inline_local_functions(model)
        weights: dict[str, Any] = {}
        for graph in onnx_shapes.graphs(model.graph):
            _check(graph)
            take_in_sizes(_tensors(graph), path.parent, onnx_shapes.SMALL)
            _take_weights(graph, weights)
        inputs, declared = frozenset(_inputs(model.graph)), _input_shapes(model.graph)
        own = {name: shape for name, shape in shapes.items() if name in inputs or not is_one_of_several}
        _set_shapes(model.graph, own)
        batch = _batch(model.graph)
        inferred = onnx_shapes.infer(model)
    except ConformanceError as fault:
        raise ConformanceError(f"{name_of(path)}: {fault}") from None
    opsets = {entry.domain: entry.version for entry in inferred.opset_import}
    about = (*_identity(model, content), *_chosen_shapes(declared, _input_shapes(model.graph)))
    name, scopes = one_line(path.name), [*_scopes(inferred.graph, opsets)]
    return OnnxModel(name, scopes, batch, path.parent, weights, inputs, about)


def _identity(model: Any, content: bytes) -> tuple[str, str]:
    """The opsets of a model and the program that wrote it, and the SHA-256 of its file."""
    opsets = (f"{entry.domain}{' ' * bool(entry.domain)}opset {entry.version}" for entry in model.opset_import)
    producer = f"{model.producer_name} {model.producer_version}".strip() or "an unnamed program"
    return (
        one_line(f"{', '.join(opsets)}, written by {producer}", MAX_IDENTITY),
        f"SHA-256 {hashlib.sha256(content).hexdigest()}",
    )


def _input_shapes(graph: Any) -> dict[str, str]:
    """The shapes of a model's inputs as text: ``[batch, 3, 224, 224]``."""
    return {
        name: "of any shape" if dims is None else f"[{', '.join(_size(dim) for dim in dims)}]"
        for name, dims in _inputs(graph).items()
    }


def _size(dim: Any) -> str:
    return str(dim.dim_value) if _is_static(dim) else _symbol(dim) or "?"


def _chosen_shapes(declared: Mapping[str, str], chosen: Mapping[str, str]) -> Iterator[str]:
    """A line for each of the first inputs: its shape, and how the model declares it if that is dynamic."""
    for name, shape in list(chosen.items())[:MAX_INPUTS]:
        was = "" if declared[name] == shape else f", in the model {declared[name]}"
        yield one_line(f"input {name}: {shape}{was}", MAX_IDENTITY)
    if len(chosen) > MAX_INPUTS:
        yield f"and {len(chosen) - MAX_INPUTS} more inputs"


def _content(path: Path) -> bytes:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ConformanceError(f"{name_of(path)}: is not a regular file")
        if status.st_size > MAX_BYTES:
            raise ConformanceError(
                f"{name_of(path)}: has {status.st_size / 1e9:.1f} GB, but an ONNX file can have at most 2: "
                "save the model with its weights as external data"
            )
        return path.read_bytes()
    except OSError as fault:
        raise ConformanceError(f"{name_of(path)}: cannot be read: {fault.strerror}") from None


def _check_versions(model: Any, newest: int) -> None:
    if not model.graph.node or not model.opset_import:
        raise ConformanceError("is not an ONNX model, or it has no nodes")
    for entry in model.opset_import:
        if entry.domain in ("", "ai.onnx") and not 1 <= entry.version <= newest:
            raise ConformanceError(
                f"uses opset {entry.version}, but the installed onnx supports opsets up to {newest}: "
                "install a newer onnx, or convert the model"
            )


def _check(graph: Any) -> None:
    """Raise ConformanceError if a graph has names that are not text, or a tensor whose size is not the stated one."""
    for node in graph.node:
        if not all(isinstance(name, str) for name in (node.op_type, node.domain, node.name, *node.input, *node.output)):
            raise ConformanceError("is malformed: it has names that are not UTF-8")
    for tensor in _tensors(graph):
        name, elements = one_line(str(tensor.name), MAX_NAME), 1
        for size in tensor.dims:
            elements *= size
            if size < 0 or elements > MAX_ELEMENTS or (len(tensor.dims) == 1 and size > MAX_LONG):
                raise ConformanceError(f'is malformed: the tensor "{name}" cannot have the shape {list(tensor.dims)}')
        if onnx_shapes.is_inline(tensor) and elements > _most_elements(tensor):
            raise ConformanceError(
                f'is malformed: the tensor "{name}" has less data than the shape {list(tensor.dims)}'
            )


def _tensors(graph: Any) -> list[Any]:
    """The initializers of a graph, and the tensors of its Constant nodes."""
    constants = (node for node in graph.node if node.op_type == "Constant")
    return [
        *graph.initializer,
        *(attribute.t for node in constants for attribute in node.attribute if attribute.name == "value"),
    ]


def _most_elements(tensor: Any) -> int:
    """How many elements the data of a tensor may be, of types down to 4 bits."""
    fields = (tensor.float_data, tensor.int32_data, tensor.int64_data, tensor.double_data, tensor.uint64_data)
    return 2 * (len(tensor.raw_data) + sum(map(len, fields)))


def _take_weights(graph: Any, weights: dict[str, Any]) -> None:
    """Move the values of large tensors, which shapes do not depend on, out of a graph."""
    for tensor in _tensors(graph):
        tensor.ClearField("doc_string")
        if math.prod(tensor.dims) > onnx_shapes.SMALL:
            token = str(len(weights))
            weights[token] = type(tensor)()
            weights[token].CopyFrom(tensor)
            tensor.doc_string = token
            for field in ("raw_data", "float_data", "int32_data", "int64_data", "double_data", "uint64_data"):
                tensor.ClearField(field)


def _inputs(graph: Any) -> dict[str, Any]:
    """The dimensions of each input tensor that is not an initializer; None if even their number is unknown."""
    initial = {tensor.name for tensor in graph.initializer}
    found = {}
    for value in graph.input:
        if value.name not in initial and value.type.HasField("tensor_type"):
            tensor = value.type.tensor_type
            found[value.name] = tensor.shape.dim if tensor.HasField("shape") else None
    return found


def _set_shapes(graph: Any, shapes: Mapping[str, Shape]) -> None:
    """Make the shapes of the inputs static."""
    inputs = _inputs(graph)
    for name, shape in shapes.items():
        if name not in inputs:
            known = closest(name, inputs) or f": its inputs are {', '.join(inputs)}"
            raise ConformanceError(f"--shape {name}: has no such input{known}")
        _set_given(graph, name, shape)
    sizes: dict[str, int] = {}
    for name, dims in inputs.items():
        for dim, size in zip(dims or (), shapes.get(name, ()), strict=False):
            if _symbol(dim) and sizes.setdefault(dim.dim_param, size) != size:
                raise ConformanceError(f"--shape {name}: the model's dimension {dim.dim_param} has two sizes")
    for dims in inputs.values():
        if dims and _symbol(dims[0]):
            sizes.setdefault(dims[0].dim_param, 1)
    unknown = []
    for name, dims in inputs.items():
        for index, dim in enumerate(dims or ()):
            if not _is_static(dim):
                size = (shapes[name][index] if name in shapes else 0) or sizes.get(_symbol(dim), 0)
                dim.dim_value = size or (1 if index == 0 else 0)
        if dims is None or any(dim.dim_value < 1 for dim in dims):
            unknown.append(name)
    if unknown:
        example = "x".join("N" if dim.dim_value < 1 else str(dim.dim_value) for dim in inputs[unknown[0]] or ())
        named = ", ".join(one_line(name, MAX_NAME) for name in unknown)
        raise ConformanceError(
            f"has inputs with dynamic dimensions: {named}: give their sizes, such as "
            f"--shape {one_line(unknown[0], MAX_NAME)}:{example or '1x3x224x224'}"
        )


def _set_given(graph: Any, name: str, shape: Shape) -> None:
    """Check a given shape against the static dimensions of an input, and give the dimensions to one without any."""
    value = next(value for value in graph.input if value.name == name)
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        for _ in shape:
            tensor.shape.dim.add()
    dims = tensor.shape.dim
    declared = [dim.dim_value if _is_static(dim) else -1 for dim in dims]
    if len(declared) != len(shape) or any(d not in (-1, size) for d, size in zip(declared, shape, strict=False)):
        shown = "x".join("?" if size == -1 else str(size) for size in declared)
        raise ConformanceError(f"--shape {name}: {'x'.join(map(str, shape))} does not fit the input, which is {shown}")


def _symbol(dim: Any) -> str:
    """The name of a dynamic dimension; empty if it has none."""
    return "" if dim.HasField("dim_value") or dim.dim_param in ("?", "-1") else str(dim.dim_param)


def _is_static(dim: Any) -> bool:
    # Some exporters write 0 or -1 for a dynamic dimension.
    return bool(dim.HasField("dim_value") and dim.dim_value > 0)


def _batch(graph: Any) -> int:
    """The first dimension of the first input that has any."""
    return next((int(dims[0].dim_value) for dims in _inputs(graph).values() if dims), 1)


def _scopes(graph: Any, opsets: dict[str, int], outer: Scope | None = None, inside: str = "") -> Iterator[Scope]:
    scope = Scope(graph, opsets, outer, inside)
    yield scope
    for node in graph.node:
        for inner in onnx_shapes.inner_graphs(node):
            label = node.name or (node.output[0] if node.output else node.op_type)
            yield from _scopes(inner, opsets, scope, one_line(f' in {node.op_type} "{label}"', MAX_NAME))


def _names_inside(node: Any) -> Iterator[str]:
    """The names that the graphs inside of a node read, which may be those of tensors around it."""
    for inner in onnx_shapes.inner_graphs(node):
        for graph in onnx_shapes.graphs(inner):
            for each in graph.node:
                yield from each.input
            for output in graph.output:
                yield output.name
