"""A clock that replays measured samples, so that pytest-benchmark reports device time as its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from trt_conformance.core.verdict import Verdict


class DeviceClock:
    """Stands still, except that each `advance` moves it by the next sample."""

    def __init__(self) -> None:
        self._now = 0.0
        self._samples: Iterator[float] = iter(())

    def now(self) -> float:
        """Seconds since the replay began."""
        return self._now

    def advance(self) -> None:
        """Let the next sample's time pass; none where there are no more."""
        self._now += next(self._samples, 0.0)

    def replay(self, found: Verdict, benchmark: Any) -> None:
        """Give a latency to pytest-benchmark, whose timer is `now`: its samples, and its figures as extra info."""
        figures = dict(found.figures)
        samples = figures.pop("samples")
        self._now, self._samples = 0.0, iter(samples)
        benchmark.group = f"{figures['mode']}, {'cold' if figures['cold_l2'] else 'warm'} cache"
        benchmark.params = {"case": found.case, "target": found.target}
        benchmark.extra_info.update(benchmark.params | figures)
        benchmark.pedantic(self.advance, rounds=len(samples), iterations=1)
