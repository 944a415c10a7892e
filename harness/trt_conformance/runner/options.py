"""The command-line options of the suite."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import suppress

import pytest

from trt_conformance.catalog.sweeps.model import TIERS
from trt_conformance.core.paths import RUNS
from trt_conformance.core.types import MODES
from trt_conformance.runner import pool
from trt_conformance.runner.progress import CHOICES
from trt_conformance.runner.session import MOST_BUILDERS
from trt_conformance.runner.shard import Shard
from trt_conformance.targets.isolation.proxy import TIME_LIMIT
from trt_conformance.targets.options import CACHE_LIMIT, TACTICS
from trt_conformance.targets.timing.measurement import TimingPlan


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    pluginmanager.register(pool, "conformance-pool")
    group = parser.getgroup("conformance", "TensorRT convolution conformance")
    group.addoption(
        "--target",
        action="append",
        default=[],
        metavar="NAME",
        help="implementation under test: tensorrt, tensorrt_rtx, onnxruntime, numpy, a full name, or "
        "path/to/file.py:Class; repeatable; by default every one that works on this machine",
    )
    group.addoption(
        "--case", action="append", default=[], metavar="GLOB", help="only cases whose id matches; repeatable"
    )
    group.addoption("--require-gpu", action="store_true", help="fail, rather than go on, where there is no GPU")
    group.addoption(
        "--no-isolation", action="store_true", help="run targets in pytest's own process, for debuggers and sanitizers"
    )
    group.addoption(
        "--time-limit",
        type=_within(0.1, 1e6),
        default=TIME_LIMIT,
        metavar="SECONDS",
        help="a build or run that takes longer counts as hung (default: %(default)g)",
    )
    group.addoption(
        "--tier",
        choices=TIERS,
        help="how many generated cases there are (default: smoke), and how large the padding truth table is (default: "
        "ci, and smoke on TensorRT 8, which infers slowly)",
    )
    group.addoption("--large", action="store_true", help="run the cases of very large tensors too")
    group.addoption("--latency", action="store_true", help="run the timed cases too, and time them")
    group.addoption(
        "--latency-mode",
        action="append",
        default=[],
        choices=MODES,
        help="what to time; repeatable; by default graph on a GPU, host on a CPU",
    )
    group.addoption("--cold-l2", action="store_true", help="empty the caches before each sample")
    group.addoption(
        "--latency-limit",
        type=float,
        default=TimingPlan.limit_s,
        metavar="SECONDS",
        help="sampling of one case ends after this, precise or not (default: %(default)g)",
    )
    group.addoption(
        "--tactics",
        choices=TACTICS,
        default="default",
        help="how long TensorRT looks for kernels: builder_optimization_level 1, its own, or 5",
    )
    group.addoption(
        "--builders",
        type=_count,
        metavar="N",
        help=f"engines built at once, ahead of the tests; 0 builds each when its test runs (default: one a CPU, "
        f"{MOST_BUILDERS} at most)",
    )
    group.addoption("--no-cache", action="store_true", help="neither use nor write built engines and tactics' timings")
    group.addoption(
        "--cache-dir",
        dest="engine_cache_dir",
        metavar="DIR",
        help="where built engines and tactics' timings are kept (default: trt-conformance in the user's cache folder)",
    )
    group.addoption(
        "--cache-limit",
        type=_within(0, 1e6),
        default=CACHE_LIMIT / 2**30,
        metavar="GIB",
        help="size of the built engines kept, least recently used removed first (default: %(default)g)",
    )
    group.addoption(
        "--shard",
        type=_shard,
        metavar="I/N",
        help="run the I-th of N parts, each with its own cases; `trt-conformance merge` puts their records together",
    )
    group.addoption("--record-root", default=str(RUNS), metavar="DIR", help="where the run's record is written")
    group.addoption("--no-record", action="store_true", help="write no run record")
    group.addoption(
        "--progress",
        choices=CHOICES,
        default="auto",
        help="while the suite runs, show in place of dots: one line in place on a terminal and nothing new elsewhere "
        "(auto, the default), now and then a plain line (plain), nothing new (off); -v and -s turn it off",
    )


def _shard(text: str) -> Shard:
    try:
        return Shard.parse(text)
    except ValueError as fault:
        raise argparse.ArgumentTypeError(str(fault)) from None


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no number of builders")
    return int(text)


def _within(low: float, high: float) -> Callable[[str], float]:
    """Reads a number of that range."""

    def number(text: str) -> float:
        with suppress(ValueError):
            if low <= float(text) <= high:
                return float(text)
        raise argparse.ArgumentTypeError(f"{text!r} is no number from {low:g} to {high:g}")

    return number
