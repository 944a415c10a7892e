"""Where a line of progress can be redrawn in place."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live


def live_console(stream: TextIO | None) -> Console | None:
    """The console of a terminal; None where lines cannot be redrawn: of a file, a pipe, a dumb terminal, or in CI."""
    if stream is None or os.environ.get("CI") or not stream.isatty():
        return None
    from rich.console import Console  # only a terminal needs it

    console = Console(file=stream, highlight=False, emoji=False, markup=False)
    return None if console.is_dumb_terminal else console


def line_on(console: Console) -> Live:
    """A line that is drawn only when it is told to, and leaves nothing behind when it stops."""
    from rich.live import Live

    return Live(console=console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False)
