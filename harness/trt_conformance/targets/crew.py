"""Several processes of one target that share out work, until it is done or the time is up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from types import TracebackType
from typing import TypeVar

from trt_conformance.targets.isolation.proxy import TIME_LIMIT, IsolatedTarget
from trt_conformance.targets.protocols import Target

T = TypeVar("T")
R = TypeVar("R")

AHEAD = 2
"""Units for each thread that are taken from the source, so that none waits for work."""
GRACE_S = 10.0
"""How long a call may take after the time is up, before its process is killed."""


class Crew:
    """Threads that each have the target in a process of its own.

    A thread lives as long as the crew: the process that it started ends with it.
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
        self._size = size
        self._pool = ThreadPoolExecutor(size, "crew")
        self._own = threading.local()
        self._targets: list[Target] = []
        self._is_stopped = False

    def __enter__(self) -> Crew:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the processes; work in progress is lost."""
        self._is_stopped = True
        for target in self._targets:
            if isinstance(target, IsolatedTarget):
                target.close()
        self._pool.shutdown(cancel_futures=True)

    @property
    def remaining(self) -> float:
        """Seconds until the time is up; infinite without a budget."""
        return float("inf") if self._deadline is None else self._deadline - time.monotonic()

    def ask(self, question: Callable[[Target], R]) -> R:
        """What one of the targets answers. Raises what opening it and the question raise."""
        return self._pool.submit(lambda: question(self._target())).result()

    def each(self, units: Iterable[T], work: Callable[[Target, T], R]) -> Iterator[tuple[T, R]]:
        """Each unit of work with its result, as they end; those that the time did not suffice for are left out.

        ``units`` may be endless: each is taken when a thread will soon be free for it, and none once the time is up.
        ``work`` raises nothing that is about a unit alone. Raises what opening the target raises.
        """
        source = iter(units)
        waiting: dict[Future[R | None], T] = {}
        while True:
            more = 0 if self.remaining <= 0 else AHEAD * self._size - len(waiting)
            waiting |= {self._pool.submit(self._done, unit, work): unit for unit in islice(source, more)}
            if not waiting:
                return
            ended = wait(waiting, return_when=FIRST_COMPLETED).done
            for future in [future for future in waiting if future in ended]:
                unit, result = waiting.pop(future), future.result()
                if result is not None:
                    yield unit, result

    def _done(self, unit: T, work: Callable[[Target, T], R]) -> R | None:
        if self._is_stopped or self.remaining <= 0:
            return None
        target = self._target()
        if isinstance(target, IsolatedTarget):
            target.time_limit = min(self._limit, max(self.remaining, 0) + GRACE_S)
        result = work(target, unit)
        return None if self._is_stopped else result

    def _target(self) -> Target:
        """The calling thread's own."""
        target: Target | None = getattr(self._own, "target", None)
        if target is None:
            target = self._own.target = self._open()
            self._targets.append(target)
        return target
