"""CUDA's runtime on host memory, and an engine of TensorRT that convolves with NumPy there, for tests."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from tests.support.fake_gpu import FakeGpu
from trt_conformance.core.case import Case
from trt_conformance.core.tensors import INPUT, NUMPY_TYPE, OUTPUT
from trt_conformance.numerics.reference.shape import output_shape
from trt_conformance.targets.device import blocks, cuda
from trt_conformance.targets.device.gpu_lock import GpuLock
from trt_conformance.targets.numpy import NumpyTarget
from trt_conformance.targets.tensorrt.exclusion import Exclusion
from trt_conformance.targets.tensorrt.execution import TensorRTEngine
from trt_conformance.targets.tensorrt.loading import Loaded
from trt_conformance.targets.tensorrt.plans import Plan


class HostCuda(FakeGpu):
    """Does at once what is enqueued on a stream, unless it is captured. ``waits`` are the streams that wait."""

    def __init__(self) -> None:
        super().__init__()
        self._held: dict[int, Any] = {}
        self.waits: list[int] = []

    def cudaMalloc(self, nbytes: int) -> tuple[int, int]:
        self._made("memory")
        memory = (ctypes.c_uint8 * nbytes)()
        address = ctypes.addressof(memory)
        self._held[address] = memory
        return 0, address

    def cudaFree(self, address: int) -> tuple[int]:
        del self._held[address]
        return self._gone("memory")

    def cudaMemsetAsync(self, address: int, value: int, nbytes: int, stream: int) -> tuple[int]:
        self._enqueue(lambda: ctypes.memset(address, value, nbytes))
        return (0,)

    def cudaMemcpyAsync(self, target: int, source: int, nbytes: int, kind: int, stream: int) -> tuple[int]:
        self._enqueue(lambda: ctypes.memmove(target, source, nbytes))
        return (0,)

    def cudaStreamWaitEvent(self, stream: int, event: int, flags: int) -> tuple[int]:
        assert event in self._events, "the event was not recorded"
        self.waits.append(stream)
        return (0,)


class Context:
    """Convolves what lies at the address of its input. ``change`` is applied to each output."""

    def __init__(self, device: HostCuda, case: Case, change: Callable[[Any], Any]) -> None:
        self._device, self._case, self._change = device, case, change
        self._numpy = NumpyTarget().build(case)
        self.addresses: dict[str, int] = {}
        self.shape: tuple[int, ...] = ()

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self.shape = tuple(shape)
        return name == INPUT

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return output_shape(self.shape, self._case.kernel.shape, self._case.attributes)

    def set_tensor_address(self, name: str, address: int) -> bool:
        self.addresses[name] = address
        return True

    def execute_async_v3(self, stream: int) -> bool:
        source, target = self.addresses[INPUT], self.addresses[OUTPUT]

        def run() -> None:
            x = np.ctypeslib.as_array((ctypes.c_uint8 * self._bytes(self.shape)).from_address(source))
            given = x.view(NUMPY_TYPE[self._case.data_type]).reshape(self.shape).copy()
            with np.errstate(all="ignore"):
                y = self._change(self._numpy.run({INPUT: given})[OUTPUT])
            ctypes.memmove(target, np.ascontiguousarray(y).ctypes.data, y.nbytes)

        self._device._enqueue(run)
        return True

    def _bytes(self, shape: tuple[int, ...]) -> int:
        return int(np.prod(shape)) * NUMPY_TYPE[self._case.data_type].itemsize


def engine(
    monkeypatch: Any, case: Case, first: Callable[[Any], Any] = np.asarray, later: Callable[[Any], Any] = np.asarray
) -> tuple[TensorRTEngine, HostCuda]:
    """An engine on host memory. ``first`` changes the outputs of its own context, ``later`` those of further ones."""
    device = HostCuda()
    memory = blocks.Blocks(lambda nbytes: device.cudaMalloc(nbytes)[1], device.cudaFree)
    monkeypatch.setattr(cuda, "runtime", lambda: device)
    monkeypatch.setattr(cuda, "_BLOCKS", memory)
    made = SimpleNamespace(create_execution_context=lambda: Context(device, case, later), device_memory_size=0)
    plan = Plan(b"", {}, Loaded(made, Context(device, case, first), None, {}))
    api = SimpleNamespace(take_errors=lambda: ())
    return TensorRTEngine(api, plan, case, dict, Exclusion(GpuLock(None))), device
