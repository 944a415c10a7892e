"""Who may build, run and time at the same time: the threads of this process, and the processes on this GPU."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from trt_conformance.targets.device.gpu_lock import GpuLock


class Exclusion:
    """Lets many build and run at once, or one have the process, or the GPU, to itself.

    Each thread first passes the gate of its process, then the lock of the GPU. A thread that holds the lock must not
    wait for the gate: a builder behind the gate may wait for another process, which waits for this one.
    """

    def __init__(self, gpu: GpuLock) -> None:
        self._gate, self._gpu = Gate(), gpu

    @contextmanager
    def building(self) -> Iterator[None]:
        """In a builder's thread: build, while others build and run."""
        with self._gate.open(), self._gpu.shared():
            yield

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """In a builder's thread: wait for a process that builds. That process shares the GPU; this thread must not.

        The process may wait for one that wants the GPU alone, and that one waits for every thread that shares it.
        """
        with self._gate.open():
            yield

    @contextmanager
    def running(self) -> Iterator[None]:
        """In the thread that asks: build or run, while others build and run."""
        with self._gpu.shared():
            yield

    @contextmanager
    def unbuilt(self) -> Iterator[None]:
        """Nothing is built in this process meanwhile: for what its builders would disturb."""
        with self._gate.closed():
            yield

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nothing is built here, and no other process uses the GPU meanwhile: for what is timed."""
        with self._gate.closed(), self._gpu.alone():
            yield


class Gate:
    """Lets many build at once, or one build or run alone."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._closed = 0

    @contextmanager
    def open(self) -> Iterator[None]:
        """Wait while the gate is closed, then count as inside."""
        with self._changed:
            self._changed.wait_for(lambda: not self._closed)
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    @contextmanager
    def closed(self) -> Iterator[None]:
        """Let no thread in, and wait until all threads inside have left."""
        with self._changed:
            self._closed += 1
            self._changed.wait_for(lambda: not self._inside)
        try:
            yield
        finally:
            with self._changed:
                self._closed -= 1
                self._changed.notify_all()
