"""Files that are written completely or not at all, and hashes of their contents."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import stat
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from trt_conformance.core.errors import ConformanceError, WriteError

_TEMPORARY = re.compile(r"\..+\.\d+-\d+\.tmp")
_ABANDONED_S = 3600.0
"""Seconds after which a temporary file belongs to a writer that was killed."""


@contextmanager
def replacing(path: Path, parents: bool = False) -> Iterator[Path]:
    """Yield a temporary path beside ``path``, and rename it to ``path`` when the block ends without an error.

    Temporary files that killed writers left for ``path`` are removed. ``parents`` creates missing parent folders.

    Raises:
        WriteError: an OSError in the block or in the renaming; ``path`` is as it was before.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        if parents:
            path.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(path)
        yield temporary
        os.replace(temporary, path)
    except ConformanceError:
        raise
    except OSError as fault:
        reason = fault.strerror or str(fault)
        raise WriteError(f"{path}: cannot be written: {reason}", reason) from fault
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """Yield a new folder beside ``folder``, which takes its name and its place when the block ends without an error.

    Raises:
        WriteError: an OSError in the block or in the renaming; ``folder`` is as it was before.
    """
    partial, former = (folder.with_name(f".{folder.name}.{os.getpid()}.{kind}") for kind in ("tmp", "old"))
    try:
        partial.mkdir(parents=True)
        yield partial
        if folder.exists():
            os.replace(folder, former)
        try:
            os.replace(partial, folder)
        except OSError:
            with suppress(OSError):
                os.replace(former, folder)
            raise
    except OSError as fault:
        reason = fault.strerror or str(fault)
        raise WriteError(f"{folder}: cannot be written: {reason}", reason) from fault
    finally:
        for path in (partial, former):
            shutil.rmtree(path, ignore_errors=True)


def read_regular_file(path: Path, limit: int) -> bytes:
    """Read a regular file of at most ``limit`` bytes. FIFOs and devices are refused at once, without reading them.

    Raises:
        OSError: the file cannot be opened or read, is not a regular file, or is larger than ``limit``.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        if status.st_size > limit:
            raise OSError(errno.EFBIG, f"it has {status.st_size:,} bytes; the limit is {limit:,}")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(limit)
    finally:
        os.close(descriptor)


def encodable(name: str) -> str:
    """The name, with numbers for characters that the file system's encoding lacks: ``gr_xf6_xdfe`` in ASCII."""
    encoding = sys.getfilesystemencoding()
    if name.encode(encoding, "replace").decode(encoding) == name:
        return name
    return name.encode(encoding, "backslashreplace").decode(encoding).replace("\\", "_")


def is_temporary(path: Path) -> bool:
    """Whether the file is one that `replacing` writes; a killed writer may leave it behind."""
    return _TEMPORARY.fullmatch(path.name) is not None


def _remove_abandoned(path: Path) -> None:
    for other in path.parent.iterdir():
        if other.name.startswith(f".{path.name}.") and is_temporary(other):
            with suppress(OSError):
                if time.time() - other.stat().st_mtime > _ABANDONED_S:
                    other.unlink()


def content_hash(paths: Iterable[Path], *parts: object) -> str:
    """Return a SHA-256, in hexadecimal, over the names and contents of files and over other values."""
    found = hashlib.sha256(repr(parts).encode())
    for path in paths:
        content = path.read_bytes()
        found.update(f"\0{path.name}\0{len(content)}\0".encode() + content)
    return found.hexdigest()
