"""Runs a serialised engine on the GPU, its outputs poisoned and guarded."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness import cuda
from harness.data import INPUT, NUMPY_TYPE, OUTPUT, Array
from harness.model import Case
from harness.targets.base import EngineFacts, NotRun, Refused, Unsupported
from harness.targets.tensorrt.api import Api
from harness.targets.tensorrt.inspector import engine_facts


class OutOfBounds(RuntimeError):
    """A kernel wrote outside of its output."""


@dataclass(frozen=True)
class AheadOfTimeEngine:
    """An engine for a GPU that this machine does not have: built and serialised, not run."""

    plan: bytes
    reason: str

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Raises NotRun."""
        raise NotRun(self.reason)

    def close(self) -> None:
        return None


class TensorRTEngine:
    """A deserialised engine with its context, stream and device buffers."""

    def __init__(self, api: Api, plan: bytes, case: Case) -> None:
        """Raises Refused in phase run where TensorRT does not load its own plan."""
        self._api, self._case = api, case
        self._resources = ExitStack()
        api.take_errors()
        self._engine = api.runtime.deserialize_cuda_engine(plan)
        self._context = self._engine.create_execution_context() if self._engine is not None else None
        if self._context is None:
            raise Refused("run", "\n".join(api.take_errors()) or "the engine did not load, and nothing was logged")
        self._stream = cuda.Stream()
        self._resources.callback(self._stream.close)
        self._buffers: dict[str, cuda.Buffer] = {}

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Run by tensor names (`execute_async_v3`).

        Raises:
            Refused: a shape outside the profile, or an enqueue that failed.
            OutOfBounds: the guards around the output were written to.
            CudaError: CUDA failed.
        """
        context = self._context

        def enqueue(shapes: Mapping[str, Sequence[int]], addresses: Mapping[str, int]) -> bool:
            for name, address in addresses.items():
                context.set_tensor_address(name, address)
            return bool(context.execute_async_v3(self._stream.handle))

        def shape(name: str, given: Sequence[int]) -> tuple[int, ...]:
            if not context.set_input_shape(name, tuple(given)):
                raise Refused("run", "\n".join(self._api.take_errors()) or f"shape {tuple(given)} was refused")
            return tuple(int(n) for n in context.get_tensor_shape(OUTPUT))

        return self._run(feeds, shape, enqueue)

    def run_by_bindings(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Run as TensorRT 8's own documents do: binding indices and `execute_async_v2`.

        Raises:
            Unsupported: this version has no bindings (10 and later).
        """
        context, engine = self._context, self._engine
        if not hasattr(context, "execute_async_v2"):
            raise Unsupported(f"execute_async_v2 does not exist in {self._api.flavour} {self._api.version}")

        def enqueue(shapes: Mapping[str, Sequence[int]], addresses: Mapping[str, int]) -> bool:
            bindings = [addresses[engine.get_binding_name(i)] for i in range(engine.num_bindings)]
            return bool(context.execute_async_v2(bindings, self._stream.handle))

        def shape(name: str, given: Sequence[int]) -> tuple[int, ...]:
            if not context.set_binding_shape(engine.get_binding_index(name), tuple(given)):
                raise Refused("run", "\n".join(self._api.take_errors()) or f"shape {tuple(given)} was refused")
            return tuple(int(n) for n in context.get_binding_shape(engine.get_binding_index(OUTPUT)))

        return self._run(feeds, shape, enqueue)

    def describe(self) -> EngineFacts | None:
        return engine_facts(self._api, self._engine)

    def close(self) -> None:
        # TensorRT wants the context gone before its engine, and both before the stream.
        self._context = self._engine = None
        self._resources.close()

    def _run(
        self,
        feeds: Mapping[str, Array],
        set_shape: Callable[[str, Sequence[int]], tuple[int, ...]],
        enqueue: Callable[[Mapping[str, Sequence[int]], Mapping[str, int]], bool],
    ) -> dict[str, Array]:
        x = np.ascontiguousarray(feeds[INPUT])
        self._api.take_errors()
        out_shape = set_shape(INPUT, x.shape)
        dtype = NUMPY_TYPE[self._case.data_type]
        out_bytes = math.prod(out_shape) * dtype.itemsize
        source, target = self._buffer(INPUT, x.nbytes), self._buffer(OUTPUT, out_bytes)
        kind = cuda.runtime().cudaMemcpyKind
        stream = self._stream
        cuda.call(
            "cudaMemcpyAsync", source.address, x.ctypes.data, x.nbytes, kind.cudaMemcpyHostToDevice, stream.handle
        )
        target.poison(stream)
        addresses = {INPUT: source.address, OUTPUT: target.address}
        if not enqueue({INPUT: x.shape, OUTPUT: out_shape}, addresses):
            raise Refused("run", "\n".join(self._api.take_errors()) or "the enqueue failed, and nothing was logged")
        guarded = np.empty(target.nbytes + 2 * cuda.GUARD_BYTES, dtype=np.uint8)
        cuda.call(
            "cudaMemcpyAsync",
            guarded.ctypes.data,
            target.address - cuda.GUARD_BYTES,
            guarded.nbytes,
            kind.cudaMemcpyDeviceToHost,
            stream.handle,
        )
        stream.synchronize()
        return {OUTPUT: _unwrapped(guarded, dtype).reshape(out_shape)}

    def _buffer(self, name: str, nbytes: int) -> cuda.Buffer:
        """A buffer of exactly this size, so that its guards touch the tensor."""
        held = self._buffers.get(name)
        if held is None or held.nbytes != nbytes:
            if held is not None:
                held.close()
            held = self._buffers[name] = cuda.Buffer(nbytes)
            self._resources.callback(held.close)
        return held


def _unwrapped(guarded: Array, dtype: np.dtype[Any]) -> Array:
    """The tensor between two intact guards. Raises OutOfBounds, saying where the first foreign byte lies."""
    inner = slice(cuda.GUARD_BYTES, guarded.size - cuda.GUARD_BYTES)
    before, after = guarded[: inner.start], guarded[inner.stop :]
    for side, name in ((before, "before"), (after, "after")):
        touched = np.flatnonzero(side != cuda.GUARD_PATTERN)
        if touched.size:
            distance = int(cuda.GUARD_BYTES - touched[-1] if name == "before" else touched[0] + 1)
            raise OutOfBounds(f"{touched.size} bytes {name} the output were written, nearest {distance} away from it")
    return guarded[inner].view(dtype)
