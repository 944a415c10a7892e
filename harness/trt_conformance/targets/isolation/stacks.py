"""Where another process was when it crashed or hung: Python's stacks, which `faulthandler` writes into a pipe.

The handler runs in C and needs no lock of Python's, so it also reports a process that waits for that lock for ever.
"""

from __future__ import annotations

import faulthandler
import os
import re
import signal
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnContext
from pathlib import Path

MOST_FRAMES = 4
MOST_THREADS = 6
DUMP_S = 2.0
QUIET_S = 0.2
# Windows has no such signal, and faulthandler cannot write to its pipes.
_CAN_TELL = hasattr(faulthandler, "register")
_FRAME = re.compile(r'  File "(?P<file>.*)", line (?P<line>\d+) in (?P<function>.*)')
# Threads that wait for something to do say nothing.
_IDLE = re.compile(r"in (wait|_recv|_worker|get) ")


class Stacks:
    """A pipe for one process's stacks. The process itself calls `watch` on ``theirs``."""

    def __init__(self, context: SpawnContext) -> None:
        self._ours, self.theirs = context.Pipe(duplex=False)

    def ask(self, pid: int | None) -> list[str]:
        """The innermost frames of each thread that is at work in a living process, a line a thread."""
        if _CAN_TELL and pid is not None:
            with suppress(OSError):
                os.kill(pid, signal.SIGUSR1)
        return self.lines(DUMP_S)

    def lines(self, patience: float = QUIET_S) -> list[str]:
        """The same of a process that has crashed; nothing if it said nothing within so many seconds."""
        said = b""
        while _CAN_TELL and wait([self._ours], patience):
            part = os.read(self._ours.fileno(), 2**16)
            if not part:
                break
            said, patience = said + part, QUIET_S
        return shown(said.decode(errors="replace"))

    def close(self) -> None:
        self._ours.close()


def watch(pipe: Connection) -> None:
    """Write this process's stacks there when it crashes, and whenever another process asks. The pipe stays open."""
    if _CAN_TELL:
        faulthandler.enable(pipe.fileno(), all_threads=True)
        faulthandler.register(signal.SIGUSR1, pipe.fileno(), all_threads=True)


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
