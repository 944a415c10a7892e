"""Reports what the end of a run waits for, so that a slow or hanging target is not mistaken for a hang of pytest."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

ANNOUNCE_S = 2.0
EXIT_S = 10.0


def say(text: str) -> None:
    """Write a line to the process's own stderr, past pytest's capture."""
    with suppress(OSError, ValueError, AttributeError):
        print(f"trt-conformance: {text}", file=sys.__stderr__, flush=True)


@contextmanager
def announced(what: str, after_s: float = ANNOUNCE_S) -> Iterator[None]:
    """Report that ``what`` is waited for if the body takes longer than ``after_s`` seconds."""
    timer = threading.Timer(after_s, say, (f"waiting for {what}",))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def announce_exit(after_s: float = EXIT_S) -> None:
    """Report what keeps the process alive, if it still runs ``after_s`` seconds after its program has returned.

    A program that goes on after pytest has returned to it is not reported. The thread that watches is a daemon, so it
    does not keep the process alive itself.
    """
    program = _outermost_frame()

    def watch() -> None:
        while _outermost_frame() is program:
            time.sleep(after_s)
        time.sleep(after_s)
        say(unfinished(after_s))

    threading.Thread(target=watch, name="exit watch", daemon=True).start()


def unfinished(after_s: float) -> str:
    """The threads that keep this process alive, and the line that each of them is at."""
    frames = sys._current_frames()
    lines = [f"the process has not ended within {after_s:g} s. It waits for:"]
    for thread in threading.enumerate():
        frame = frames.get(thread.ident or 0)
        if thread.daemon or thread is threading.current_thread() or frame is None:
            continue
        place = traceback.extract_stack(frame)[-1]
        if thread is threading.main_thread() and place.filename == threading.__file__:
            continue  # it waits for the other threads
        lines.append(f"  thread {thread.name} in {place.name} ({place.filename}:{place.lineno})")
    return "\n".join(lines)


def _outermost_frame() -> FrameType | None:
    """The first frame of the main thread: another one once the program has returned and the interpreter shuts down."""
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    while frame is not None and frame.f_back is not None:
        frame = frame.f_back
    return frame
