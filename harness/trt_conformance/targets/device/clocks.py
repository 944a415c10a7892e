"""The GPU's clocks while it is timed, read by NVML."""

from __future__ import annotations

from statistics import median
from typing import Any

from trt_conformance.targets.device import cuda

BUS_ID_BYTES = 32
THROTTLED_BELOW = 0.75
"""A sample taken below this fraction of the default SM clock is discarded, as nvbench does."""


def nvml_handle(nvml: Any) -> Any:
    """NVML's handle of CUDA's first GPU, found by its PCI bus id: NVML numbers GPUs in another order.

    Raises CudaError where CUDA has no GPU, and an NVMLError where NVML does not know it.
    """
    bus = cuda.call("cudaDeviceGetPCIBusId", BUS_ID_BYTES, 0)
    text = bus.decode() if isinstance(bus, bytes) else str(bus)
    return nvml.nvmlDeviceGetHandleByPciBusId(text.rstrip("\0").encode())


class Clocks:
    """Reads the SM clock of CUDA's first GPU after each sample.

    Where NVML is missing, no sample counts as throttled, and `facts` gives the reason.
    """

    def __init__(self) -> None:
        self._read: list[int] = []
        try:
            import pynvml

            pynvml.nvmlInit()
            self._nvml: Any = pynvml
            self._handle = nvml_handle(pynvml)
            self._default = self._default_clock()
        except Exception as fault:  # NVML is optional: the facts give the reason
            self._nvml = None
            self._reason = str(fault)

    def _default_clock(self) -> int:
        try:
            return int(self._nvml.nvmlDeviceGetDefaultApplicationsClock(self._handle, self._nvml.NVML_CLOCK_SM))
        except self._nvml.NVMLError:
            return int(self._nvml.nvmlDeviceGetMaxClockInfo(self._handle, self._nvml.NVML_CLOCK_SM))

    def is_throttled(self) -> bool:
        """Read the clock; whether it is too low for a sample to count."""
        if self._nvml is None:
            return False
        clock = int(self._nvml.nvmlDeviceGetClockInfo(self._handle, self._nvml.NVML_CLOCK_SM))
        self._read.append(clock)
        return clock < THROTTLED_BELOW * self._default

    def facts(self) -> dict[str, Any]:
        """SM clocks in MHz over the samples, and the default clock they are compared with."""
        if self._nvml is None:
            return {"available": False, "reason": self._reason}
        if not self._read:
            return {"available": True, "default_mhz": self._default}
        return {
            "available": True,
            "default_mhz": self._default,
            "median_mhz": median(self._read),
            "min_mhz": min(self._read),
            "max_mhz": max(self._read),
        }
