"""Gives an engine's tensors and scratch memory further places in memory, to time it there."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trt_conformance.core.arrays import Array
from trt_conformance.core.tensors import INPUT, OUTPUT
from trt_conformance.targets.device import cuda

if TYPE_CHECKING:
    import tensorrt


def give_scratch(context: tensorrt.IExecutionContext, address: int, size: int) -> None:
    """Let a context that was made without device memory use this memory, with the call that its version has."""
    if hasattr(context, "set_device_memory"):
        context.set_device_memory(address, size)
    else:
        context.device_memory = address


@dataclass
class Places:
    """What every place of one engine has: a context whose input shape is set, a stream, and the input ``x``.

    ``output_bytes`` and ``scratch_bytes`` are the sizes of what is placed beside the input; without scratch memory,
    the context keeps its own. ``accepted`` raises what TensorRT says where it is given False.
    """

    context: tensorrt.IExecutionContext
    stream: cuda.Stream
    x: Array
    output_bytes: int
    scratch_bytes: int
    accepted: Callable[[bool], None]

    def new(self) -> TensorPlace:
        """A place in device memory that was not used by the others. Raises CudaError if there is none."""
        return TensorPlace(self)


class TensorPlace:
    """One place in memory, freed by `close`. Its input holds the values of ``x``."""

    def __init__(self, places: Places) -> None:
        self._places, self.stream = places, places.stream
        with ExitStack() as scope:

            def buffer(nbytes: int) -> cuda.Buffer:
                made = cuda.Buffer(max(nbytes, 1))
                scope.callback(made.close)
                return made

            self._source = buffer(places.x.nbytes)
            self._target = buffer(places.output_bytes)
            self._scratch = buffer(places.scratch_bytes) if places.scratch_bytes else None
            self._source.upload(places.x, self.stream)
            self._held = scope.pop_all()

    def take(self) -> None:
        """Let later enqueues use this place. Raises what `Places.accepted` raises."""
        self.stream.synchronize()  # what was enqueued still uses the former place
        context = self._places.context
        for tensor, buffer in ((INPUT, self._source), (OUTPUT, self._target)):
            self._places.accepted(context.set_tensor_address(tensor, buffer.address))
        if self._scratch is not None:
            give_scratch(context, self._scratch.address, self._places.scratch_bytes)

    def enqueue(self) -> None:
        """Enqueue once. Raises what `Places.accepted` raises."""
        self._places.accepted(self._places.context.execute_async_v3(self.stream.handle))

    def close(self) -> None:
        """Free the memory once what runs there has ended."""
        with self._held:
            self.stream.synchronize()
