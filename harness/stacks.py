"""Where another process stood when it crashed or hung: Python's stacks, which `faulthandler` writes to a file.

The handler runs in C and needs no lock of Python's, so it also tells of a process that waits for that lock for ever.
"""

from __future__ import annotations

import faulthandler
import os
import re
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

MOST_FRAMES = 4
MOST_THREADS = 6
DUMP_S = 2.0
_POLL_S = 0.02
_FRAME = re.compile(r'  File "(?P<file>.*)", line (?P<line>\d+) in (?P<function>.*)')
# Threads that wait for something to do say nothing.
_IDLE = re.compile(r"in (wait|_recv|_worker|get) ")


class Stacks:
    """A file for one process's stacks. The process itself calls `watch` on its path."""

    def __init__(self) -> None:
        handle, name = tempfile.mkstemp(prefix="trt-conformance-", suffix=".stacks")
        os.close(handle)
        self.path = Path(name)

    def ask(self, pid: int | None) -> None:
        """Let a living process write its stacks, and wait until it has; Windows has no way to ask."""
        if pid is None or not hasattr(signal, "SIGUSR1"):
            return
        with suppress(OSError):
            os.kill(pid, signal.SIGUSR1)
        end, size = time.monotonic() + DUMP_S, -1
        while time.monotonic() < end and (size <= 0 or size != self.path.stat().st_size):
            size = self.path.stat().st_size
            time.sleep(_POLL_S)

    def lines(self) -> list[str]:
        """The innermost frames of each thread that was at work, a line a thread; nothing if none is known."""
        with suppress(OSError):
            return shown(self.path.read_text(encoding="utf-8", errors="replace"))
        return []

    def close(self) -> None:
        self.path.unlink(missing_ok=True)


def watch(path: Path) -> None:
    """Write this process's stacks there when it crashes, and whenever another process asks."""
    file = path.open("w", encoding="utf-8")  # open as long as the process lives
    faulthandler.enable(file, all_threads=True)
    if hasattr(signal, "SIGUSR1"):
        faulthandler.register(signal.SIGUSR1, file, all_threads=True)


def shown(dump: str) -> list[str]:
    """The frames of a dump of `faulthandler`, a line a thread, innermost frame first."""
    threads = [" < ".join(frames) for frames in _threads(dump) if not _IDLE.search(f"in {frames[0]} ")]
    return [f"at {thread}" for thread in threads[:MOST_THREADS]]


def _threads(dump: str) -> Iterator[list[str]]:
    frames: list[str] = []
    for line in [*dump.splitlines(), ""]:
        found = _FRAME.match(line)
        if found is not None:
            if len(frames) < MOST_FRAMES:
                frames.append(f"{found['function']} ({Path(found['file']).name}:{found['line']})")
        elif frames:
            yield frames
            frames = []
