"""Several processes of one target that share out work, until it is done or the time is up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from types import TracebackType
from typing import TypeVar

from trt_conformance.targets.isolation.proxy import TIME_LIMIT, IsolatedTarget, limited
from trt_conformance.targets.protocols import Target

T = TypeVar("T")
R = TypeVar("R")

AHEAD = 2
"""The number of units per thread that are taken from the source, so that no thread waits for work."""
Foresee = Callable[[Target, Sequence[T]], None]
"""Tells a target which units come next, the one that is about to begin first."""
GRACE_S = 10.0
"""How long a call may take after the time is up, before its process is killed."""


class WorkerPool:
    """Threads that each have the target in a process of its own.

    A thread lives as long as the pool: the process that it started ends with it.
    """

    def __init__(
        self, opened: Callable[[], Target], size: int, budget_s: float | None = None, time_limit: float = TIME_LIMIT
    ) -> None:
        """Start no process yet.

        Args:
            opened: opens the target, once in each thread.
            size: the number of threads.
            budget_s: the seconds of all work; None for all the time that it takes.
            time_limit: the seconds of one build or one run.
        """
        self._open, self._limit = opened, time_limit
        self._deadline = None if budget_s is None else time.monotonic() + budget_s
        # An executor for each thread: what waits for a thread is known, so that its target can work on it ahead.
        self._threads = [ThreadPoolExecutor(1, f"worker-{number}") for number in range(size)]
        self._own = threading.local()
        self._lock = threading.Lock()
        self._targets: list[Target] = []
        self._is_stopped = False

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the processes; work in progress is lost."""
        self._is_stopped = True
        for target in self._targets:
            if isinstance(target, IsolatedTarget):
                target.close()
        for thread in self._threads:
            thread.shutdown(cancel_futures=True)

    @property
    def remaining(self) -> float:
        """Seconds until the time is up; infinite without a budget."""
        return float("inf") if self._deadline is None else self._deadline - time.monotonic()

    def ask(self, question: Callable[[Target], R]) -> R:
        """What one of the targets answers. Raises what opening it and the question raise."""
        return self._threads[0].submit(lambda: question(self._target())).result()

    def open(self) -> None:
        """Let every thread open its target now. What keeps it from opening is raised when it is needed."""
        for thread in self._threads:
            thread.submit(self._target)

    def each(
        self,
        units: Iterable[T],
        work: Callable[[Target, T], R],
        foresee: Foresee[T] | None = None,
        ahead: int = 0,
    ) -> Iterator[tuple[T, R]]:
        """Each unit of work with its result, as they end; those that the time did not suffice for are left out.

        ``units`` may be endless: each is taken when a thread will soon be free for it, and none once the time is up.
        ``work`` raises nothing that is about a unit alone. Raises what opening the target raises.

        Args:
            units: what to work on.
            work: does one unit.
            foresee: called before each unit with the next units of its thread; what it raises is raised here.
            ahead: how many more units ``foresee`` gets than those that keep a thread busy.
        """
        source = iter(units)
        lines: list[list[T]] = [[] for _ in self._threads]
        waiting: dict[Future[R | None], T] = {}
        while True:
            waiting |= self._dealt(source, lines, AHEAD + ahead, work, foresee)
            if not waiting:
                return
            ended = wait(waiting, return_when=FIRST_COMPLETED).done
            for future in [future for future in waiting if future in ended]:
                unit, result = waiting.pop(future), future.result()
                if result is not None:
                    yield unit, result

    def _dealt(
        self,
        source: Iterator[T],
        lines: Sequence[list[T]],
        most: int,
        work: Callable[[Target, T], R],
        foresee: Foresee[T] | None,
    ) -> dict[Future[R | None], T]:
        """Give each thread units from the source in turn, until so many wait for it; none once the time is up."""
        dealt: list[tuple[ThreadPoolExecutor, list[T], T]] = []
        for length in range(most):
            for thread, line in zip(self._threads, lines, strict=True):
                with self._lock:
                    is_full = len(line) > length
                for unit in () if is_full or self.remaining <= 0 else islice(source, 1):
                    with self._lock:
                        line.append(unit)
                    dealt.append((thread, line, unit))
        return {thread.submit(self._done, line, work, foresee): unit for thread, line, unit in dealt}

    def _done(self, line: list[T], work: Callable[[Target, T], R], foresee: Foresee[T] | None) -> R | None:
        """Do the first unit of a thread's line."""
        with self._lock:
            upcoming = list(line)
        try:
            if self._is_stopped or self.remaining <= 0:
                return None
            target = self._target()
            with limited(target, min(self._limit, max(self.remaining, 0) + GRACE_S)):
                if foresee is not None:
                    foresee(target, upcoming)
                result = work(target, upcoming[0])
            return None if self._is_stopped else result
        finally:
            with self._lock:
                line.pop(0)

    def _target(self) -> Target:
        """The calling thread's own."""
        target: Target | None = getattr(self._own, "target", None)
        if target is None:
            target = self._own.target = self._open()
            self._targets.append(target)
        return target
