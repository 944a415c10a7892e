"""A clock that replays measured samples, so that pytest-benchmark reports device time as its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


class DeviceClock:
    """Stands still, except that each `advance` moves it by the next sample."""

    def __init__(self) -> None:
        self._now = 0.0
        self._samples: Iterator[float] = iter(())

    def now(self) -> float:
        """Seconds since the samples were set."""
        return self._now

    def play(self, samples: Iterable[float]) -> None:
        """Replay these samples, in seconds, from now on."""
        self._now, self._samples = 0.0, iter(samples)

    def advance(self) -> None:
        """Let the next sample's time pass; none where there are no more."""
        self._now += next(self._samples, 0.0)
