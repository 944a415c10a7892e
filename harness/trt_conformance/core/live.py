"""Whether a progress line can be redrawn in place."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live


def live_console(stream: TextIO | None) -> Console | None:
    """The console of a terminal; None if lines cannot be redrawn: of a file, a pipe, a dumb terminal, or in CI."""
    if stream is None or os.environ.get("CI") or not stream.isatty():
        return None
    from rich.console import Console  # only a terminal needs it

    console = Console(file=stream, highlight=False, emoji=False, markup=False)
    return None if console.is_dumb_terminal else console


def line_on(console: Console) -> Live:
    """A line that is drawn only on request, and removed when it stops."""
    from rich.live import Live

    return Live(console=console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False)
