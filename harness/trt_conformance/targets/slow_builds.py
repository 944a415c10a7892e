"""Cases whose builds take many seconds, because TensorRT compiles GPU kernels for them."""

from __future__ import annotations

from trt_conformance.core.case import Case
from trt_conformance.core.cpus import usable_cpus
from trt_conformance.core.epilogue_fields import JOINS, POOLINGS, ROUNDING
from trt_conformance.core.memory import machine_memory
from trt_conformance.targets.options import Options

COMPILED = frozenset(ROUNDING) - {"scale", *POOLINGS} | {"clip"}
"""Operations after the layer that few of TensorRT's precompiled kernels include."""
AROUND = frozenset({"epilogue", "prologue"})
"""The fields of a case without which it is not slow to build."""
MOST_PROCESSES = 4
CPUS_EACH = 4
"""A process of several CPUs has enough left for the builders' threads and for what is compared meanwhile."""
MEMORY_EACH = 10 * 2**30
"""Twice what a process takes that has loaded TensorRT 8.6's kernels (4160 MiB) and builds."""
GPU_MEMORY_EACH = 4 * 2**30


def is_slow_to_build(case: Case) -> bool:
    """Whether TensorRT compiles kernels for the operations around a case's layer.

    TensorRT 8.6 compiles for one thread at a time: such builds take 10 s each, or 30 s each if four threads build them.
    """
    after = {step.op for step in case.epilogue}
    if after & COMPILED or any(step.op == "relu" for step in case.prologue):
        return True
    return case.quantize is not None and bool(after & set(JOINS)) and "quantize" in after


def slow_processes(options: Options, gpu_memory: int | None) -> int:
    """How many processes build the cases that are slow to build; 0 if a thread of the target's own process does.

    Processes hand over engines in the build cache, so there are none without it.

    Args:
        options: how the target builds.
        gpu_memory: bytes of the GPU that the target builds on; None if the target compiles no kernels for a build.
    """
    if options.builders < 2 or options.cache is None or options.elsewhere is None:
        return 0
    if options.slow_builders is not None:
        return options.slow_builders
    if gpu_memory is None:
        return 0
    room = (
        usable_cpus() // CPUS_EACH,
        machine_memory() // MEMORY_EACH,
        gpu_memory // GPU_MEMORY_EACH,
    )
    fitting = min(MOST_PROCESSES, *(available // options.sharers for available in room))
    return fitting if fitting > 1 else 0
