"""The GPU's clocks while it is timed, read by NVML."""

from __future__ import annotations

from functools import cache
from statistics import median
from typing import Any, NamedTuple

from trt_conformance.targets.device import cuda

BUS_ID_BYTES = 32
THROTTLED_BELOW = 0.75
"""A sample taken below this fraction of the default SM clock is discarded, as nvbench does."""


def nvml_handle(nvml: Any) -> Any:
    """NVML's handle of CUDA's first GPU, found by its PCI bus id: NVML numbers GPUs in another order.

    Raises CudaError if CUDA has no GPU, and an NVMLError if NVML does not know it.
    """
    return nvml.nvmlDeviceGetHandleByPciBusId(bus_id().encode())


def bus_id() -> str:
    """The PCI bus id of CUDA's first GPU, which nvidia-smi takes too. Raises CudaError if CUDA has no GPU."""
    bus = cuda.call("cudaDeviceGetPCIBusId", BUS_ID_BYTES, 0)
    # CUDA ends the text with a zero byte, and leaves what follows it in the buffer.
    return (bus.decode(errors="replace") if isinstance(bus, bytes) else str(bus)).partition("\0")[0].strip()


class _Gpu(NamedTuple):
    """NVML with its handle of a GPU, and that GPU's default SM clock in MHz."""

    nvml: Any
    handle: Any
    default: int
    bus: str = ""

    def clock(self) -> int:
        return int(self.nvml.nvmlDeviceGetClockInfo(self.handle, self.nvml.NVML_CLOCK_SM))


@cache
def _gpu() -> _Gpu | str:
    """CUDA's first GPU, or why NVML cannot read it. NVML stays initialized, which takes milliseconds."""
    try:
        import pynvml

        pynvml.nvmlInit()
        handle = nvml_handle(pynvml)
        try:
            default = int(pynvml.nvmlDeviceGetDefaultApplicationsClock(handle, pynvml.NVML_CLOCK_SM))
        except pynvml.NVMLError:
            default = int(pynvml.nvmlDeviceGetMaxClockInfo(handle, pynvml.NVML_CLOCK_SM))
        return _Gpu(pynvml, handle, default, bus_id())
    except Exception as fault:  # NVML is optional: the facts give the reason
        return str(fault) or type(fault).__name__


class Clocks:
    """Reads the SM clock of CUDA's first GPU at each sample.

    Where NVML is missing or fails, no sample counts as throttled, and `facts` gives the reason.
    """

    def __init__(self) -> None:
        self._read: list[int] = []
        self._gpu = _gpu()

    def read(self) -> int | None:
        """The SM clock now, in MHz; None if it cannot be read."""
        if isinstance(self._gpu, str):
            return None
        try:
            clock = self._gpu.clock()
        except Exception as fault:  # as above
            self._gpu = str(fault) or type(fault).__name__
            return None
        self._read.append(clock)
        return clock

    def is_too_low(self, clock: int | None) -> bool:
        """Whether a sample at this clock must not count."""
        return clock is not None and not isinstance(self._gpu, str) and clock < THROTTLED_BELOW * self._gpu.default

    def facts(self) -> dict[str, Any]:
        """SM clocks in MHz over the samples, and the default clock they are compared with."""
        if isinstance(self._gpu, str):
            return {"available": False, "reason": self._gpu}
        if not self._read:
            return {"available": True, "default_mhz": self._gpu.default}
        return {
            "available": True,
            "default_mhz": self._gpu.default,
            "median_mhz": median(self._read),
            "min_mhz": min(self._read),
            "max_mhz": max(self._read),
            **({"bus": self._gpu.bus} if self._gpu.bus else {}),
        }
