"""pytest-xdist's workers: how many there are by default, how tests are distributed, and which GPU each worker has."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import pytest

from trt_conformance.targets.device import cuda

VISIBLE = "CUDA_VISIBLE_DEVICES"
ASKED = "PYTEST_XDIST_AUTO_NUM_WORKERS"
CACHE = "engine_cache"


def size_of(config: pytest.Config) -> int:
    """How many processes share the run's tests."""
    given = getattr(config, "workerinput", None)
    if given is not None:
        return int(given["workercount"])
    asked = config.getoption("numprocesses", None)
    return asked if isinstance(asked, int) and asked > 0 else 1


def is_controller(config: pytest.Config) -> bool:
    """Whether other processes run the tests of this one."""
    return bool(config.getoption("numprocesses", None)) and not hasattr(config, "workerinput")


def device_of(worker: int, gpus: int, visible: str | None) -> str:
    """A worker's CUDA_VISIBLE_DEVICES: the visible GPUs are assigned round robin."""
    names = [part.strip() for part in visible.split(",")] if visible else [str(i) for i in range(gpus)]
    return names[worker % gpus]


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Give each worker consecutive tests, so that a case's checks share its engine and the next case is known."""
    option = config.option
    if getattr(option, "numprocesses", None) and option.dist == "no" and not option.distload:
        option.dist = "worksteal"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int | None:
    """``-n auto``: one worker per GPU; without a GPU, pytest-xdist decides.

    More workers share a GPU without gain: on two H200s, four workers took 14 % longer than two, and twice the memory.
    """
    return None if os.environ.get(ASKED) else _gpus_of_one_kind() or None


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker its GPU, before it initializes CUDA."""
    if _gpus_of_one_kind() > 1:
        worker = int(node.gateway.id.removeprefix("gw"))
        node.workerinput[VISIBLE] = device_of(worker, _gpus_of_one_kind(), os.environ.get(VISIBLE))


@cache
def _gpus_of_one_kind() -> int:
    """The number of GPUs before the first of another kind: each worker must give its tests the same names."""
    found = cuda.gpus()[0]
    kinds = [(gpu.name, gpu.sm) for gpu in found]
    return next((n for n, kind in enumerate(kinds) if kind != kinds[0]), len(kinds))


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """In a worker: hide all other GPUs."""
    device = getattr(config, "workerinput", {}).get(VISIBLE)
    if device is not None:
        os.environ[VISIBLE] = device
