"""Loads a serialized engine where it can run."""

from __future__ import annotations

from typing import Any, NamedTuple

from trt_conformance.targets.errors import Refused
from trt_conformance.targets.protocols import EngineFacts
from trt_conformance.targets.tensorrt.api import Api
from trt_conformance.targets.tensorrt.inspector import engine_facts


class Loaded(NamedTuple):
    """An engine on the GPU, a context to run it in, and what the engine says of itself, if anything."""

    engine: Any
    context: Any
    facts: EngineFacts | None


def load(api: Api, plan: bytes) -> Loaded:
    """An engine with its first context. Raises Refused in phase run where TensorRT does not load its own plan."""
    api.take_errors()
    engine = made(api, api.runtime.deserialize_cuda_engine(plan))
    return Loaded(engine, made(api, engine.create_execution_context()), engine_facts(api, engine))


def made(api: Api, thing: Any) -> Any:
    """An engine or context, which TensorRT gives as None where it failed. Raises Refused in phase run."""
    if thing is None:
        raise Refused("run", "\n".join(api.take_errors()) or "the engine did not load, and nothing was logged")
    return thing
