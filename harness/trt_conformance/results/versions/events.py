"""What changed from one version to the next, one line for each cause: what began and ended, and which costs changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from trt_conformance.core.verdict import Verdict
from trt_conformance.core.words import counted
from trt_conformance.results.causes import reason
from trt_conformance.results.changes import between
from trt_conformance.results.cost_changes import CostChange, cost_changes
from trt_conformance.results.engine_costs import EngineFigures, engine_costs
from trt_conformance.results.latency.change import signed
from trt_conformance.results.latency.gate import LatencyComparison, latency_section
from trt_conformance.results.latency.kernel_groups import by_kernel
from trt_conformance.results.versions.columns import Trait, Version, is_same, trait

Change = Literal["began", "ended", "slower", "faster", "larger", "smaller"]
Size = Callable[[str], float]
"""How large a case is, by its id."""

_STATES = ("differs", "fallback", "unsupported", "not run")


@dataclass(frozen=True)
class VersionEvent:
    """One change between two versions.

    ``what``: the outcome that began or ended, or the quantity that changed. ``cause``: the id of an expectation, a
    reason, or what changed of GPU kernels or plans. ``cases``: the smallest first. ``checks``: how many checks of
    them changed; engines or latencies where a quantity did. ``amount``: by how much a quantity changed.
    """

    change: Change
    what: str
    cause: str
    cases: tuple[str, ...]
    checks: int
    amount: str = ""
    is_known: bool = False

    @property
    def cells(self) -> tuple[str, str, str, str, str]:
        """Change, what, cause, how many, and the smallest case."""
        many = counted(len(self.cases), "case")
        if not self.amount:
            many = f"{counted(self.checks, 'check')} of {many}"
        return self.change, self.what, self.cause, f"{many}, {self.amount}" if self.amount else many, self.cases[0]

    def text(self) -> str:
        """``ended: differs: int8_not_built: 8 checks of 2 cases, the smallest exact_int8/extremes-int8``."""
        change, what, cause, many, smallest = self.cells
        return f"{change}: {what}: {cause}: {many}, the smallest {smallest}"

    def to_json(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self) | {"cases": list(self.cases)}


@dataclass(frozen=True)
class VersionStep:
    """Two consecutive versions: how many checks both have, and what changed."""

    before: Version
    now: Version
    shared: int
    events: tuple[VersionEvent, ...]
    latency: str = ""
    """A remark on their latencies as a whole."""

    def to_json(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "before": self.before.target,
            "now": self.now.target,
            "shared_checks": self.shared,
            "events": [event.to_json() for event in self.events],
            "latency": self.latency,
        }


def step(before: Version, now: Version, size: Size) -> VersionStep:
    """What changed from one version to the next, in the checks, engines and latencies that both have."""
    changes = between(before.record, now.record, [f"{before.target}={now.target}"])
    latency = latency_section(before.record, now.record)
    events = (
        *_outcomes(before.verdicts, now.verdicts, size),
        *_latencies(latency, size),
        *_costs(cost_changes(changes).changes, before.record.verdicts, now.record.verdicts, size),
    )
    shared = sum(key in now.verdicts for key in before.verdicts)
    return VersionStep(before, now, shared, events, latency.summary if latency.changes or latency.refused else "")


def _outcomes(old: Mapping[Any, Verdict], new: Mapping[Any, Verdict], size: Size) -> Iterator[VersionEvent]:
    """What began, then what ended, the most cases first."""
    groups: dict[tuple[Change, Trait], list[Verdict]] = {}
    for key in (key for key in old if key in new):
        if is_same(old[key], new[key]):
            continue
        was, now = trait(old[key]), trait(new[key])
        # That nothing was run says nothing of what there was instead.
        if now is not None and (now.state != "not run" or was is None):
            groups.setdefault(("began", now), []).append(new[key])
        if was is not None and (was.state != "not run" or now is None):
            groups.setdefault(("ended", was), []).append(old[key])
    ordered = sorted(
        groups.items(), key=lambda one: (one[0][0], _STATES.index(one[0][1].state), -len(one[1]), one[0][1].cause)
    )
    for (change, found), verdicts in ordered:
        cases = _smallest_first((v.case for v in verdicts), size)
        shown = next(v for v in verdicts if v.case == cases[0])
        text = found.cause if found.is_known else reason(shown.message) or found.cause
        yield VersionEvent(change, found.state, text, cases, len(verdicts), is_known=found.is_known)


def _latencies(latency: LatencyComparison, size: Size) -> Iterator[VersionEvent]:
    """Latencies that became longer, then those that became shorter, by what changed of their GPU kernels."""
    words: tuple[Change, Change] = ("slower", "faster")
    for change in words:
        for group in by_kernel([one for one in latency.changes if one.word == change]):
            what = "quick latency" if group.effort == "quick" else "latency"
            cases = _smallest_first(group.cases, size)
            amount = f"{signed(group.ratio)} on average"
            yield VersionEvent(change, what, group.cause, cases, len(cases), amount)


def _costs(
    changes: Sequence[CostChange], old: Sequence[Verdict], new: Sequence[Verdict], size: Size
) -> Iterator[VersionEvent]:
    """Plans and device memory that changed by more than is noise, by the part that changed and by the GPU kernels."""
    before, now = ({one.case: one for one in engine_costs(side)} for side in (old, new))
    kernels_before, kernels_now = _kernels(old), _kernels(new)
    groups: dict[tuple[Change, str, str], list[CostChange]] = {}
    for one in changes:
        change: Change = "larger" if one.ratio > 1 else "smaller"
        part = (_part_of_plan if one.figure == "plan" else _part_of_memory)(before[one.case], now[one.case])
        kernels = _compared(kernels_before.get(one.case), kernels_now.get(one.case))
        cause = ", ".join(filter(None, (part, kernels))) or "the engines report no cause"
        groups.setdefault((change, one.figure, cause), []).append(one)
    for (change, figure, cause), mine in sorted(groups.items(), key=lambda one: (one[0][:2], -len(one[1]), one[0][2])):
        total = sum(one.now for one in mine) / max(1.0, sum(one.before for one in mine))
        cases = _smallest_first((one.case for one in mine), size)
        yield VersionEvent(change, figure, cause, cases, len(mine), f"{signed(total)} in all")


def _part_of_plan(before: EngineFigures, now: EngineFigures) -> str:
    """Which part of a plan changed most: its weights, or what is beside them. Empty if the engines do not report it."""
    if before.stored is None or now.stored is None or before.beside is None or now.beside is None:
        return ""
    weights, beside = abs(now.stored - before.stored), abs(now.beside - before.beside)
    return "weights as stored" if weights > beside else "code and metadata"


def _part_of_memory(before: EngineFigures, now: EngineFigures) -> str:
    """Which part of the device memory changed most: the scratch memory of layers, or tensors. Empty if unknown."""
    if None in (before.device_memory, now.device_memory, before.workspace, now.workspace):
        return ""
    scratch = (now.workspace or 0) - (before.workspace or 0)
    tensors = (now.device_memory or 0) - (before.device_memory or 0) - scratch
    return "scratch memory" if abs(scratch) > abs(tensors) else "tensors between layers"


def _kernels(verdicts: Sequence[Verdict]) -> dict[str, list[str]]:
    """The GPU kernels of the engine of each case, if all its layers name one."""
    found = {}
    for verdict in verdicts:
        layers = verdict.figures.get("layers") or ()
        names = sorted(str(layer["kernel"]) for layer in layers if layer.get("kernel"))
        if names and len(names) == len(layers):
            found[verdict.case] = names
    return found


def _compared(before: Sequence[str] | None, now: Sequence[str] | None) -> str:
    if before is None or now is None:
        return ""
    return "the same kernels" if before == now else "other kernels"


def _smallest_first(cases: Iterator[str] | Sequence[str], size: Size) -> tuple[str, ...]:
    return tuple(sorted(dict.fromkeys(cases), key=lambda case: (size(case), case)))
