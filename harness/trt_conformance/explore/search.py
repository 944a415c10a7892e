"""The search: draws layers, judges them, shrinks those that fail, and keeps each new cause."""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from trt_conformance.core.case import Case
from trt_conformance.core.verdict import Verdict
from trt_conformance.explore.draw import Draws
from trt_conformance.explore.edges import Reached
from trt_conformance.explore.finds import Find, Finds, without, written
from trt_conformance.explore.judge import Judge, summary
from trt_conformance.explore.layer import DrawnLayer
from trt_conformance.explore.shrink import REDRAWN, SECONDS, Try, shrunk
from trt_conformance.targets.protocols import Target
from trt_conformance.targets.worker_pool import WorkerPool

FOLDER = "finds"
"""The folder of the case files, in that of the record."""
HUNG = "TargetHung: "
"""How the message of a call that took too long begins."""
LEAST_S = 5.0
"""A fault that is found when the time is nearly up is shrunk for at least this time."""
KEPT_FIGURES = ("fraction", "bound_for", "ran_in", "kernel", "arithmetic", "relation", "engine", "build_s")
"""The figures of a draw that a record keeps; a find keeps all of its."""


@dataclass(frozen=True)
class DrawOutcome:
    """The outcome of a draw: its verdict, and the find that it led to, if that is new."""

    number: int
    layer: DrawnLayer
    verdict: Verdict
    find: Find | None = None

    @property
    def is_judged(self) -> bool:
        """Whether anything was built or run."""
        return self.verdict.status not in ("unsupported", "not run")

    @property
    def is_fault(self) -> bool:
        return self.verdict.is_fault and not self.verdict.known


def draw_id(seed: int, number: int) -> str:
    """The id of a draw's case, without its precision."""
    return f"explore_s{seed}/n{number}"


def draw_number(case_id: str, seed: int) -> int | None:
    """The number of the draw of a seed whose case has an id; None if it is none."""
    found = re.fullmatch(rf"explore_s{seed}/n(\d+)-\w+", case_id)
    return int(found[1]) if found else None


class Search:
    """Judges the draws of a seed on the targets of a pool.

    Attributes:
        finds: what has been found so far.
        reached: the ranges that judged draws have reached.
    """

    def __init__(
        self,
        draws: Draws,
        judge: Judge,
        folder: Path,
        described: str = "explore",
        shrink_s: float = SECONDS,
        known: Iterable[Find] = (),
    ) -> None:
        """Begin a search.

        Args:
            draws: what is judged.
            judge: how.
            folder: gets a case file for each find.
            described: the command that the files name as their source.
            shrink_s: how many seconds may be spent to make one fault small.
            known: the finds of an earlier part of the search.
        """
        self._draws, self._judge, self._folder = draws, judge, folder
        self._described, self._shrink_s = described, shrink_s
        self._writing = threading.Lock()
        self.finds, self.reached = Finds(list(known)), Reached()

    def reach(self, numbers: Iterable[int]) -> None:
        """Count the ranges that earlier draws have reached."""
        for number in numbers:
            self.reached.add(self._draws.layer(number))

    def run(self, pool: WorkerPool, numbers: Iterable[int]) -> Iterator[DrawOutcome]:
        """The outcome of each draw, as they end. A draw that was not finished when the time was up has none."""

        def work(target: Target, number: int) -> DrawOutcome | None:
            return self.tried(target, number, lambda: pool.remaining)

        for _, outcome in pool.each(numbers, work):
            assert outcome is not None
            if outcome.is_judged:
                self.reached.add(outcome.layer)
            yield outcome

    def tried(
        self, target: Target, number: int, remaining: Callable[[], float] = lambda: math.inf
    ) -> DrawOutcome | None:
        """Judge one draw, and shrink a fault.

        Args:
            target: the target.
            number: of the draw.
            remaining: gives the seconds until the time is up. A fault is shrunk for that long, or a few seconds.

        Returns:
            None for a call that was ended because the time was up: it may not have hung.
        """
        layer = self._draws.layer(number)
        verdict = summary(self._judge(target, layer.case(draw_id(self._draws.seed, number)), number))
        is_find = verdict.is_fault and not verdict.known
        if is_find and remaining() <= 0 and HUNG in verdict.message:
            return None
        seconds = min(self._shrink_s, max(remaining(), LEAST_S))
        find = self._found(target, number, layer, verdict, seconds) if is_find else None
        return DrawOutcome(number, layer, _short(verdict), find)

    def _found(self, target: Target, number: int, layer: DrawnLayer, verdict: Verdict, seconds: float) -> Find | None:
        """The find that a fault leads to; None if an earlier one explains it."""
        attempt = self._attempt(target, number, verdict)
        for known in self.finds.like(layer, verdict):
            rest = without(known.layer, layer)
            failing = attempt(rest.case(REDRAWN)) if rest is not None else None
            if failing is not None and failing.is_fault and not failing.known:
                assert rest is not None
                layer, verdict = rest, failing  # it fails without what the find needs: this has another cause
                attempt = self._attempt(target, number, verdict)
                break
            if self.finds.explain(known):
                return None
        small = shrunk(layer, verdict, attempt, seconds)
        find = self._written(target, number, small.layer, small.verdict)
        find.tries = small.tries
        if self.finds.add(find):
            return find
        self._path(find.name).unlink(missing_ok=True)
        return None

    def _attempt(self, target: Target, number: int, verdict: Verdict) -> Try:
        """Runs the check that failed on another case."""
        relation = verdict.figures.get("relation", number)

        def attempt(case: Case) -> Verdict | None:
            found = self._judge(target, case, relation, verdict.check)
            return found[-1] if found else None

        return attempt

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.toml"

    def _written(self, target: Target, number: int, layer: DrawnLayer, verdict: Verdict) -> Find:
        """The find of a smallest layer, judged once more as its file states it, with the diagnosis."""
        name = f"found_s{self._draws.seed}_n{number}"
        source = f"{self._described}, draw {number}"
        with self._writing:
            case, faults = written(self._path(name), layer, verdict, source)
        again = self._judge(target, case, verdict.figures.get("relation", number), verdict.check, explained=True)
        own = again[-1] if again and again[-1].is_fault else replace(verdict, case=case.id, location=case.location)
        return Find(name, layer, case, own, faults=faults)


def _short(verdict: Verdict) -> Verdict:
    """The verdict of a draw without the figures that take much space."""
    figures: dict[str, Any] = {name: verdict.figures[name] for name in KEPT_FIGURES if name in verdict.figures}
    return replace(verdict, figures=figures)
