"""Replaces standard streams that are closed, as by ``pytest >&-``: pytest and its plugins write to them."""

from __future__ import annotations

import os
import sys

STREAMS = ("stdin", "stdout", "stderr")


def replace_closed() -> None:
    """Open the null device in place of each standard stream that is closed.

    The descriptor is opened too, since the next file would otherwise get its number, and what a child process prints
    would be written into that file.
    """
    for number, name in enumerate(STREAMS):
        if _is_closed(number):
            _open_null_as(number)
        stream = getattr(sys, name)
        if stream is None or stream.closed:
            null = open(os.devnull, "r" if name == "stdin" else "w", encoding="utf-8")  # noqa: SIM115 - for the process
            setattr(sys, name, null)


def _is_closed(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return True
    return False


def _open_null_as(descriptor: int) -> None:
    opened = os.open(os.devnull, os.O_RDWR)
    if opened != descriptor:
        os.dup2(opened, descriptor)
        os.close(opened)
