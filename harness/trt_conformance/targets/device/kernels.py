"""Kernel records by CUPTI: what ran on the device, and for how long."""

from __future__ import annotations

import re
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Literal, NamedTuple

BUFFER_BYTES = 8 * 2**20

KernelClass = Literal["convolution", "reformat", "other"]

# TensorRT's names: genericReformat::copyPackedKernel, nchwToNhwcKernel, permutationKernel..., and for
# quantizing the same copies with a scale.
_REFORMAT = re.compile(
    r"reformat|copypacked|copyvector|nchwto|nhwcto|permut|transpos|convertlayout|quantiz|copykernel", re.IGNORECASE
)
_CONVOLUTION = re.compile(r"conv|fprop|gemm|gemv|xmma|winograd|correlat|fft|implicit|cudnn|cutlass|myl", re.IGNORECASE)


def classify(name: str) -> KernelClass:
    """What a kernel does, by its name."""
    if _REFORMAT.search(name):
        return "reformat"
    return "convolution" if _CONVOLUTION.search(name) else "other"


class Kernel(NamedTuple):
    """One kernel that ran: when it started and for how long, both in seconds."""

    start: float
    name: str
    seconds: float


class KernelTrace:
    """Records kernels while it is open. CUPTI serves one client a process, so only one is open at a time."""

    def __init__(self) -> None:
        self._cupti: Any = import_module("cupti.cupti")
        self._records: list[Kernel] = []

    @staticmethod
    def is_available() -> bool:
        return find_spec("cupti") is not None

    def __enter__(self) -> KernelTrace:
        self._cupti.activity_register_callbacks(lambda: (BUFFER_BYTES, 0), self._completed)
        self._cupti.activity_enable(self._cupti.ActivityKind.CONCURRENT_KERNEL)
        return self

    def __exit__(self, *_: object) -> None:
        self._cupti.activity_flush_all(1)
        self._cupti.activity_disable(self._cupti.ActivityKind.CONCURRENT_KERNEL)

    def take(self) -> list[Kernel]:
        """The kernels since the last call, in the order they started."""
        self._cupti.activity_flush_all(1)
        taken, self._records = sorted(self._records), []
        return taken

    def _completed(self, activities: list[Any]) -> None:
        for activity in activities:
            if activity.kind == self._cupti.ActivityKind.CONCURRENT_KERNEL:
                seconds = (activity.end - activity.start) * 1e-9
                self._records.append(Kernel(activity.start * 1e-9, activity.name, seconds))


def idle(kernels: list[Kernel]) -> float:
    """The mean seconds in which nothing ran between two kernels that follow each other; 0 for one kernel alone."""
    if len(kernels) < 2:
        return 0.0
    span = kernels[-1].start + kernels[-1].seconds - kernels[0].start
    return (span - sum(kernel.seconds for kernel in kernels)) / (len(kernels) - 1)
