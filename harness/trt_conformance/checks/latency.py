"""The latency of a case on a target, measured after its values have been judged as right."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from trt_conformance.checks.finding import Finding
from trt_conformance.checks.forward import check_forward
from trt_conformance.checks.subject import Subject, judged
from trt_conformance.core.case import Case
from trt_conformance.core.engine_cost import COST
from trt_conformance.core.tensors import feeds_of
from trt_conformance.core.types import Cold, Mode
from trt_conformance.core.verdict import Verdict
from trt_conformance.core.words import cache_word, percent
from trt_conformance.numerics.roofline import Floor, Work, floor, work
from trt_conformance.numerics.samples import Summary, summarize
from trt_conformance.targets.protocols import offers
from trt_conformance.targets.timing.measurement import Measurement, TimingPlan

DESCRIBED = ("ran_in", "kernel", "layers", "engine", *COST)


@judged("latency")
def check_latency(
    subject: Subject, mode: Mode | None = None, cold: Cold | None = None, limit_s: float = TimingPlan.limit_s
) -> Finding | Verdict:
    """Time a case in its first run shape. A wrong result is not timed: it gives the verdict of `check_forward`.

    What fell back to a wider precision is timed, and its verdict says fallback, not pass.

    Args:
        mode: what to time; by default graph where the engine has it, else its first mode.
        cold: what is not in the caches when a sample begins; None leaves them as they are.
        limit_s: seconds after which sampling ends, precise or not.
    """
    engine = subject.engine(subject.case)
    if not offers(engine, "timing_modes", "measure"):
        return Finding("unsupported", ["the engine does not measure its latency"])
    modes = engine.timing_modes()
    chosen = mode or ("graph" if "graph" in modes else modes[0])
    if chosen not in modes:
        return Finding("unsupported", [f"mode {chosen} is not available here; the engine has {', '.join(modes)}"])
    forward = check_forward(subject)
    if forward.status not in ("pass", "fallback"):
        return forward
    plan = TimingPlan(chosen, cold is not None, limit_s=limit_s, warm_input=cold == "weights")
    found = engine.measure(feeds_of(subject.case), plan)
    if not found.samples:
        return Finding("not run", ["; ".join(found.notes) or "no samples were taken"])
    return _timed(subject, forward, found)


def _timed(subject: Subject, forward: Verdict, found: Measurement) -> Finding:
    figures: dict[str, Any] = {key: forward.figures[key] for key in DESCRIBED if key in forward.figures}
    notes = [forward.message] * (forward.status == "fallback") + found.notes
    summary, todo, facts = summarize(found.samples), work(subject.case), dict(found.facts)
    least = floor(todo, facts.get("ceilings", {}))
    figures |= {
        "mode": found.mode,
        "cold_l2": found.cold_l2,
        "samples": [round(sample, 9) for sample in found.samples],
        "summary": summary.to_json(),
        "discarded": found.discarded,
        "stopped": found.stopped,
        "notes": notes,
        "work": asdict(todo),
        "flops_per_s": todo.flops / summary.median,
        "bytes_per_s": todo.bytes / summary.median,
    } | place_in_model(subject.case)
    if least is not None:
        figures["floor"] = asdict(least) | {"fraction": least.fraction(summary.median)}
    figures |= {key: facts.pop(key) for key in ("kernels", "yardstick") if key in facts}
    facts.pop("notes", None)
    figures["facts"] = facts
    line = f"{found.mode}, {cache_word(figures)} cache: {_line(summary, todo, least, notes)}"
    return Finding(forward.status, [line], figures)


def place_in_model(case: Case) -> dict[str, int]:
    """How often the case's layer occurs in its model, and in which batch size, where the case says so."""
    given = {"occurrences": case.occurrences, "batch": case.batch}
    return {key: value for key, value in given.items() if value is not None and case.occurrences is not None}


def _line(summary: Summary, todo: Work, least: Floor | None, notes: list[str]) -> str:
    """``67.1 µs ±0.3 % (n=200), 110 TFLOP/s, 62 % of the roofline (compute)``."""
    parts = [summary.text(), f"{todo.flops / summary.median / 1e12:.3g} TFLOP/s"]
    if least is not None:
        parts.append(f"{percent(least.fraction(summary.median))} of the roofline ({least.bound})")
    return ", ".join([*parts, *notes])
