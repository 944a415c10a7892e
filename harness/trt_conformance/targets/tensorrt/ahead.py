"""Threads that work ahead of requests."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

IDLE = "idle"
"""What a thread without work is called in the system's lists of threads; else it has the name of its work."""
R = TypeVar("R")


class Ahead:
    """Work that several threads share, and whose results are taken by name."""

    def __init__(self, name: str, size: int, begin: Callable[[], None]) -> None:
        """Start no thread yet.

        Args:
            name: of the threads while they work.
            size: the number of threads; with 0, nothing is done ahead.
            begin: called in each new thread.
        """
        self._name = name
        self._waiting: dict[Hashable, Future[object]] = {}
        self._pool = ThreadPoolExecutor(size, name, begin) if size else None

    def __bool__(self) -> bool:
        """Whether there are threads."""
        return self._pool is not None

    def unknown(self, names: Iterable[Hashable]) -> list[Hashable]:
        """Those that nothing is done for yet."""
        return [name for name in names if name not in self._waiting]

    def expect(self, wanted: Mapping[Hashable, Callable[[], object]]) -> None:
        """Do this, in this order, and drop what was expected before and is not among it."""
        if self._pool is None:
            return
        for name in self._waiting.keys() - wanted.keys():
            self._waiting.pop(name).cancel()
        for name, work in wanted.items():
            if name not in self._waiting:
                self._waiting[name] = self._pool.submit(self._done, work)

    def take(self, name: Hashable, otherwise: Callable[[], R]) -> R:
        """What a thread has done, once it has, or else what ``otherwise`` does here. Raises what either raises."""
        ahead = self._waiting.pop(name, None)
        if ahead is None or ahead.cancel():
            return otherwise()
        return ahead.result()  # type: ignore[return-value]

    def _done(self, work: Callable[[], object]) -> object:
        _call_thread(self._name)
        try:
            return work()
        finally:
            _call_thread(IDLE)

    def close(self) -> None:
        """Drop what has not begun, and wait for the threads."""
        for future in self._waiting.values():
            future.cancel()
        self._waiting.clear()
        if self._pool is not None:
            self._pool.shutdown()


def _call_thread(name: str) -> None:
    """Name the calling thread in the system's lists of threads, where Linux has them."""
    with suppress(OSError):
        Path(f"/proc/self/task/{threading.get_native_id()}/comm").write_text(name)
