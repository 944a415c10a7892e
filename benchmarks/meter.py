"""A pytest plugin that shows where a run's time goes: ``pytest -p benchmarks.meter --meter FILE …``.

What happens in the target's process (TensorRT, CUDA, and copying to and from it) is listed by call; the rest of
the loop is the harness and pytest. Each worker of pytest-xdist writes a file of its own.
"""

from __future__ import annotations

import json
import os
import resource
import time
from collections import defaultdict
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from trt_conformance.targets.isolation.worker import HELLO, Worker

CALLS: defaultdict[str, float] = defaultdict(float)
COUNTS: defaultdict[str, int] = defaultdict(int)
# Calls in which the target does nothing but answer: their time is the harness's and the pipe's.
OURS = ("supports", "expect", "hello")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--meter", metavar="FILE", required=True)


def pytest_configure() -> None:
    post, collect = Worker.post, Worker.collect
    ready: set[int] = set()

    def posted(self: Any, message: tuple[Any, ...], *limits: Any) -> None:
        started = time.perf_counter()
        post(self, message, *limits)
        CALLS[name_of(message)] += time.perf_counter() - started

    def collected(self: Any, message: tuple[Any, ...], *limits: Any) -> Any:
        name = name_of(message)
        if message != HELLO and id(self) not in ready:  # it waits for what the target loads before it answers
            ready.add(id(self))
            name = "start"
        started = time.perf_counter()
        try:
            return collect(self, message, *limits)
        finally:
            CALLS[name] += time.perf_counter() - started
            COUNTS[name] += 1

    Worker.post, Worker.collect = posted, collected  # type: ignore[method-assign]


def name_of(message: tuple[Any, ...]) -> str:
    """The method that a message calls."""
    return str(message[{"target": 1, "engine": 2}.get(message[0], 0)])


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, Any, Any]:
    CALLS.clear()
    COUNTS.clear()
    started, cpu = time.perf_counter(), time.process_time()
    result = yield
    loop, used = time.perf_counter() - started, time.process_time() - cpu
    elsewhere = sum(seconds for call, seconds in CALLS.items() if call not in OURS)
    found = {
        "tests": len(session.items),
        "loop_s": loop,
        "harness_s": loop - elsewhere,
        "harness_cpu_s": used,
        "calls_s": dict(CALLS),
        "calls": dict(COUNTS),
        "peak_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    if worker or not session.config.getoption("numprocesses", None):
        path = Path(session.config.getoption("meter"))
        path.with_suffix(f"{'.' + worker if worker else ''}.json").write_text(json.dumps(found), encoding="utf-8")
    return result
