"""Keeps a target's built engines while they may be needed again, and releases them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from trt_conformance.core.case import Case
from trt_conformance.targets.protocols import Engine, Target, offers

LIVE_ENGINES = 32


class Engines:
    """Engines of one target, least recently used closed first. A refusal is remembered like an engine."""

    def __init__(self, target: Target, limit: int = LIVE_ENGINES) -> None:
        self.target = target
        self._limit = limit
        self._held: OrderedDict[str, Engine | Exception] = OrderedDict()
        self._note = ""
        self._late: Exception | None = None

    def get(self, case: Case) -> Engine:
        """The engine of a case, built at most once. Raises what the build raised."""
        held = self._held.get(case.id)
        if held is None:
            held = self._build(case)
            self._held[case.id] = held
            while len(self._held) > self._limit:
                self._release(self._held.popitem(last=False)[1])
        self._held.move_to_end(case.id)
        if isinstance(held, Exception):
            raise held
        return held

    def expect(self, cases: Sequence[Case]) -> None:
        """Let a target that can build these ahead do so, but for those that are here.

        A fault is that of the next case to be built.
        """
        if offers(self.target, "expect"):
            try:
                self.target.expect([case for case in cases if case.id not in self._held])
            except Exception as fault:  # nothing was requested yet, so no verdict can report it
                self._late = fault.with_traceback(None)

    def take_note(self) -> str:
        """What was wrong with the cache since the last call."""
        note, self._note = self._note, ""
        return note

    def condemn(self, case: Case, fault: Exception) -> None:
        """Let every later check of a case report this fault: its engine took the process with it."""
        self._held[case.id] = fault

    def close(self) -> None:
        """Release every engine."""
        while self._held:
            self._release(self._held.popitem()[1])

    def _build(self, case: Case) -> Engine | Exception:
        late, self._late = self._late, None
        if late is not None:
            return late
        try:
            engine = self.target.build(case)
            if offers(engine, "origin"):
                self._note = engine.origin.get("cache", self._note)
            return engine
        except Exception as fault:  # stored, so that a second check of the case reports the same fault
            return fault.with_traceback(None)

    @staticmethod
    def _release(held: Engine | Exception) -> None:
        if not isinstance(held, Exception):
            held.close()
