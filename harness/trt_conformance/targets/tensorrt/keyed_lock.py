"""Prevents builds that must not run at the same time in a process."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterator
from contextlib import contextmanager


class KeyedLock:
    """Lets threads work at the same time only if they work for the same key; others wait.

    TensorRT-RTX 1.7.1 mixes up the compute capabilities of builds at the same time: one for 7.5 and one for 8.0 end
    in "Target SM 80 is not found in the accelerator list".
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._thing: Hashable = None
        self._workers = 0

    @contextmanager
    def on(self, thing: Hashable) -> Iterator[None]:
        """Work for a key, once no thread works for another key."""
        with self._changed:
            self._changed.wait_for(lambda: self._workers == 0 or self._thing == thing)
            self._thing = thing
            self._workers += 1
        try:
            yield
        finally:
            with self._changed:
                self._workers -= 1
                self._changed.notify_all()
