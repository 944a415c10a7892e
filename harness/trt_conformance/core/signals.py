"""Ctrl-C waits where half a step would be worse than a late end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Let Ctrl-C act once the block is done. Python gives it to the main thread alone; in others nothing changes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked: list[FrameType | None] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: asked.append(frame))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if asked and callable(before):
        before(signal.SIGINT, asked[0])
