"""Which GPU each of several processes uses, and how many processes a GPU serves at the same time."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from trt_conformance.targets.device import cuda

VISIBLE = "CUDA_VISIBLE_DEVICES"
MPS_FOLDER = "CUDA_MPS_PIPE_DIRECTORY"

MOST_PER_GPU = 4
CPUS_OF_WORKER = 4
"""A worker's four threads that build kept 2.5 CPUs busy on TensorRT 8.6, and comparing takes one."""
BYTES_OF_WORKER = 4 * 2**30
"""A worker took 3.3 GiB of memory on TensorRT 8.6, without pages of files."""


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


def has_mps() -> bool:
    """Whether a daemon of CUDA's Multi-Process Service serves this process (its documentation, "Control utilities")."""
    return (Path(os.environ.get(MPS_FOLDER) or "/tmp/nvidia-mps") / "control").exists()  # noqa: S108 - CUDA's default


def workers_per_gpu(gpus: int, cpus: int, memory: int, mps: bool) -> int:
    """How many workers each of the machine's GPUs serves best.

    Without MPS, one: the GPU then runs the kernels of one process at a time, and changes between processes slowly.

    Args:
        cpus: those that this process may use.
        memory: bytes of the machine's memory.
        mps: whether kernels of several processes run at the same time.
    """
    if not mps:
        return 1
    return max(1, min(MOST_PER_GPU, cpus // gpus // CPUS_OF_WORKER, memory // gpus // BYTES_OF_WORKER))
