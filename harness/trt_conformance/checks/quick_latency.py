"""The latency of a case on a target, measured briefly after its values have been judged. It judges nothing itself."""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from typing import Any

from trt_conformance.checks.engine_facts import describe
from trt_conformance.checks.finding import Finding
from trt_conformance.checks.latency import place_in_model
from trt_conformance.checks.subject import Subject, judged
from trt_conformance.core.tensors import feeds_of
from trt_conformance.core.verdict import Status, Verdict
from trt_conformance.core.words import percent, seconds
from trt_conformance.numerics.roofline import work
from trt_conformance.numerics.samples import placing_error, summarize
from trt_conformance.targets.device.kernels import classify
from trt_conformance.targets.errors import NotRun, TargetCrashed, TargetHung, TargetLost, Unsupported, named
from trt_conformance.targets.isolation.proxy import limited
from trt_conformance.targets.protocols import EngineFacts, offers
from trt_conformance.targets.timing.measurement import Measurement, TimingPlan

LIMIT_S = 30.0
"""After this many seconds, a measurement of milliseconds counts as hung."""
MOST_LOST = 3
_LOST = (TargetCrashed, TargetHung, TargetLost)


class QuickTimer:
    """Takes the quick latencies of a run.

    A measurement that hangs is its target's last one, and so is the third that ends the target's process: another
    would cost as much.
    """

    def __init__(self, processes: int = 1) -> None:
        """``processes``: how many take turns on the GPU, each of which may be waited for."""
        self.limit_s = LIMIT_S * processes
        self._lost: dict[str, list[str]] = {}
        self._ended: dict[str, str] = {}

    def check(self, subject: Subject, forward: Status) -> Verdict:
        """Time a case in its first run shape. A case that is not timed is "not run", with the reason; none is a fault.

        Args:
            forward: the status that `checks.forward.check_forward` gave.
        """
        began = time.perf_counter()
        found = _check_quick_latency(subject, forward, self)
        cost = {"cost_s": round(time.perf_counter() - began, 4)}
        # A latency shows no claim of the document.
        return replace(found, claims=(), figures={**found.figures, **cost})

    def end_of(self, target: str) -> str | None:
        """Why a target is no longer timed; None if it is."""
        return self._ended.get(target)

    def note_loss(self, target: str, case: str, fault: Exception) -> None:
        """Remember that a measurement cost a target its process."""
        lost = self._lost.setdefault(target, [])
        lost.append(f"{case}: {named(fault).splitlines()[0]}")
        if isinstance(fault, TargetHung) or len(lost) == MOST_LOST:
            self._ended[target] = "; ".join(lost)


@judged("latency", asks_support=False)
def _check_quick_latency(subject: Subject, forward: Status, timer: QuickTimer) -> Finding:
    target = subject.engines.target.name
    end = timer.end_of(target)
    if end is not None:
        return _not_timed(f"no case is timed after {end}")
    if forward not in ("pass", "fallback"):
        return _not_timed(f"its values are not known to be right ({forward})")
    try:
        return _timed(subject, forward, timer.limit_s)
    except _LOST as fault:
        timer.note_loss(target, subject.case.id, fault)
        return _not_timed(f"the timing ended the target's process: {named(fault)}")
    except (NotRun, Unsupported) as reason:
        return Finding("not run" if isinstance(reason, NotRun) else "unsupported", [str(reason)])
    except Exception as fault:  # a latency that cannot be taken costs no case
        return _not_timed(named(fault))


def _not_timed(reason: str) -> Finding:
    return Finding("not run", [f"not timed: {reason}"])


def _timed(subject: Subject, status: Status, limit_s: float) -> Finding:
    """Raises whatever the target raises."""
    case, engine = subject.case, subject.engine(subject.case)
    if not offers(engine, "timing_modes", "measure"):
        return Finding("unsupported", ["the engine does not measure its latency"])
    modes = engine.timing_modes()
    mode = "graph" if "graph" in modes else modes[0]
    with limited(subject.engines.target, limit_s):
        found = engine.measure(feeds_of(case), TimingPlan.quick(mode))
    if not found.samples:
        return _not_timed("; ".join(found.notes) or "no samples were taken")
    facts, described = describe(case, engine)
    wide = ["it runs in a wider precision than requested"] * (status == "fallback")
    figures: dict[str, Any] = _figures(found, [*wide, *found.facts.get("notes", ())])
    figures |= _of_engine(facts, described)
    todo = work(case)
    median = figures["summary"]["median"]
    rates = {"work": asdict(todo), "flops_per_s": todo.flops / median, "bytes_per_s": todo.bytes / median}
    return Finding(status, [_line(figures)], figures | rates | place_in_model(case))


def _figures(found: Measurement, notes: list[str]) -> dict[str, Any]:
    """What was measured. ``uncertainty``: the larger one of what the samples and the places in memory leave."""
    facts = {key: value for key, value in found.facts.items() if key not in ("notes", "kernels")}
    kernels = {"kernels": found.facts["kernels"]} if found.facts.get("kernels") else {}
    summary = summarize(found.samples)
    placed = placing_error(facts.get("placements", ()), "weights" in facts.get("one_place", ()))
    return {
        "effort": "quick",
        "mode": found.mode,
        "cold_l2": found.cold_l2,
        "samples": [round(sample, 9) for sample in found.samples],
        "summary": summary.to_json(),
        "uncertainty": max(summary.error, placed),
        "notes": notes,
        "facts": facts,
        **kernels,
    }


def _of_engine(facts: EngineFacts | None, described: dict[str, Any]) -> dict[str, Any]:
    """What the engine says of itself: its layers, and the share of them that copy from one layout to another."""
    figures = {key: value for key, value in described.items() if key in ("ran_in", "kernel", "layers")}
    if facts is not None:
        copies = sum(layer.type.lower() == "reformat" or classify(layer.kernel) == "reformat" for layer in facts.layers)
        figures["reformat_share"] = round(copies / len(facts.layers), 4)
    return figures


def _line(figures: dict[str, Any]) -> str:
    """``graph, quick: 3.42 µs ±0.8 % (quartiles 3.41 µs and 3.44 µs, 8 samples, 5 places in memory), 1980 MHz``."""
    summary, facts = figures["summary"], figures["facts"]
    quartiles = f"quartiles {seconds(summary['p25'])} and {seconds(summary['p75'])}, {summary['count']} samples"
    places = f", {len(facts['placements'])} places in memory" if facts.get("placements") else ""
    time = f"{seconds(summary['median'])} ±{percent(figures['uncertainty'])} ({quartiles}{places})"
    parts = [f"{figures['mode']}, quick: {time}"]
    if isinstance(facts.get("sample_mhz"), int):
        parts.append(f"{facts['sample_mhz']} MHz")
    if figures.get("reformat_share"):
        parts.append(f"{percent(figures['reformat_share'])} of the layers reformat")
    return ", ".join([*parts, *figures["notes"]])
