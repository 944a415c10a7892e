"""Says what is waited for at the end of a run, so that nobody takes a slow or hanging target for a hang of pytest."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress

ANNOUNCE_S = 2.0
EXIT_S = 10.0


def say(text: str) -> None:
    """Write a line to the process's own stderr, past pytest's capture."""
    with suppress(OSError, ValueError, AttributeError):
        print(f"trt-conformance: {text}", file=sys.__stderr__, flush=True)


@contextmanager
def announced(what: str, after_s: float = ANNOUNCE_S) -> Iterator[None]:
    """Say that ``what`` is waited for if the body takes longer than ``after_s`` seconds."""
    timer = threading.Timer(after_s, say, (f"waiting for {what}",))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def announce_exit(after_s: float = EXIT_S) -> None:
    """Say what keeps the process from ending, if it still runs ``after_s`` seconds from now.

    The timer does not keep the process alive: its thread is a daemon.
    """
    timer = threading.Timer(after_s, lambda: say(unfinished(after_s)))
    timer.daemon = True
    timer.start()


def unfinished(after_s: float) -> str:
    """The threads that keep this process alive, each with the place where it is."""
    frames = sys._current_frames()
    lines = [f"the process has not ended within {after_s:g} s. It waits for:"]
    for thread in threading.enumerate():
        frame = frames.get(thread.ident or 0)
        if thread.daemon or thread is threading.current_thread() or frame is None:
            continue
        place = traceback.extract_stack(frame)[-1]
        lines.append(f"  thread {thread.name} in {place.name} ({place.filename}:{place.lineno})")
    return "\n".join(lines)
