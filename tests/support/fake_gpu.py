"""A GPU with a clock of its own, behind the functions of CUDA's runtime that the harness calls to time an engine."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from trt_conformance.targets.device import blocks, clocks, cuda

L2_BYTES = 50 * 2**20
EVENT_S = 1e-6
"""What lies between an event and the work behind it."""
BYTES_PER_S = 4e12


class FakeGpu:
    """Runs at once what is enqueued, and moves its clock on. ``ran`` names the work in order.

    Work is captured where a capture is under way. ``alive`` counts what was created and not destroyed, by kind.
    """

    cudaStreamNonBlocking = 1
    cudaStreamCaptureMode = SimpleNamespace(cudaStreamCaptureModeThreadLocal=2)
    cudaMemcpyKind = SimpleNamespace(
        cudaMemcpyHostToDevice=1, cudaMemcpyDeviceToHost=2, cudaMemcpyDeviceToDevice=3, cudaMemcpyDefault=4
    )

    def __init__(self) -> None:
        self.now = 0.0
        self.ran: list[str] = []
        self.alive: dict[str, int] = {}
        self.is_cold = False
        self._captured: list[Callable[[], None]] | None = None
        self._graphs: dict[int, list[Callable[[], None]]] = {}
        self._events: dict[int, float] = {}
        self._next = 0
        self._memory = 0

    def kernel(self, seconds: float, cold_s: float = 0.0, slow_until: float = 0.0) -> None:
        """Enqueue a kernel; it takes ``cold_s`` longer where the caches were just emptied.

        Before ``slow_until`` it takes twice as long.
        """

        def run() -> None:
            self.now += seconds * (1 + (self.now < slow_until)) + cold_s * self.is_cold
            self.is_cold = False
            self.ran.append("kernel")

        self._enqueue(run)

    def _enqueue(self, work: Callable[[], None]) -> None:
        if self._captured is not None:
            self._captured.append(work)
        else:
            work()

    def _made(self, kind: str) -> int:
        self.alive[kind] = self.alive.get(kind, 0) + 1
        self._next += 1
        return self._next

    def _gone(self, kind: str) -> tuple[int]:
        self.alive[kind] -= 1
        return (0,)

    def cudaMalloc(self, nbytes: int) -> tuple[int, int]:
        self._made("memory")
        self._memory += 2**20
        return 0, self._memory

    def cudaFree(self, address: int) -> tuple[int]:
        return self._gone("memory") if address else (0,)

    def cudaStreamCreateWithFlags(self, flags: int) -> tuple[int, int]:
        return 0, self._made("stream")

    def cudaStreamSynchronize(self, stream: int) -> tuple[int]:
        return (0,)

    def cudaStreamDestroy(self, stream: int) -> tuple[int]:
        return self._gone("stream")

    def cudaEventCreate(self) -> tuple[int, int]:
        return 0, self._made("event")

    def cudaEventRecord(self, event: int, stream: int) -> tuple[int]:
        self._events[event] = self.now
        self.now += EVENT_S
        return (0,)

    def cudaEventSynchronize(self, event: int) -> tuple[int]:
        return (0,)

    def cudaEventElapsedTime(self, first: int, last: int) -> tuple[int, float]:
        return 0, 1e3 * (self._events[last] - self._events[first])

    def cudaEventDestroy(self, event: int) -> tuple[int]:
        return self._gone("event")

    def cudaStreamBeginCapture(self, stream: int, mode: int) -> tuple[int]:
        assert self._captured is None
        self._captured = []
        return (0,)

    def cudaStreamEndCapture(self, stream: int) -> tuple[int, int]:
        assert self._captured is not None
        graph = self._made("graph")
        self._graphs[graph], self._captured = self._captured, None
        return 0, graph

    def cudaGraphGetNodes(self, graph: int) -> tuple[int, list[Any], int]:
        return 0, [], len(self._graphs[graph])

    def cudaGraphInstantiate(self, graph: int, flags: int) -> tuple[int, int]:
        executable = self._made("executable")
        self._graphs[executable] = self._graphs[graph]
        return 0, executable

    def cudaGraphDestroy(self, graph: int) -> tuple[int]:
        return self._gone("graph")

    def cudaGraphLaunch(self, executable: int, stream: int) -> tuple[int]:
        for work in self._graphs[executable]:
            work()
        return (0,)

    def cudaGraphExecDestroy(self, executable: int) -> tuple[int]:
        return self._gone("executable")

    def cudaMemsetAsync(self, address: int, value: int, nbytes: int, stream: int) -> tuple[int]:
        def run() -> None:
            self.now += nbytes / BYTES_PER_S
            self.is_cold = self.is_cold or nbytes >= L2_BYTES
            self.ran.append("fill")

        self._enqueue(run)
        return (0,)

    def cudaMemcpyAsync(self, target: int, source: int, nbytes: int, kind: int, stream: int) -> tuple[int]:
        def run() -> None:
            self.now += nbytes / BYTES_PER_S
            self.ran.append("copy")

        self._enqueue(run)
        return (0,)


class FakeNvml:
    """NVML's handle of the GPU: each reading is the next of ``mhz``, and the last one again."""

    NVML_CLOCK_SM = 1

    def __init__(self, *mhz: int) -> None:
        self._mhz = list(mhz)

    def nvmlDeviceGetClockInfo(self, handle: int, kind: int) -> int:
        return self._mhz.pop(0) if len(self._mhz) > 1 else self._mhz[0]


def install(monkeypatch: Any, *mhz: int) -> FakeGpu:
    """Make this the machine's GPU, at these SM clocks; without any, NVML is missing."""
    fake = FakeGpu()
    memory = blocks.Blocks(lambda nbytes: fake.cudaMalloc(nbytes)[1], fake.cudaFree)
    monkeypatch.setattr(cuda, "runtime", lambda: fake)
    monkeypatch.setattr(cuda, "_BLOCKS", memory)
    gpu = cuda.Gpu(0, "fake", 9, 0, 2**37, 132, L2_BYTES)
    monkeypatch.setattr(cuda, "gpus", lambda: ((gpu,), ""))
    found = clocks._Gpu(FakeNvml(*mhz), 0, 1980) if mhz else "no NVML"
    monkeypatch.setattr(clocks, "_gpu", lambda: found)
    return fake
