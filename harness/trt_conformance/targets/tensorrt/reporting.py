"""Reads what a loaded engine, its context and its inspector report about the network."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trt_conformance.core.case import Case, Formats
from trt_conformance.core.tensors import INPUT, OUTPUT
from trt_conformance.targets.tensorrt.api import Api

if TYPE_CHECKING:
    import tensorrt


def reported(api: Api, engine: tensorrt.ICudaEngine, context: tensorrt.IExecutionContext, case: Case) -> dict[str, Any]:
    """What an engine reports, as JSON values under the names of `core.engine_fields`.

    Beside these, ``context_shapes`` has the input's and the output's shape that the context says for each run shape,
    and ``parameters`` those of the convolution that the inspector gives.
    """
    return {
        "input": _tensor(engine, INPUT),
        "output": _tensor(engine, OUTPUT),
        "num_optimization_profiles": int(engine.num_optimization_profiles),
        "refittable": bool(engine.refittable),
        "context_shapes": [_context_shapes(context, shape) for shape in case.run_shapes],
        "parameters": _parameters(api, engine),
    }


def laid_out(engine: tensorrt.ICudaEngine, formats: Formats) -> Formats:
    """The layouts of input and output: those of the case, or those that the builder chose among several."""
    if not formats.also:
        return formats
    return formats.model_copy(update={"input": _format(engine, INPUT), "output": _format(engine, OUTPUT)})


def _format(engine: tensorrt.ICudaEngine, tensor: str) -> str:
    return str(engine.get_tensor_format(tensor).name)


def _tensor(engine: tensorrt.ICudaEngine, tensor: str) -> dict[str, Any]:
    return {
        "format": _format(engine, tensor),
        "dtype": engine.get_tensor_dtype(tensor).name,
        "shape": [int(n) for n in engine.get_tensor_shape(tensor)],
        "vectorized_dim": int(engine.get_tensor_vectorized_dim(tensor)),
        "components_per_element": int(engine.get_tensor_components_per_element(tensor)),
    }


def _context_shapes(context: tensorrt.IExecutionContext, shape: tuple[int, ...]) -> list[list[int]]:
    context.set_input_shape(INPUT, shape)
    return [[int(n) for n in context.get_tensor_shape(tensor)] for tensor in (INPUT, OUTPUT)]


def _parameters(api: Api, engine: tensorrt.ICudaEngine) -> dict[str, Any]:
    """The inspector's entry of the first convolution; empty if it has none."""
    inspector = engine.create_engine_inspector()
    text = inspector.get_engine_information(api.trt.LayerInformationFormat.JSON)
    try:
        layers = json.loads(text).get("Layers", [])
    except (json.JSONDecodeError, AttributeError):
        return {}
    entries = (layer for layer in layers if isinstance(layer, Mapping))
    return next((dict(entry) for entry in entries if entry.get("ParameterType") == "Convolution"), {})
