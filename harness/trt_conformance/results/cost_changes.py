"""How the cost of engines changed from one run to another, and which changes a gate does not tolerate."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from trt_conformance.core.json import finite
from trt_conformance.core.words import counted, memory, seconds
from trt_conformance.results.changes import Changes
from trt_conformance.results.engine_costs import EngineFigures, engine_costs
from trt_conformance.results.gate_settings import EngineSettings

LISTED = 0.1
"""Changes of more than this fraction are listed, whether or not they are judged."""

Figure = Literal["plan", "device memory", "build"]

_JUDGES: Mapping[str, Figure] = {
    "plan_bytes_tolerance": "plan",
    "device_memory_tolerance": "device memory",
    "build_time_tolerance": "build",
}
"""What each setting judges."""


@dataclass(frozen=True)
class CostChange:
    """A cost before and now: bytes, or seconds of builds. ``is_regression``: it grew by more than is tolerated."""

    case: str
    target: str
    figure: Figure
    before: float
    now: float
    is_regression: bool

    @property
    def ratio(self) -> float:
        """The cost now over that before."""
        return _ratio(self.before, self.now)

    @property
    def cells(self) -> tuple[str, str, str]:
        """Before, now and the change, for people."""
        words = seconds if self.figure == "build" else memory
        return words(self.before), words(self.now), _change(self.ratio)


@dataclass(frozen=True)
class CostChanges:
    """Changes that are listed or judged, the largest first, and the sums over the engines that both runs have.

    ``undecided``: the tolerances for figures that no engine has in both runs.
    """

    changes: tuple[CostChange, ...]
    totals: tuple[CostChange, ...]
    engines: int
    undecided: tuple[str, ...] = ()

    @property
    def regressions(self) -> tuple[CostChange, ...]:
        return tuple(one for one in (*self.totals, *self.changes) if one.is_regression)

    @property
    def exit_code(self) -> int:
        """1 if a cost is beyond its tolerance, 3 if one that has a tolerance cannot be compared, else 0."""
        return 1 if self.regressions else 3 if self.undecided else 0

    def lines(self) -> list[str]:
        """``1,037 engines: plan 276 MiB -> 279 MiB (+1.2 %)``, and what cannot be judged; none without engines."""
        parts = [f"{one.figure} {one.cells[0]} -> {one.cells[1]} ({one.cells[2]})" for one in self.totals]
        lines = [f"{counted(self.engines, 'engine')}: {', '.join(parts)}"] if parts else []
        return lines + [f"{name} is set, but no engine has this figure in both runs" for name in self.undecided]

    def to_json(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "engines": self.engines,
            "totals": finite([asdict(one) for one in self.totals]),
            "changes": finite([asdict(one) for one in self.changes]),
            "regressions": len(self.regressions),
            "undecided": list(self.undecided),
            "exit_code": self.exit_code,
        }


def cost_changes(changes: Changes, settings: EngineSettings = EngineSettings()) -> CostChanges:  # noqa: B008 - frozen
    """Compare the costs of the engines that both runs have.

    Plans and device memory are compared engine by engine. Single builds vary with whatever runs beside them, so of
    them the sum is compared, over the engines that both runs have built.
    """
    pairs = _pairs(changes)
    found: list[CostChange] = []
    totals: list[CostChange] = []
    _compare("plan", [(new, old.plan, new.plan) for old, new in pairs], settings.plan_bytes_tolerance, found, totals)
    needed = [(new, old.device_memory, new.device_memory) for old, new in pairs]
    _compare("device memory", needed, settings.device_memory_tolerance, found, totals)
    built = [(old.build_s, new.build_s) for old, new in pairs if old.engine == new.engine == "built"]
    times = [(before, now) for before, now in built if before is not None and now is not None]
    if times:
        before, now = sum(before for before, _ in times), sum(now for _, now in times)
        totals.append(CostChange("", "", "build", before, now, _beyond(before, now, settings.build_time_tolerance)))
    found.sort(key=lambda one: (not one.is_regression, -abs(one.now - one.before)))
    known = {one.figure for one in totals}
    stated = {name: figure for name, figure in _JUDGES.items() if getattr(settings, name) is not None}
    undecided = tuple(name for name, figure in stated.items() if figure not in known)
    return CostChanges(tuple(found), tuple(totals), len(pairs), undecided)


def _pairs(changes: Changes) -> Sequence[tuple[EngineFigures, EngineFigures]]:
    """The engines of a case on paired targets."""
    partner = {new: old for old, new in changes.pairs}
    before = {(one.target, one.case): one for one in engine_costs(changes.base.verdicts)}
    both = ((before.get((partner.get(new.target, ""), new.case)), new) for new in engine_costs(changes.new.verdicts))
    return [(old, new) for old, new in both if old is not None]


def _compare(
    figure: Figure,
    values: Sequence[tuple[EngineFigures, int | None, int | None]],
    tolerance: float | None,
    found: list[CostChange],
    totals: list[CostChange],
) -> None:
    """Add each engine's change that is judged or listed to ``found``, and the sum to ``totals``."""
    known = [(new, before, now) for new, before, now in values if before is not None and now is not None]
    for new, before, now in known:
        one = CostChange(new.case, new.target, figure, before, now, _beyond(before, now, tolerance))
        if one.is_regression or not 1 / (1 + LISTED) <= one.ratio <= 1 + LISTED:
            found.append(one)
    if known:
        before, now = sum(before for _, before, _ in known), sum(now for _, _, now in known)
        totals.append(CostChange("", "", figure, before, now, False))


def _beyond(before: float, now: float, tolerance: float | None) -> bool:
    return tolerance is not None and _ratio(before, now) > 1 + tolerance


def _ratio(before: float, now: float) -> float:
    """``now`` over ``before``; 1 if both are 0, infinite if only ``before`` is."""
    if before == now:
        return 1.0
    return now / before if before else math.inf


def _change(ratio: float) -> str:
    """``+3.1 %``; ``x 12.5`` of what grew more than tenfold."""
    if not math.isfinite(ratio):
        return "from nothing"
    return f"{100 * (ratio - 1):+.1f} %" if ratio < 10 else f"x {ratio:.3g}"
