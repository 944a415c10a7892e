"""One engine of a case, built, judged by the case's bound, and timed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from trt_conformance.checks.forward import check_forward
from trt_conformance.checks.subject import Golden, Subject
from trt_conformance.core.case import Case
from trt_conformance.core.tensors import feeds_of
from trt_conformance.core.verdict import FAULTS, Verdict
from trt_conformance.targets.engines import Engines
from trt_conformance.targets.errors import Refused
from trt_conformance.targets.protocols import Engine, Tactic, Target, offers
from trt_conformance.targets.timing.measurement import TimingPlan

WARMUP_S, MIN_S, LIMIT_S = 0.02, 0.02, 0.5
"""A trial's timing: many builds are compared with each other, so that each may be timed briefly."""

REFUSED = "refused"
RAN = ("pass", "fallback", "known", "fail")
"""The statuses of trials whose output was compared."""

Known = Callable[[Verdict], Verdict]
"""Marks a verdict that meets an expectation."""


@dataclass(frozen=True)
class Trial:
    """What one engine of a case gave.

    Attributes:
        status: of the check of its output; ``known`` for a known difference, ``refused`` where nothing was built.
        message: why the status is not pass.
        known: the id of the expectation that it meets, where the status is ``known``.
        kernel: the convolution's GPU kernel, where the engine reports it.
        kernels: those of all layers, in order.
        fraction: the fraction of the bound that the worst element uses; a number, or a text if it is not finite.
        output_sha256: the first 16 hexadecimal digits of the hash of all output bits.
        optimization_level: of the build, where it is not the target's own; else None.
        latency_s: median seconds of an enqueue or a call; None if it was not timed.
        mode: of the timing.
    """

    status: str
    message: str = ""
    known: str = ""
    kernel: str = ""
    kernels: tuple[str, ...] = ()
    ran_in: str = ""
    fraction: Any = None
    output_sha256: str = ""
    build_s: float | None = None
    optimization_level: int | None = None
    latency_s: float | None = None
    mode: str = ""

    @property
    def ran(self) -> bool:
        return self.status in RAN

    @property
    def is_fault(self) -> bool:
        return self.status in FAULTS


def try_build(case: Case, target: Target, golden: Golden, known: Known, timed: bool) -> Trial:
    """Build a case once, run it, and time it if its values are right and ``timed``."""
    engines = Engines(target, limit=1)
    try:
        return _tried(Subject(case, engines, golden), known, timed)
    finally:
        engines.close()


def try_tactic(case: Case, target: Target, tactic: Tactic, golden: Golden, known: Known) -> Trial:
    """As `try_build`, with one tactic, and not timed."""
    return try_build(case, _WithTactic(target, tactic), golden, known, timed=False)


class _WithTactic:
    """A target that builds everything with one tactic."""

    def __init__(self, target: Target, tactic: Tactic) -> None:
        self._target, self._tactic = target, tactic
        self.name = target.name

    def supports(self, case: Case) -> str | None:
        return self._target.supports(case)

    def build(self, case: Case) -> Engine:
        assert offers(self._target, "build_with")
        return self._target.build_with(case, self._tactic)


def _tried(subject: Subject, known: Known, timed: bool) -> Trial:
    found = replace(check_forward(subject), check="forward")
    found = known(found) if found.is_fault else found
    figures = found.figures
    status: str = "known" if found.known else found.status
    if status == "fail" and found.phase in ("network", "build") and _is_refused(subject):
        status = REFUSED
    layers = figures.get("layers", ())
    trial = Trial(
        status=status,
        message="" if status == "pass" else found.message,
        known=found.known,
        kernel=figures.get("kernel", ""),
        kernels=tuple(layer["kernel"] or layer["name"] for layer in layers),
        ran_in=figures.get("ran_in", ""),
        fraction=figures.get("fraction"),
        output_sha256=figures.get("output_sha256", ""),
        build_s=figures.get("build_s"),
        optimization_level=figures.get("optimization_level"),
    )
    return _timed(subject, trial) if timed and status in ("pass", "fallback") else trial


def _is_refused(subject: Subject) -> bool:
    """Whether the build gave a refusal, which the engines remember."""
    try:
        subject.engines.get(subject.case)
    except Refused:
        return True
    except Exception:
        return False
    return False


def _timed(subject: Subject, trial: Trial) -> Trial:
    """The trial with its latency, where the engine can be timed; what goes wrong here is not about its values."""
    with suppress(Exception):
        engine = subject.engine(subject.case)
        if offers(engine, "timing_modes", "measure"):
            modes = engine.timing_modes()
            mode = "graph" if "graph" in modes else modes[0]
            plan = TimingPlan(mode, warmup_s=WARMUP_S, min_s=MIN_S, limit_s=LIMIT_S)
            samples = engine.measure(feeds_of(subject.case), plan).samples
            return replace(trial, latency_s=median(samples), mode=mode)
    return trial
