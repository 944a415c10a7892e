"""What the engines of a run cost, one entry for each case and target."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from trt_conformance.core import engine_cost
from trt_conformance.core.verdict import Verdict

OVER = 2
"""A plan larger than this multiple of its weights is shown with its cause."""


@dataclass(frozen=True)
class EngineFigures:
    """The figures of one engine; None if the record has none. Sizes in bytes, the build in seconds.

    ``engine`` says whether it was built in the run or cached; a cached engine has the figures of its original build.
    ``padding`` are the zeros that explain why its plan failed the check of its size.
    """

    case: str
    target: str
    engine: str = ""
    plan: int | None = None
    weights: int | None = None
    stored: int | None = None
    device_memory: int | None = None
    workspace: int | None = None
    build_s: float | None = None
    padding: int | None = None

    @property
    def ratio(self) -> float | None:
        """The plan over the weights of the case."""
        return self.plan / self.weights if self.plan is not None and self.weights else None

    @property
    def beside(self) -> int | None:
        """The plan without the weights in it: code and metadata."""
        return None if self.plan is None or self.stored is None else max(0, self.plan - self.stored)

    @cached_property
    def cause(self) -> str:
        """The largest part of a plan that is more than twice as large as its weights; empty for other plans."""
        if self.plan is None or self.weights is None or self.plan <= OVER * self.weights:
            return ""
        if self.beside is None or self.stored is None:
            return "not reported by the engine"
        if self.beside >= self.stored:
            return "code and metadata"
        return "zeros that pad channels" if self.padding else "weights as stored"


def engine_costs(verdicts: Iterable[Verdict]) -> tuple[EngineFigures, ...]:
    """The engines in verdicts, in their order. All verdicts on an engine have its figures: the first counts.

    Older records have the seconds of builds alone.
    """
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for verdict in verdicts:
        figures = verdict.figures
        if figures.get(engine_cost.PLAN) is None and figures.get(engine_cost.BUILD) is None:
            continue
        known = found.setdefault((verdict.target, verdict.case), {})
        for name in ("engine", *engine_cost.COST, "padding_bytes"):
            if known.get(name) is None:
                known[name] = figures.get(name)
    return tuple(
        EngineFigures(
            case,
            target,
            known["engine"] or "",
            plan=known[engine_cost.PLAN],
            weights=known[engine_cost.WEIGHTS],
            stored=known[engine_cost.STORED_WEIGHTS],
            device_memory=known[engine_cost.DEVICE_MEMORY],
            workspace=known[engine_cost.WORKSPACE],
            build_s=known[engine_cost.BUILD],
            padding=known["padding_bytes"],
        )
        for (target, case), known in found.items()
    )
