"""Which GPU each of several processes uses."""

from __future__ import annotations

from functools import cache

from trt_conformance.targets.device import cuda

VISIBLE = "CUDA_VISIBLE_DEVICES"


def device_of(worker: int, gpus: int, visible: str | None) -> str:
    """A worker's CUDA_VISIBLE_DEVICES: the visible GPUs are assigned round robin."""
    names = [part.strip() for part in visible.split(",")] if visible else [str(i) for i in range(gpus)]
    return names[worker % gpus]


@cache
def gpus_of_one_kind() -> int:
    """The number of GPUs before the first of another kind. Test ids name the GPU and must be equal in all workers."""
    found = cuda.gpus()[0]
    kinds = [(gpu.name, gpu.sm) for gpu in found]
    return next((n for n, kind in enumerate(kinds) if kind != kinds[0]), len(kinds))
