"""Delay SIGINT (Ctrl-C) during a step that must not be cut in half."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Delay SIGINT until the block has ended.

    Python handles signals in the main thread only, so in other threads this does nothing. It does nothing either where
    the handler was not installed from Python: Python could not restore it.
    """
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) is None:
        yield
        return
    received: list[FrameType | None] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: received.append(frame))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if not received:
        return
    if callable(before):
        before(signal.SIGINT, received[0])
    elif before is signal.SIG_DFL:
        signal.raise_signal(signal.SIGINT)
