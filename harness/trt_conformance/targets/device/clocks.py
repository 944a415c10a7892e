"""The GPU's clocks while it is timed, read by NVML."""

from __future__ import annotations

from statistics import median
from typing import Any

THROTTLED_BELOW = 0.75
"""A sample taken below this fraction of the default SM clock is discarded, as nvbench does."""


class Clocks:
    """Reads the SM clock after each sample. Where NVML is missing nothing counts as throttled, and it says so."""

    def __init__(self, index: int = 0) -> None:
        self._read: list[int] = []
        try:
            import pynvml

            pynvml.nvmlInit()
            self._nvml: Any = pynvml
            self._handle = pynvml.nvmlDeviceGetHandleByIndex(index)
            self._default = self._default_clock()
        except Exception as fault:  # a convenience: its absence is stated in the facts
            self._nvml = None
            self._reason = str(fault)

    def _default_clock(self) -> int:
        try:
            return int(self._nvml.nvmlDeviceGetDefaultApplicationsClock(self._handle, self._nvml.NVML_CLOCK_SM))
        except self._nvml.NVMLError:
            return int(self._nvml.nvmlDeviceGetMaxClockInfo(self._handle, self._nvml.NVML_CLOCK_SM))

    def is_throttled(self) -> bool:
        """Read the clock, and say whether it is too low for a sample to count."""
        if self._nvml is None:
            return False
        clock = int(self._nvml.nvmlDeviceGetClockInfo(self._handle, self._nvml.NVML_CLOCK_SM))
        self._read.append(clock)
        return clock < THROTTLED_BELOW * self._default

    def facts(self) -> dict[str, Any]:
        """SM clocks in MHz over the samples, and the default they are held against."""
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
