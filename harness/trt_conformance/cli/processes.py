"""Opens a target in several processes, each of which a GPU of this machine serves."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trt_conformance.targets.options import Options
    from trt_conformance.targets.protocols import Target


def opener(target: str, options: Options) -> Callable[[], Target]:
    """What opens the target, once in each thread. Each GPU gets its processes in turn."""
    from trt_conformance.targets.device.sharing import VISIBLE, device_of, gpus_of_one_kind
    from trt_conformance.targets.isolation.proxy import open_target

    gpus, turns = gpus_of_one_kind(), count()

    def opened() -> Target:
        number = next(turns)
        gpu = device_of(number, gpus, os.environ.get(VISIBLE)) if gpus > 1 else None
        return open_target(target, options=replace(options, gpu=gpu))

    return opened


def shared_out(jobs: int, gpus: int, most: int) -> tuple[int, int]:
    """The number of processes for so many builds at the same time, and of the threads of each that build.

    As few processes as GPUs, unless that would be more than ``most`` threads in one. Without threads, the process
    builds only what is asked for.
    """
    processes = min(jobs, max(1, gpus, -(-jobs // most)))
    return processes, 0 if jobs == processes else -(-jobs // processes)
