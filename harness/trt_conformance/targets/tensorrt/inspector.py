"""Reads the engine inspector: which layers, kernels and types really run."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trt_conformance.targets.protocols import EngineFacts, LayerFacts
from trt_conformance.targets.tensorrt.api import Api

if TYPE_CHECKING:
    import tensorrt

# How the inspector spells types, with or without a format: "Float", "FP32", "Row major linear FP32".
_TYPES = (
    ("int8", ("int8",)),
    ("fp8", ("fp8",)),
    ("bf16", ("bf16", "bfloat16")),
    ("fp16", ("fp16", "half")),
    ("fp32", ("fp32", "float")),
)
# Operand types in the names of kernels: "..._fp32fp32_...", "..._f16f16_f32f32_f16_...", "..._i8f32_i8i32_...".
_KERNEL_TYPES = (
    ("int8", re.compile(r"(?:_i8|int8)")),
    ("fp8", re.compile(r"(?:_e4m3|fp8)")),
    ("fp16", re.compile(r"(?:_f16|fp16|_h884|_h1688|_h16816)")),
    ("bf16", re.compile(r"(?:_bf16)")),
    ("fp32", re.compile(r"(?:_f32|fp32|ffma|scudnn|sgemm)")),
)
_CONVOLUTIONS = ("convolution", "conv", "correlation", "fprop")


def engine_facts(api: Api, engine: tensorrt.ICudaEngine) -> EngineFacts | None:
    """The layers of an engine built with detailed verbosity; None if the version has no inspector."""
    create = getattr(engine, "create_engine_inspector", None)
    if create is None:
        return None
    inspector = create()
    text = inspector.get_engine_information(api.trt.LayerInformationFormat.JSON)
    return parse(text)


def parse(text: str) -> EngineFacts | None:
    """Parse the inspector's JSON. Layers are objects, or bare names where the engine stores no detail."""
    try:
        raw = json.loads(text).get("Layers", [])
    except (json.JSONDecodeError, AttributeError):
        return None
    layers = tuple(_layer(entry) for entry in raw if isinstance(entry, Mapping))
    if not layers:
        return None
    convolutions = [layer for layer in layers if _is_convolution(layer)]
    convolution = convolutions[0] if convolutions else None
    return EngineFacts(layers, convolution, _precision(convolution) if convolution else "unknown")


def _layer(entry: Mapping[str, Any]) -> LayerFacts:
    kernel = entry.get("TacticName") or entry.get("TacticValue") or ""
    return LayerFacts(
        name=str(entry.get("Name", "")),
        type=str(entry.get("LayerType", "")),
        kernel=str(kernel),
        reads=tuple(_type(tensor) for tensor in entry.get("Inputs", [])),
        writes=tuple(_type(tensor) for tensor in entry.get("Outputs", [])),
    )


def _type(tensor: Mapping[str, Any]) -> str:
    spelled = str(tensor.get("Datatype") or tensor.get("Format/Datatype") or tensor.get("Format") or "").lower()
    for name, spellings in _TYPES:
        if any(spelling in spelled for spelling in spellings):
            return name
    return spelled


def _is_convolution(layer: LayerFacts) -> bool:
    kind = layer.type.lower()
    return any(word in kind for word in _CONVOLUTIONS) or "fprop" in layer.kernel.lower()


def _precision(layer: LayerFacts) -> str:
    """From the type the layer reads, or the kernel's name where the inspector withholds types (dynamic shapes).

    Float32 is TF32 where the kernel's name says so.
    """
    kernel = layer.kernel.lower()
    if "tf32" in kernel:
        return "tf32"
    reads = layer.reads[0] if layer.reads else ""
    if reads in (name for name, _ in _TYPES):
        return reads
    return next((name for name, pattern in _KERNEL_TYPES if pattern.search(kernel)), "unknown")
