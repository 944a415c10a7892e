"""The CUDA runtime through cuda-python, in the spelling of 12 and of 13, with errors raised."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trt_conformance.targets.device.blocks import Blocks


class CudaError(RuntimeError):
    """A CUDA call that did not succeed. ``sticky`` errors end every later call of the process too."""

    STICKY = frozenset(
        {
            "cudaErrorIllegalAddress",
            "cudaErrorLaunchTimeout",
            "cudaErrorAssert",
            "cudaErrorHardwareStackError",
            "cudaErrorIllegalInstruction",
            "cudaErrorMisalignedAddress",
            "cudaErrorInvalidAddressSpace",
            "cudaErrorInvalidPc",
            "cudaErrorLaunchFailure",
            "cudaErrorECCUncorrectable",
            # Of a process that used the GPU through MPS beside one that failed.
            "cudaErrorMpsClientTerminated",
            "cudaErrorMpsRpcFailure",
        }
    )

    def __init__(self, name: str, call: str) -> None:
        super().__init__(f"{call} failed: {name}")
        self.name = name
        self.sticky = name in self.STICKY


@cache
def runtime() -> Any:
    """The CUDA runtime module: ``cuda.bindings.runtime``, or ``cuda.cudart`` before cuda-python 12.6.

    Raises:
        ImportError: neither is installed.
    """
    try:
        return import_module("cuda.bindings.runtime")
    except ImportError:
        return import_module("cuda.cudart")


def call(name: str, *arguments: Any) -> Any:
    """Call a runtime function; returns its single result, a tuple of several, or None.

    Raises:
        CudaError: the call did not return cudaSuccess.
    """
    status, *results = getattr(runtime(), name)(*arguments)
    if int(status) != 0:
        raise CudaError(status.name, name)
    return results[0] if len(results) == 1 else tuple(results) or None


@dataclass(frozen=True)
class Gpu:
    """A GPU of this machine, by CUDA's index. ``memory`` and ``l2_bytes`` are in bytes."""

    index: int
    name: str
    major: int
    minor: int
    memory: int
    multiprocessors: int
    l2_bytes: int

    @property
    def sm(self) -> str:
        return f"sm{self.major}{self.minor}"


@cache
def gpus() -> tuple[tuple[Gpu, ...], str]:
    """The GPUs that CUDA sees, and where there are none, why."""
    try:
        count = call("cudaGetDeviceCount")
    except ImportError:
        return (), "cuda-python is not installed"
    except CudaError as fault:
        return (), f"no GPU with a driver that fits this CUDA runtime ({fault.name})"
    except (RuntimeError, OSError) as fault:
        return (), f"CUDA does not load: {fault}"
    found = []
    for index in range(count):
        p = call("cudaGetDeviceProperties", index)
        name = p.name.decode() if isinstance(p.name, bytes) else str(p.name)
        found.append(
            Gpu(index, name.strip("\0"), p.major, p.minor, p.totalGlobalMem, p.multiProcessorCount, p.l2CacheSize)
        )
    return tuple(found), "" if found else "CUDA finds no GPU"


def version_text(number: int) -> str:
    """13000 -> 13.0."""
    return f"{number // 1000}.{number % 1000 // 10}"


class Pinned:
    """A page-locked copy of a host array, which transfers need to reach their full rate; freed by `close`."""

    def __init__(self, array: NDArray[Any]) -> None:
        self._address: int | None = int(call("cudaMallocHost", max(array.nbytes, 1)))
        memory = (ctypes.c_uint8 * array.nbytes).from_address(self._address)
        flat = np.frombuffer(memoryview(memory), dtype=np.uint8)
        self.array: NDArray[Any] = flat.view(array.dtype).reshape(array.shape)
        self.array[...] = array

    def close(self) -> None:
        if self._address is not None:
            address, self._address = self._address, None
            call("cudaFreeHost", address)


class Stream:
    """A CUDA stream, destroyed by `close`.

    It does not wait for the default stream, on which builders in other threads may time their kernels.
    """

    def __init__(self) -> None:
        self._stream: Any = call("cudaStreamCreateWithFlags", runtime().cudaStreamNonBlocking)

    @property
    def handle(self) -> int:
        return int(self._stream)

    def synchronize(self) -> None:
        call("cudaStreamSynchronize", self._stream)

    def wait(self, event: Event) -> None:
        """Let what is enqueued from now on wait until an event that was recorded on another stream."""
        call("cudaStreamWaitEvent", self._stream, event.handle, 0)

    def close(self) -> None:
        if self._stream is not None:
            stream, self._stream = self._stream, None
            call("cudaStreamDestroy", stream)


class Event:
    """A CUDA event with timing, destroyed by `close`."""

    def __init__(self) -> None:
        self._event: Any = call("cudaEventCreate")

    @property
    def handle(self) -> Any:
        return self._event

    def record(self, stream: Stream) -> None:
        call("cudaEventRecord", self._event, stream.handle)

    def synchronize(self) -> None:
        call("cudaEventSynchronize", self._event)

    def seconds_since(self, earlier: Event) -> float:
        """Device time between two recorded events; the clock's resolution is about half a microsecond."""
        return float(call("cudaEventElapsedTime", earlier._event, self._event)) * 1e-3

    def close(self) -> None:
        if self._event is not None:
            event, self._event = self._event, None
            call("cudaEventDestroy", event)


class Stopwatch:
    """Device time of what is enqueued on a stream, between two events; freed by `close`."""

    def __init__(self, stream: Stream) -> None:
        self._stream, self._first, self._last = stream, Event(), Event()

    def time(self, action: Callable[[], None]) -> float:
        """Seconds from before to after what ``action`` enqueues."""
        self._first.record(self._stream)
        action()
        self._last.record(self._stream)
        self._last.synchronize()
        return self._last.seconds_since(self._first)

    def close(self) -> None:
        self._first.close()
        self._last.close()


class Graph:
    """What one call enqueues on a stream, captured as a CUDA graph; a context manager that frees it.

    ``nodes`` counts its kernels, copies and fills.
    """

    def __init__(self, stream: Stream, enqueue: Callable[[], None]) -> None:
        mode = runtime().cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        self._stream = stream
        call("cudaStreamBeginCapture", stream.handle, mode)
        try:
            enqueue()
        except BaseException:
            self._abandon(stream)
            raise
        graph = call("cudaStreamEndCapture", stream.handle)
        try:
            self.nodes = int(call("cudaGraphGetNodes", graph)[1])
            self._executable = call("cudaGraphInstantiate", graph, 0)
        finally:
            call("cudaGraphDestroy", graph)

    @staticmethod
    def _abandon(stream: Stream) -> None:
        """End a capture that failed, and free what was captured: the failure that is under way is the one to report."""
        with suppress(CudaError):
            graph = call("cudaStreamEndCapture", stream.handle)
            if graph:
                call("cudaGraphDestroy", graph)

    def launch(self, stream: Stream | None = None) -> None:
        """Enqueue it, on the stream it was captured from unless another is given."""
        call("cudaGraphLaunch", self._executable, (stream or self._stream).handle)

    def __enter__(self) -> Graph:
        return self

    def __exit__(self, *_: object) -> None:
        call("cudaGraphExecDestroy", self._executable)


GUARD_BYTES = 512
GUARD_PATTERN = 0xA5
POISON = 0xFF


_BLOCKS = Blocks(lambda nbytes: int(call("cudaMalloc", nbytes)), lambda address: call("cudaFree", address))


class Buffer:
    """Device memory with a guard on both sides, so that a write outside of it is seen.

    Poison is bytes of 0xFF: NaN in every floating type and -1 in integers.
    """

    def __init__(self, nbytes: int) -> None:
        self.nbytes = nbytes
        self._base: int | None = _BLOCKS.take(nbytes + 2 * GUARD_BYTES)

    @property
    def address(self) -> int:
        if self._base is None:
            raise RuntimeError("the buffer is closed")
        return self._base + GUARD_BYTES

    def poison(self, stream: Stream) -> None:
        """Fill the buffer with NaN and both guards with their pattern."""
        start = self.address - GUARD_BYTES
        call("cudaMemsetAsync", start, GUARD_PATTERN, self.nbytes + 2 * GUARD_BYTES, stream.handle)
        call("cudaMemsetAsync", self.address, POISON, self.nbytes, stream.handle)

    def upload(self, array: NDArray[Any], stream: Stream, offset: int = 0) -> None:
        """Copy a contiguous host array to the device, ``offset`` bytes past the buffer's start and to its end."""
        kind = runtime().cudaMemcpyKind.cudaMemcpyHostToDevice
        call("cudaMemcpyAsync", self.address + offset, array.ctypes.data, array.nbytes, kind, stream.handle)

    def copy_from(self, other: Buffer, stream: Stream) -> None:
        """Copy another buffer of this size, on the device."""
        kind = runtime().cudaMemcpyKind.cudaMemcpyDeviceToDevice
        call("cudaMemcpyAsync", self.address, other.address, self.nbytes, kind, stream.handle)

    def download_into(self, host: NDArray[Any], stream: Stream) -> None:
        """Copy the buffer into a contiguous host array of its size, complete once the stream is synchronized."""
        kind = runtime().cudaMemcpyKind.cudaMemcpyDeviceToHost
        call("cudaMemcpyAsync", host.ctypes.data, self.address, host.nbytes, kind, stream.handle)

    def download_guarded(self, stream: Stream) -> NDArray[np.uint8]:
        """The buffer's bytes with both guards around them, complete once the stream is synchronized."""
        host = np.empty(self.nbytes + 2 * GUARD_BYTES, dtype=np.uint8)
        kind = runtime().cudaMemcpyKind.cudaMemcpyDeviceToHost
        call("cudaMemcpyAsync", host.ctypes.data, self.address - GUARD_BYTES, host.nbytes, kind, stream.handle)
        return host

    def close(self) -> None:
        """Give the memory to the next buffer; what runs on it must have ended."""
        if self._base is not None:
            base, self._base = self._base, None
            _BLOCKS.give(base, self.nbytes + 2 * GUARD_BYTES)
