"""A fixed kernel and a large copy: what this GPU achieves at the moment, independent of the target under test.

The kernel is a chain of fused multiply-adds on every multiprocessor, loaded as PTX, so its time depends only on the SM
clock. Measured before, between and after, it makes drift visible.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from statistics import median
from typing import Any

from trt_conformance.targets.device import cuda

SPIN = "spin"
_PTX = b"""
.version 6.3
.target sm_70
.address_size 64
.visible .entry spin(.param .u64 out, .param .u32 steps)
{
    .reg .f32 %f<3>;
    .reg .u32 %r<4>;
    .reg .u64 %d<3>;
    .reg .pred %p<3>;
    ld.param.u64 %d0, [out];
    ld.param.u32 %r0, [steps];
    mov.u32 %r1, %tid.x;
    cvt.rn.f32.u32 %f0, %r1;
    mov.f32 %f1, 0f3F7FFFFF;
loop:
    fma.rn.f32 %f0, %f0, %f1, %f1;
    fma.rn.f32 %f0, %f0, %f1, %f1;
    fma.rn.f32 %f0, %f0, %f1, %f1;
    fma.rn.f32 %f0, %f0, %f1, %f1;
    sub.u32 %r0, %r0, 1;
    setp.ne.u32 %p0, %r0, 0;
    @%p0 bra loop;
    setp.eq.f32 %p1, %f0, 0f7F800000;
    @!%p1 bra done;
    st.global.f32 [%d0], %f0;
done:
    ret;
}
\0"""
STEPS = 20_000
COPY_BYTES = 2**30
REPEATS = 11
WARMUP_S = 0.05
"""An idle GPU takes tens of milliseconds to raise its clocks."""


class PtxKernel:
    """A kernel given as PTX, which the driver compiles; unloaded by `close`."""

    def __init__(self, ptx: bytes, name: str) -> None:
        self._driver = import_module("cuda.bindings.driver")
        cuda.call("cudaFree", 0)  # the runtime makes its primary context current
        self._module = self._ask("cuModuleLoadData", ptx)
        self._function = self._ask("cuModuleGetFunction", self._module, name.encode())

    def launch(self, stream: cuda.Stream, blocks: int, threads: int, *arguments: tuple[Any, Any]) -> None:
        """Enqueue a one-dimensional grid; each argument is a value with its ctypes type."""
        values, types = zip(*arguments, strict=True)
        self._ask("cuLaunchKernel", self._function, blocks, 1, 1, threads, 1, 1, 0, stream.handle, (values, types), 0)

    def close(self) -> None:
        self._ask("cuModuleUnload", self._module)

    def _ask(self, name: str, *arguments: Any) -> Any:
        status, *results = getattr(self._driver, name)(*arguments)
        if int(status) != 0:
            raise cuda.CudaError(status.name, name)
        return results[0] if results else None


class Spin:
    """The yardstick's kernel. ``steps`` sets how long it runs, a few nanoseconds a step."""

    def __init__(self) -> None:
        self._kernel = PtxKernel(_PTX, SPIN)
        self._blocks = cuda.gpus()[0][0].multiprocessors

    def launch(self, stream: cuda.Stream, steps: int) -> None:
        """Enqueue the kernel on a stream, a block for each multiprocessor."""
        self._kernel.launch(stream, self._blocks, 128, (0, ctypes.c_void_p), (steps, ctypes.c_uint32))

    def close(self) -> None:
        self._kernel.close()


def spin_seconds() -> float:
    """Seconds of the fixed kernel, the median of a few launches: it depends only on the SM clock."""
    with _bench() as (stream, stopwatch, scope):
        spin = Spin()
        scope.callback(spin.close)
        return _median(stopwatch, lambda: spin.launch(stream, STEPS))


def copy_rate() -> float:
    """Bytes a second of a large copy on the device, read plus written."""
    with _bench() as (stream, stopwatch, scope):
        source, target = cuda.Buffer(COPY_BYTES), cuda.Buffer(COPY_BYTES)
        scope.callback(source.close)
        scope.callback(target.close)
        kind = cuda.runtime().cudaMemcpyKind.cudaMemcpyDeviceToDevice

        def copy() -> None:
            cuda.call("cudaMemcpyAsync", target.address, source.address, COPY_BYTES, kind, stream.handle)

        return 2 * COPY_BYTES / _median(stopwatch, copy)


@contextmanager
def _bench() -> Iterator[tuple[cuda.Stream, cuda.Stopwatch, ExitStack]]:
    with ExitStack() as scope:
        stream = cuda.Stream()
        scope.callback(stream.close)
        stopwatch = cuda.Stopwatch(stream)
        scope.callback(stopwatch.close)
        yield stream, stopwatch, scope


def _median(stopwatch: cuda.Stopwatch, action: Callable[[], None]) -> float:
    begin = time.monotonic()
    while time.monotonic() - begin < WARMUP_S:
        stopwatch.time(action)
    return median(stopwatch.time(action) for _ in range(REPEATS))
