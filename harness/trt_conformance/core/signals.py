"""Defers Ctrl-C and SIGTERM during steps that must not be interrupted."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Defer SIGINT and SIGTERM to the end of the block.

    Python handles signals only in the main thread: in other threads nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with _deferred(signal.SIGTERM), _deferred(signal.SIGINT):
        yield


@contextmanager
def _deferred(number: signal.Signals) -> Iterator[None]:
    before = signal.getsignal(number)
    if before is None or before is signal.SIG_IGN:  # None: a handler that Python did not install and cannot restore
        yield
        return
    received: list[FrameType | None] = []
    try:
        signal.signal(number, lambda _, frame: received.append(frame))
        yield
    finally:
        signal.signal(number, before)
    if received:
        if callable(before):
            before(number, received[0])
        else:
            signal.raise_signal(number)
