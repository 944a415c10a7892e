"""Whether a process keeps memory that it has freed."""

from __future__ import annotations

import ctypes
from contextlib import suppress

# <malloc.h> of the GNU C library.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8


def keep_freed() -> None:
    """Let freed memory serve again rather than go back to the system; call it before builders' threads are started.

    TensorRT-RTX takes 64 MiB for a build and frees them after it: mapping and clearing those pages again takes
    half of the build's time. One arena, since only that one grows beyond 64 MiB. Does nothing without glibc.
    """
    with suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        for name, value in ((M_TRIM_THRESHOLD, 2**31 - 1), (M_MMAP_THRESHOLD, 2**30), (M_ARENA_MAX, 1)):
            mallopt(name, value)
