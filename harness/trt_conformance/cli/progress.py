"""One line that shows how far a command is: redrawn on a terminal, printed from time to time elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from trt_conformance.core.live import line_on, live_console
from trt_conformance.core.words import one_line

REDRAWN_S, PRINTED_S = 0.2, 30.0


class ProgressLine:
    """The line, on stderr."""

    def __init__(self) -> None:
        console = live_console(sys.stderr)
        self._live = None if console is None else line_on(console)
        self._last = time.monotonic()

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()

    def show(self, text: str) -> None:
        """Show a state, unless the last one was shown a moment ago."""
        now = time.monotonic()
        if now - self._last < (REDRAWN_S if self._live is not None else PRINTED_S):
            return
        self._last = now
        if self._live is None:
            print(text, file=sys.stderr, flush=True)
            return
        from rich.text import Text

        self._live.start()
        self._live.update(Text(one_line(text), no_wrap=True, overflow="ellipsis"), refresh=True)

    def clear(self) -> None:
        """Take the line away, so that something else can be printed."""
        if self._live is not None:
            self._live.stop()
