"""A case on a target, and how whatever breaks there becomes a verdict: what every check stands on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import update_wrapper
from typing import Any, Concatenate, ParamSpec

from trt_conformance.checks import message
from trt_conformance.checks.message import Named
from trt_conformance.core.arrays import Array
from trt_conformance.core.case import Case
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.tensors import feeds_of
from trt_conformance.core.types import Phase, RejectPhase
from trt_conformance.core.verdict import Verdict, verdict
from trt_conformance.numerics.reference.result import Result
from trt_conformance.targets.engines import Engines
from trt_conformance.targets.errors import NotRun, Refused, TargetCrashed, TargetHung, Unsupported, named
from trt_conformance.targets.protocols import Engine

P = ParamSpec("P")

Golden = Callable[[Case, int], Result]
Diagnose = Callable[[Case, int, Array, Result], Sequence[Named]]
"""Gives what would explain the wrong output of a case's run, by its reference."""


def undiagnosed(*_: Any) -> tuple[Named, ...]:
    """Explains nothing."""
    return ()


@dataclass(frozen=True)
class Subject:
    """A case on a target, with the engines built there, the store of goldens, and who explains what is wrong."""

    case: Case
    engines: Engines
    golden: Golden
    diagnose: Diagnose = undiagnosed

    @property
    def target(self) -> Any:
        return self.engines.target

    def engine(self, case: Case) -> Engine:
        """The case's engine. Raises Refused, Unsupported or NotRun as the target does, else PhaseFault."""
        with _in_phase("build"):
            return self.engines.get(case)

    def run(self, case: Case, index: int = 0) -> dict[str, Array]:
        """Outputs of a case on its ``index``-th run shape. Raises as `engine` does, in phase run."""
        return self.feed(case, feeds_of(case, index))

    def feed(self, case: Case, feeds: dict[str, Array]) -> dict[str, Array]:
        """Outputs of a case's engine on other inputs than the case's. Raises as `engine` does, in phase run."""
        engine = self.engine(case)
        with self.running(case):
            return engine.run(feeds)

    @contextmanager
    def running(self, case: Case) -> Iterator[None]:
        """Faults inside are of phase run; one that ended the process is not tried again by the case's other checks."""
        with _in_phase("run"):
            try:
                yield
            except (TargetCrashed, TargetHung) as fault:
                self.engines.condemn(case, PhaseFault("run", fault))
                raise

    def say(self, phase: Phase | RejectPhase, status: Any, lines: list[str] | str = "", **figures: Any) -> Verdict:
        """A verdict; a fault's lines get the headline, anything else is kept as it is."""
        phase = "network" if phase == "set" else phase
        if isinstance(lines, list):
            lines = message.failure(self.case, phase, lines)
        note = self.engines.take_note()
        if note:
            figures["cache"] = note
        return verdict(self.case, self.engines.target.name, phase, status, lines, **figures)


class PhaseFault(Exception):
    """Something broke in a phase of a check; the message names the exception."""

    def __init__(self, phase: Phase, fault: Exception) -> None:
        super().__init__(phase, fault)
        self.phase = phase
        self.lines = named(fault).splitlines()


@contextmanager
def _in_phase(phase: Phase) -> Iterator[None]:
    """Turn whatever breaks into a fault of the phase; what the protocol raises passes."""
    try:
        yield
    except (Refused, Unsupported, NotRun, ConformanceError, PhaseFault):
        raise
    except Exception as fault:
        raise PhaseFault(phase, fault) from fault


def judged(
    phase: Phase,
) -> Callable[[Callable[Concatenate[Subject, P], Verdict]], Callable[Concatenate[Subject, P], Verdict]]:
    """Turn what a target raises into a verdict: unsupported, not run, refused, or an error of the phase."""

    def decorate(
        check: Callable[Concatenate[Subject, P], Verdict],
    ) -> Callable[Concatenate[Subject, P], Verdict]:
        def run(subject: Subject, /, *args: P.args, **kwargs: P.kwargs) -> Verdict:
            try:
                reason = subject.target.supports(subject.case)
                if reason is not None:
                    return subject.say(phase, "unsupported", str(reason))
                return check(subject, *args, **kwargs)
            except Unsupported as fault:
                return subject.say(phase, "unsupported", str(fault), **origin(fault))
            except NotRun as fault:
                return subject.say(phase, "not run", str(fault))
            except Refused as fault:
                lines = ["refused, but should be accepted:", *_lines(fault.message)]
                return subject.say(fault.phase, "fail", [*lines, *message.remembered(fault)], **origin(fault))
            except PhaseFault as fault:
                return subject.say(fault.phase, "error", fault.lines)
            except Exception as fault:  # whatever a target raises is an error of this case alone
                return subject.say(phase, "error", PhaseFault(phase, fault).lines)

        update_wrapper(run, check)
        return run

    return decorate


def origin(fault: Refused | Unsupported) -> dict[str, Any]:
    """For a verdict's figures: whether the target was asked, or its answer remembered."""
    return {"engine": "remembered"} if fault.remembered else {}


def _lines(text: str) -> list[str]:
    return text.splitlines() or [""]
