"""Small ONNX models for tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save

FLOAT = TensorProto.FLOAT


def node(op: str, inputs: Sequence[str], output: str, name: str = "", **attributes: Any) -> Any:
    """A node with one output."""
    return helper.make_node(op, list(inputs), [output], name=name or output, **attributes)


def save_model(
    path: Path,
    nodes: Sequence[Any],
    inputs: dict[str, Sequence[int | str] | None],
    weights: dict[str, Any],
    output: str,
    opset: int = 17,
    domains: Sequence[str] = (),
    element: int = FLOAT,
    **more: Any,
) -> Path:
    """Save a model whose inputs are ``element``, and whose weights are arrays."""
    graph = helper.make_graph(
        list(nodes),
        "graph",
        [helper.make_tensor_value_info(name, element, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(output, element, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()],
    )
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
    save(helper.make_model(graph, opset_imports=imports, ir_version=8, **more), path)
    return path


def kernel(*shape: int, dtype: Any = np.float32, seed: int = 0) -> Any:
    """A kernel of random numbers."""
    return np.random.default_rng(seed).integers(-50, 50, shape).astype(dtype)
