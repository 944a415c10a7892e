"""One writer of a store at a time, and clear errors if the disk refuses to write."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.files import is_temporary
from trt_conformance.core.paths import relative

NAME = ".lock"

_READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)

Notify = Callable[[str], None]


def ignore(message: str) -> None:
    """Discard a message, for callers that show no messages."""


class ReadOnlyStore(ConformanceError):
    """The store cannot be locked, because its folder cannot be written."""


@contextmanager
def locked(root: Path, notify: Notify = ignore) -> Iterator[None]:
    """Keep other processes from writing the store at ``root`` until the block ends; wait for those that are writing.

    Raises:
        ReadOnlyStore: the folder cannot be written.
        ConformanceError: the file system refuses the lock for another reason.
    """
    lock = FileLock(root / NAME)
    try:
        root.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            notify(f"waiting for another process that writes the goldens in {relative(root)}")
            lock.acquire()
    except (OSError, NotImplementedError) as fault:
        number = getattr(fault, "errno", None)
        kind = ReadOnlyStore if number in _READ_ONLY else ConformanceError
        raise kind(f"{relative(root)}: cannot lock the store for writing: {_why(fault)}") from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn a refusal of the disk into a message that names the file and says what to do.

    Raises:
        ConformanceError: the block raised an OSError.
    """
    try:
        yield
    except OSError as fault:
        raise ConformanceError(
            f"{relative(path)} cannot be written: {_why(fault)}. No file is half written. "
            "Remove the cause, then run the same command again to complete the change"
        ) from None


def temporaries(root: Path) -> list[Path]:
    """Unfinished files in the store, from a process that was killed or is still writing."""
    found = (Path(folder) / name for folder, _, names in os.walk(root) for name in names)
    return sorted(path for path in found if is_temporary(path))


def _why(fault: Exception) -> str:
    return getattr(fault, "strerror", None) or str(fault) or type(fault).__name__
