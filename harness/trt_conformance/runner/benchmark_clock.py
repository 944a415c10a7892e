"""What pytest-benchmark gets of a run: a clock that replays measured samples, and a folder only if one is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from trt_conformance.core.verdict import Verdict
from trt_conformance.core.words import cache_word

_STORING = ("benchmark_save", "benchmark_autosave", "benchmark_compare")
"""The options of pytest-benchmark that use its folder."""


def make_no_empty_folder(config: pytest.Config) -> None:
    """Keep pytest-benchmark from making its folder `.benchmarks`, which it does at the start of every run.

    A run that neither stores figures nor compares them with stored ones gets a folder that exists.
    """
    if not any(config.getoption(name, None) for name in _STORING):
        config.option.benchmark_storage = f"file://{config.invocation_params.dir}"


class DeviceClock:
    """A clock that only moves when `advance` is called, by the next sample."""

    def __init__(self) -> None:
        self._now = 0.0
        self._samples: Iterator[float] = iter(())

    def now(self) -> float:
        """Seconds since the replay began."""
        return self._now

    def advance(self) -> None:
        """Move on by the next sample; not at all after the last one."""
        self._now += next(self._samples, 0.0)

    def replay(self, found: Verdict, benchmark: Any) -> None:
        """Pass a measured latency to pytest-benchmark, whose timer is `now`. Its figures become extra info."""
        figures = dict(found.figures)
        samples = figures.pop("samples")
        self._now, self._samples = 0.0, iter(samples)
        benchmark.group = f"{figures['mode']}, {cache_word(figures)} cache"
        benchmark.params = {"case": found.case, "target": found.target}
        benchmark.extra_info.update(benchmark.params | figures)
        benchmark.pedantic(self.advance, rounds=len(samples), iterations=1)
