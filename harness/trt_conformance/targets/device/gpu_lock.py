"""Lets a process have the GPU to itself while it times something; otherwise all use it at the same time."""

from __future__ import annotations

import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from trt_conformance.targets.device import cuda
from trt_conformance.targets.device.clocks import bus_id

if sys.platform != "win32":
    import fcntl

ENTRANCE, GPU = ".entrance", ".gpu"


class GpuLock:
    """A lock of one GPU that many threads and processes share, or that one thread of one process has alone.

    It is held by ``flock`` on two files, so that the system releases what a killed process held. Every process first
    takes the lock of the entrance, and then that of the GPU. Who shares the GPU releases the entrance at once; who
    wants it alone keeps the entrance, so nobody can enter while it waits for the others to leave.

    Within `shared` and `alone`, a further `shared` of the same thread changes nothing.
    """

    def __init__(self, path: Path | None) -> None:
        """``path`` without a suffix names the files; None if there is nothing to lock."""
        self._path = path
        self._own = threading.local()

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Share the GPU, once no process has exclusive use."""
        if self._path is None or self._held:
            yield
            return
        with _Locked(self._path, ENTRANCE, alone=False):
            gpu = _Locked(self._path, GPU, alone=False)
        with gpu, self._as("shared"):
            yield

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Use the GPU exclusively, once all others have left it. Raises RuntimeError in a thread that shares it."""
        if self._held == "shared":
            raise RuntimeError("a thread that shares the GPU would wait for itself to have it alone")
        if self._path is None or self._held:
            yield
            return
        with _Locked(self._path, ENTRANCE, alone=True), _Locked(self._path, GPU, alone=True), self._as("alone"):
            yield

    @property
    def _held(self) -> str:
        """How the calling thread holds the lock; "" if it does not."""
        held: str = getattr(self._own, "held", "")
        return held

    @contextmanager
    def _as(self, held: str) -> Iterator[None]:
        self._own.held = held
        try:
            yield
        finally:
            self._own.held = ""


class _Locked:
    """A lock of a file, held from its creation until its block ends."""

    def __init__(self, path: Path, suffix: str, alone: bool) -> None:
        self._descriptor = _opened(path.with_name(path.name + suffix))
        if self._descriptor is not None and sys.platform != "win32":
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
            except BaseException:
                os.close(self._descriptor)
                raise

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)  # which releases the lock


def _opened(path: Path) -> int | None:
    """A file that any user may lock; None if the system lets this process neither open nor create it."""
    for flags in (os.O_RDONLY, os.O_RDONLY | os.O_CREAT | os.O_EXCL, os.O_RDONLY):
        with suppress(OSError):
            return os.open(path, flags | getattr(os, "O_CLOEXEC", 0), 0o666)
    return None


def lock_of_gpu() -> GpuLock:
    """The lock of CUDA's first GPU, for all processes of this machine that have the same folder for temporary files.

    It locks nothing if there is no GPU, and on Windows.
    """
    if sys.platform == "win32" or not cuda.gpus()[0]:
        return GpuLock(None)
    name = re.sub(r"[^0-9A-Za-z.]+", "-", bus_id())
    return GpuLock(Path(tempfile.gettempdir()) / f"trt-conformance-gpu-{name}")
