"""How much memory the machine has, and sizes as people write them."""

from __future__ import annotations

import ctypes
import os
import re
import sys
from pathlib import Path

SHARE = 4
"""The default limit is the machine's memory divided by this."""
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)\s*([kmgt]i?)?b?", re.IGNORECASE)
_CGROUPS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
_UNKNOWN = 8 * 2**30


def parse_size(text: str) -> int:
    """Return the bytes of a size: ``8GiB``, ``500 MB``, ``1.5g``, ``4096``.

    Raises:
        ValueError: it is not a size.
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is not a size: expected a number with a unit, such as 8GiB or 500MB")
    return round(float(found[1]) * _UNITS[(found[2] or "").lower()])


def size_text(size: float) -> str:
    """Format bytes for people: ``1.5 GiB``, ``12 MiB``."""
    for unit, factor in (("GiB", 2**30), ("MiB", 2**20)):
        if size >= factor:
            return f"{size / factor:.3g} {unit}"
    return f"{size:.0f} bytes"


def machine_memory() -> int:
    """Return the bytes of the machine's memory, or of what its container may use; 8 GiB where neither is known."""
    found = [_physical(), *(size for size in map(_limit_of, _CGROUPS) if size)]
    return min(found)


def default_limit() -> int:
    """Return the bytes that the tensors of one case may take by default: a quarter of the machine's memory."""
    return machine_memory() // SHARE


def _physical() -> int:
    if sys.platform == "win32":
        return _physical_of_windows()
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return _UNKNOWN


def _physical_of_windows() -> int:
    class Status(ctypes.Structure):
        """MEMORYSTATUSEX of the Windows API."""

        _fields_ = (
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            *((name, ctypes.c_ulonglong) for name in ("total", "free", "c", "d", "e", "f", "g")),
        )

    status = Status(length=ctypes.sizeof(Status))
    known = getattr(ctypes, "windll").kernel32.GlobalMemoryStatusEx(ctypes.byref(status))  # noqa: B009 - not on Linux
    return int(status.total) if known else _UNKNOWN


def _limit_of(path: Path) -> int | None:
    """The limit that a control group states; None if there is none."""
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):  # "max" is no limit
        return None
