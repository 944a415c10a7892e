"""Loads a serialized engine where it can run."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

from trt_conformance.core.case import Case
from trt_conformance.core.engine_cost import DEVICE_MEMORY, STORED_WEIGHTS
from trt_conformance.targets.errors import Refused, Unsupported
from trt_conformance.targets.protocols import EngineFacts
from trt_conformance.targets.tensorrt.api import Api
from trt_conformance.targets.tensorrt.inspector import engine_facts
from trt_conformance.targets.tensorrt.refitting import refit
from trt_conformance.targets.tensorrt.refusal import made

if TYPE_CHECKING:
    import tensorrt

T = TypeVar("T")


class Loaded(NamedTuple):
    """An engine on the GPU, a context to run it in, what the engine says of itself, if anything, and its memory.

    ``memory``: figures of `core.engine_cost`.
    """

    engine: tensorrt.ICudaEngine
    context: tensorrt.IExecutionContext
    facts: EngineFacts | None
    memory: dict[str, int]


def load(api: Api, plan: bytes, case: Case | None = None) -> Loaded:
    """An engine with its first context, refitted before that where the case says so.

    Raises:
        Refused: TensorRT does not load its own plan, or does not refit the engine, in phase run.
    """
    api.take_errors()
    engine = loaded(api, api.runtime.deserialize_cuda_engine(plan))
    if case is not None and case.refit is not None:
        refit(api, engine, case)
    if case is not None and case.builder.weight_streaming_budget is not None:
        _stream_weights(api, engine, case.builder.weight_streaming_budget)
    memory = {DEVICE_MEMORY: device_memory(engine)} | _stored_weights(api, engine)
    return Loaded(engine, loaded(api, engine.create_execution_context()), engine_facts(api, engine), memory)


def _stream_weights(api: Api, engine: tensorrt.ICudaEngine, budget: int) -> None:
    """Limit the weights in device memory, before a context exists. TensorRT 10.3 renamed the attribute.

    Raises:
        Refused: TensorRT does not take the budget, in phase run.
        Unsupported: this version does not stream weights.
    """
    names = ("weight_streaming_budget_v2", "weight_streaming_budget")
    name = next((name for name in names if hasattr(api.trt.ICudaEngine, name)), None)
    if name is None:
        raise Unsupported(f"{api.flavor} {api.version} does not stream weights")
    setattr(engine, name, budget)
    if errors := api.take_errors():
        raise Refused("run", "\n".join(errors))


def device_memory(engine: tensorrt.ICudaEngine) -> int:
    """The bytes that a context of an engine needs. TensorRT 10 renamed the attribute, 11 removed the old name."""
    name = "device_memory_size_v2" if hasattr(engine, "device_memory_size_v2") else "device_memory_size"
    return int(getattr(engine, name))


def _stored_weights(api: Api, engine: tensorrt.ICudaEngine) -> dict[str, int]:
    """The bytes of an engine's weights; empty if this version does not state them, or gives a negative number."""
    total = api.member("EngineStat", "TOTAL_WEIGHTS_SIZE")
    stored = -1 if total is None else int(engine.get_engine_stat(total))
    return {STORED_WEIGHTS: stored} if stored >= 0 else {}


def loaded(api: Api, thing: T | None) -> T:
    """An engine or context, which TensorRT gives as None if it failed. Raises Refused in phase run."""
    return made(api, thing, "run", "the engine did not load")
