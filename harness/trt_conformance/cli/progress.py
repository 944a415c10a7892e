"""One line that shows how far a command is: redrawn on a terminal, printed from time to time elsewhere."""

from __future__ import annotations

import os
import sys
import time
from types import TracebackType

from trt_conformance.core.words import one_line

REDRAWN_S, PRINTED_S = 0.2, 30.0


class ProgressLine:
    """The line, on stderr."""

    def __init__(self) -> None:
        self._is_live = sys.stderr.isatty() and os.environ.get("TERM") != "dumb" and not os.environ.get("CI")
        self._last, self._width = time.monotonic(), 0

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()

    def show(self, text: str) -> None:
        """Show a state, unless the last one was shown a moment ago."""
        now = time.monotonic()
        if now - self._last < (REDRAWN_S if self._is_live else PRINTED_S):
            return
        self._last = now
        if self._is_live:
            line = one_line(text, os.get_terminal_size(sys.stderr.fileno()).columns - 1)
            print(f"\r{line:<{self._width}}", end="", file=sys.stderr, flush=True)
            self._width = len(line)
        else:
            print(text, file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Take the line away, so that something else can be printed."""
        if self._width:
            print(f"\r{'':<{self._width}}\r", end="", file=sys.stderr, flush=True)
            self._width = 0
