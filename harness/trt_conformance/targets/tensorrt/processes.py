"""Processes that build cases of one target for its threads, and leave them in the build cache."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from trt_conformance.core.case import Case
from trt_conformance.core.words import one_line
from trt_conformance.targets.errors import Refused, TargetCrashed, TargetHung, TargetLost, Unsupported
from trt_conformance.targets.isolation.waiting import say
from trt_conformance.targets.options import Elsewhere

FEWEST = 3
"""Builds that are worth a process: TensorRT 8.6 takes as long to load in it as one of them takes."""
SPARE = 2
"""Processes that may be started in place of others that failed."""


class BuildProcesses:
    """Up to ``size`` processes, each of which builds one case at a time for the thread that asks.

    What goes wrong in a process costs time only: the thread is told that the case was not built.
    """

    def __init__(self, start: Callable[[], Callable[[], Elsewhere]], size: int) -> None:
        """Start none yet. ``start`` starts to open the target in a process, and returns what waits for it."""
        self._start, self.size = start, size
        self._lock = threading.Lock()
        self._starting: list[Callable[[], Elsewhere]] = []
        self._idle: list[Elsewhere] = []
        self._busy: list[Elsewhere] = []
        self._ending: list[threading.Thread] = []
        self._opening = self._failed = self._wanted = 0
        self.is_closed = False

    def want(self, builds: int) -> None:
        """Start processes for so many builds, or end those that are idle if there are no more builds. Wait for none."""
        if not builds:
            self._wanted = 0
            self._end_idle()
            return
        if builds < FEWEST and not self._wanted:
            return
        self._wanted = max(self._wanted, min(self.size, builds))
        with self._lock:
            while self._may_start():
                self._begin()

    def build(self, case: Case) -> Mapping[str, Any] | None:
        """Build a case in another process. Returns its engine's origin, of which a refusal has ``engine`` alone.

        Returns None if no process could: the caller then builds the case itself, and so learns why.
        """
        target = self._taken()
        if target is None:
            return None
        origin: Mapping[str, Any] | None = None
        lost = False
        try:
            engine = target.build(case)
            origin = dict(engine.origin)
            engine.close()
        except (Refused, Unsupported) as refusal:
            origin = {"engine": "cached" if refusal.remembered else "built"}
        except (TargetCrashed, TargetHung, TargetLost, OSError) as fault:  # OSError: `close` has ended it
            lost = True
            self._report(fault)
        except Exception:  # noqa: S110 - the caller will have the same fault
            pass
        self._give_back(target, lost)
        return origin

    def close(self) -> None:
        """End all processes; what they build is lost. Those that are idle save what they learned."""
        self.is_closed = True
        with self._lock:
            busy = list(self._busy)
            self._starting.clear()  # they end once nothing holds their channels
        for target in busy:
            self._begin_to_end(target.close)
        self._end_idle()
        for thread in self._ending:
            thread.join()

    def _may_start(self) -> bool:
        """Whether one more process is wanted. The lock is held."""
        there = len(self._starting) + len(self._idle) + len(self._busy) + self._opening
        return not self.is_closed and there < self._wanted and self._failed <= SPARE

    def _begin(self) -> None:
        """Start a process. The lock is held."""
        try:
            self._starting.append(self._start())
        except Exception as fault:  # the system has no process left
            self._failed = SPARE + 1
            self._report(fault)

    def _taken(self) -> Elsewhere | None:
        """A process that is ready to build, for the calling thread alone; None if there is none."""
        with self._lock:
            if self._idle and not self.is_closed:
                self._busy.append(self._idle.pop())
                return self._busy[-1]
            if not self._starting and self._may_start():
                self._begin()
            if not self._starting:
                return None
            opened = self._starting.pop(0)
            self._opening += 1
        target, fault = None, None
        try:
            target = opened()
        except Exception as raised:
            fault = raised
        with self._lock:
            self._opening -= 1
            if target is not None and not self.is_closed:
                self._busy.append(target)
                return target
            self._failed += 1
        if target is not None:
            _done(target.close)
        elif fault is not None:
            self._report(fault)
        return None

    def _give_back(self, target: Elsewhere, lost: bool) -> None:
        with self._lock:
            self._busy.remove(target)
            if not lost and not self.is_closed:
                self._idle.append(target)
                return
            self._failed += 1
        _done(target.close)

    def _end_idle(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for target in idle:
            self._begin_to_end(target.finish)

    def _begin_to_end(self, action: Callable[[], None]) -> None:
        """End a process in a thread: the system takes a while to release what a process has on a GPU."""
        thread = threading.Thread(target=_done, args=(action,))
        thread.start()
        self._ending.append(thread)

    def _report(self, fault: Exception) -> None:
        if not self.is_closed:
            said = one_line(next(iter(str(fault).splitlines()), type(fault).__name__))
            say(f"a process that builds slow cases failed, and its case is built again in this one: {said}")


def _done(action: Callable[[], None]) -> None:
    """End a process. A fault has no consequence: it ends with this one at the latest."""
    with suppress(Exception):
        action()
