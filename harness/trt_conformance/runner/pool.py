"""The workers of pytest-xdist: their default number, the distribution of tests, and the GPU of each worker."""

from __future__ import annotations

import os
from typing import Any

import pytest

from trt_conformance.targets.device.sharing import VISIBLE, device_of, gpus_of_one_kind

ASKED = "PYTEST_XDIST_AUTO_NUM_WORKERS"
EMPTY = "conformance_empty_shard"
"""The key under which a worker says whether its shard has no test."""
CACHE = "engine_cache"


def size_of(config: pytest.Config) -> int:
    """The number of processes that run tests."""
    given = getattr(config, "workerinput", None)
    if given is not None:
        return int(given["workercount"])
    asked = config.getoption("numprocesses", None)
    return asked if isinstance(asked, int) and asked > 0 else 1


def is_controller(config: pytest.Config) -> bool:
    """Whether this process distributes the tests to others."""
    return bool(config.getoption("numprocesses", None)) and not hasattr(config, "workerinput")


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Give each worker consecutive tests, so that the checks of a case share its engine and look-ahead works."""
    option = config.option
    if getattr(option, "numprocesses", None) and option.dist == "no" and not option.distload:
        option.dist = "worksteal"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Distribute the tests in two phases, unless the user chose another distribution (``--dist``)."""
    from trt_conformance.runner.scheduling import TwoPhases

    return TwoPhases(config, log) if config.getvalue("dist") == "worksteal" else None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int | None:
    """The number of workers for ``-n auto``: one per GPU; without a GPU, pytest-xdist decides.

    More workers per GPU gain nothing, with MPS or without: docs/running.md has the figures.
    """
    return None if os.environ.get(ASKED) else gpus_of_one_kind() or None


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Assign a GPU to a worker before it initializes CUDA."""
    if gpus_of_one_kind() > 1:
        worker = int(node.gateway.id.removeprefix("gw"))
        node.workerinput[VISIBLE] = device_of(worker, gpus_of_one_kind(), os.environ.get(VISIBLE))


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """In a worker: hide all other GPUs."""
    device = getattr(config, "workerinput", {}).get(VISIBLE)
    if device is not None:
        os.environ[VISIBLE] = device
