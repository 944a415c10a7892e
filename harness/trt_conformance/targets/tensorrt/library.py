"""Which TensorRT library the bindings have loaded: it may be of another version than they are."""

from __future__ import annotations

import ctypes
import re
from contextlib import suppress
from pathlib import Path

LIBRARY = {"tensorrt": "libnvinfer.so", "tensorrt_rtx": "libtensorrt_rtx.so"}
"""What the file is called on Linux, before the number of its interface."""


def loaded_version(flavor: str) -> str:
    """The version that the loaded library reports, "8.6.0"; "" if the system does not say which one is loaded.

    NvInferRuntime.h, getInferLibVersion.
    """
    file = re.compile(rf"/.*/{re.escape(LIBRARY[flavor])}\S*$", re.MULTILINE)
    with suppress(OSError, AttributeError):
        loaded = file.search(Path("/proc/self/maps").read_text())
        return decode(int(ctypes.CDLL(loaded[0]).getInferLibVersion())) if loaded else ""
    return ""


def decode(number: int) -> str:
    """NvInferVersion.h, NV_TENSORRT_VERSION: 1000 for each major version up to TensorRT 9, then 10,000."""
    major, rest = divmod(number, 10_000 if number >= 10_000 else 1000)
    return ".".join(map(str, (major, *divmod(rest, 100))))
