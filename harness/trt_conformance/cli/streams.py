"""The standard streams of a command and the signals that end it, however it was started."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO


def open_closed_streams() -> None:
    """Give a command that was started with stdout or stderr closed the null device instead.

    Otherwise the first file that the command opens takes the free descriptor, and what is printed goes into that file.
    """
    for number in (1, 2):
        try:
            os.fstat(number)
        except OSError:
            null = os.open(os.devnull, os.O_WRONLY)
            if null != number:
                os.dup2(null, number)
                os.close(null)
            os.set_inheritable(number, True)
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)


def discard_stdout() -> None:
    """Drop what stdout's buffer still has, so that Python does not fail to write it again when it exits."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)


@contextmanager
def sigterm_as_ctrl_c() -> Iterator[None]:
    """Let SIGTERM end the command cleanly, as Ctrl-C does."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def captured_stderr() -> Iterator[BinaryIO]:
    """Keep what libraries, and processes started in the block, write on stderr: yields the file that it goes into.

    What Python's ``sys.stderr`` is given is still shown, so that a progress line stays one line. Where an exception
    ends the block, the captured text is shown. Nothing is captured if ``sys.stderr`` is not the process's own stderr.
    """
    with tempfile.TemporaryFile() as captured:
        if not _is_own_stderr():
            yield captured
            return
        before, shown = sys.stderr, os.dup(2)
        with os.fdopen(shown, "w", encoding=before.encoding, errors="backslashreplace") as own:
            os.dup2(captured.fileno(), 2)
            sys.stderr = own
            try:
                yield captured
            except BaseException:
                captured.seek(0)
                own.write(captured.read().decode("utf-8", "backslashreplace"))
                raise
            finally:
                own.flush()
                sys.stderr = before
                os.dup2(shown, 2)


def _is_own_stderr() -> bool:
    try:
        return sys.stderr.fileno() == 2
    except (OSError, ValueError):
        return False
