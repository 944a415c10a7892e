"""A case on a target, and the decorator that turns what a check finds, or what breaks in it, into a verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import update_wrapper
from typing import Any, Concatenate, ParamSpec, TypeVar

from trt_conformance.checks import message
from trt_conformance.checks.finding import Finding
from trt_conformance.checks.memory_limit import lack_of_memory
from trt_conformance.checks.message import Named
from trt_conformance.core.arrays import Array
from trt_conformance.core.case import Case
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.tensors import feeds_of, runtime_feeds
from trt_conformance.core.types import Phase
from trt_conformance.core.verdict import FAULTS, Verdict, verdict
from trt_conformance.numerics.reference.result import Result
from trt_conformance.targets.engines import Engines
from trt_conformance.targets.errors import NotRun, Refused, TargetCrashed, TargetHung, Unsupported, named
from trt_conformance.targets.protocols import Engine, RunsElsewhere, offers

P = ParamSpec("P")
T = TypeVar("T")

Golden = Callable[[Case, int], Result]
"""Gives the reference of a case's run, by the index of its run shape."""
Diagnose = Callable[..., Sequence[Named]]
"""Gives the known wrong convolutions that would explain a wrong output, from the case, the run and its reference.

Further arguments: the suspects among which to look, and the input that was run, where it is not the run's own.
"""


def undiagnosed(*_: Any) -> tuple[Named, ...]:
    """Explains nothing."""
    return ()


def nothing_known(fault: Verdict) -> bool:
    """Knows no difference."""
    return False


@dataclass(frozen=True)
class Subject:
    """A case on a target, with the target's built engines, the goldens, and the diagnosis of wrong outputs.

    ``memory_limit``: bytes that the tensors of a case, its reference among them, may take in this process.
    ``knows``: whether a fault is a known difference.
    """

    case: Case
    engines: Engines
    golden: Golden
    diagnose: Diagnose = undiagnosed
    memory_limit: int | None = None
    knows: Callable[[Verdict], bool] = nothing_known

    @property
    def target(self) -> Any:
        return self.engines.target

    def engine(self, case: Case) -> Engine:
        """The case's engine.

        Raises:
            Refused, Unsupported, NotRun: as the target does.
            PhaseFault: the target raised anything else, in phase build.
        """
        with _in_phase("build"):
            return self.engines.get(case)

    def runnable(self, case: Case) -> Engine:
        """The case's engine, if it can run on this machine: asked before a large input is made. Raises as `engine`."""
        engine = self.engine(case)
        if offers(engine, "check_runs"):
            with self.running(case):
                engine.check_runs()
        return engine

    def run(self, case: Case, index: int = 0) -> dict[str, Array]:
        """The outputs of a case on its ``index``-th run shape. Raises as `engine` does, in phase run."""
        self.runnable(case)
        return self.feed(case, feeds_of(case, index))

    def feed(self, case: Case, feeds: dict[str, Array]) -> dict[str, Array]:
        """The outputs of a case's engine on inputs other than the case's. Raises as `engine` does, in phase run.

        A kernel and a bias that the network reads as inputs are the case's own.
        """
        engine = self.engine(case)
        with self.running(case):
            return engine.run(feeds | runtime_feeds(case))

    def feed_each(
        self, case: Case, inputs: Sequence[Callable[[], dict[str, Array]]], order: Sequence[int], together: bool
    ) -> Iterator[dict[str, Array]]:
        """As `feed`, for several inputs in the given order.

        Args:
            case: the case.
            inputs: make the inputs.
            order: which of them each run has.
            together: whether a target in another process does all runs in one call. They then have the time limit of
                one run, and their inputs and outputs are in memory together.
        """
        engine = self.engine(case)
        if not together or not isinstance(engine, RunsElsewhere):
            return (self.feed(case, inputs[index]()) for index in order)
        batch = [make() | runtime_feeds(case) if index in order else {} for index, make in enumerate(inputs)]
        with self.running(case):
            return iter(engine.run_each(batch, order))

    def run_beside(self, case: Case, index: int, work: Callable[[], T]) -> tuple[dict[str, Array], T]:
        """As `run`, and what ``work`` gives, which is done meanwhile if the target runs in another process.

        What ``work`` raises goes before what the target does; it must not call the target.
        """
        engine = self.runnable(case)
        if not isinstance(engine, RunsElsewhere):
            found = work()
            return self.run(case, index), found
        with self.running(case):
            outputs = engine.begin_run(feeds_of(case, index))
        try:
            found = work()
        except BaseException:
            with suppress(Exception), self.running(case):
                outputs()  # else a later call would receive them
            raise
        with self.running(case):
            return outputs(), found

    def is_known(self, check: str, lines: Sequence[str]) -> bool:
        """Whether a wrong output that these lines describe is a known difference, whatever would explain it.

        Args:
            check: the check that found it.
            lines: those of its finding, without a diagnosis.
        """
        text = message.failure(self.case, "compare", lines)
        return self.knows(replace(verdict(self.case, self.engines.target.name, "compare", "fail", text), check=check))

    @contextmanager
    def running(self, case: Case) -> Iterator[None]:
        """Attribute what breaks inside to phase run. After a crash or a hang, the case's later checks do not retry."""
        with _in_phase("run"):
            try:
                yield
            except (TargetCrashed, TargetHung) as fault:
                self.engines.condemn(case, PhaseFault("run", fault))
                raise


class PhaseFault(Exception):
    """Something broke in a phase of a check; the message names the exception."""

    def __init__(self, phase: Phase, fault: Exception) -> None:
        super().__init__(phase, fault)
        self.phase = phase
        self.lines = named(fault).splitlines()


@contextmanager
def _in_phase(phase: Phase) -> Iterator[None]:
    """Turn whatever breaks into a fault of the phase. The exceptions of the target protocol pass through."""
    try:
        yield
    except (Refused, Unsupported, NotRun, ConformanceError, PhaseFault):
        raise
    except Exception as fault:
        raise PhaseFault(phase, fault) from fault


def judged(
    phase: Phase, asks_support: bool = True, results: int = 0
) -> Callable[[Callable[Concatenate[Subject, P], Finding | Verdict]], Callable[Concatenate[Subject, P], Verdict]]:
    """Turn what a check finds, or what the target raises in it, into a verdict of the phase.

    A check may also return the verdict of another check, which is passed on as it is.

    Args:
        phase: the phase of findings that state none.
        asks_support: whether a target that does not support the case gets the verdict unsupported, unchecked.
        results: how many of the case's results the check holds at once; a case for which they exceed the memory limit
            gets the verdict not run, unchecked.
    """

    def decorate(
        check: Callable[Concatenate[Subject, P], Finding | Verdict],
    ) -> Callable[Concatenate[Subject, P], Verdict]:
        def run(subject: Subject, /, *args: P.args, **kwargs: P.kwargs) -> Verdict:
            try:
                found = _unchecked(subject, asks_support, results) or check(subject, *args, **kwargs)
            except Exception as fault:  # whatever a target raises is an error of this case alone
                found = raised(fault, phase)
            return found if isinstance(found, Verdict) else _verdict(subject, phase, found)

        update_wrapper(run, check)
        return run

    return decorate


def _unchecked(subject: Subject, asks_support: bool, results: int) -> Finding | None:
    """The finding of a case that a check leaves out; None if it checks it."""
    reason = subject.target.supports(subject.case) if asks_support else None
    if reason is not None:
        return Finding("unsupported", [str(reason)])
    lack = lack_of_memory(subject.case, subject.memory_limit, results) if results else None
    return None if lack is None else Finding("not run", [lack])


def raised(fault: Exception, phase: Phase) -> Finding:
    """What an exception of a check means: unsupported, not run, refused, or an error of the phase."""
    if isinstance(fault, MemoryError):
        return Finding("not run", [f"out of memory ({fault}); lower --memory-limit"])
    if isinstance(fault, Unsupported):
        return Finding("unsupported", [str(fault)], origin(fault))
    if isinstance(fault, NotRun):
        return Finding("not run", [str(fault)])
    if isinstance(fault, Refused):
        lines = ["refused, but should be accepted:", *(fault.message.splitlines() or [""]), *message.remembered(fault)]
        return Finding("fail", lines, origin(fault), fault.phase)
    fault = fault if isinstance(fault, PhaseFault) else PhaseFault(phase, fault)
    return Finding("error", fault.lines, phase=fault.phase)


def origin(fault: Refused | Unsupported) -> dict[str, Any]:
    """For a verdict's figures: marks an answer that comes from the build cache."""
    return {"engine": "remembered"} if fault.remembered else {}


def _verdict(subject: Subject, phase: Phase, found: Finding) -> Verdict:
    stated = found.phase or phase
    in_phase: Phase = "network" if stated == "set" else stated
    is_fault = found.status in FAULTS
    text = message.failure(subject.case, in_phase, found.lines) if is_fault else "\n".join(found.lines)
    figures = dict(found.figures)
    note = subject.engines.take_note()
    if note:
        figures["cache"] = note
    return verdict(subject.case, subject.engines.target.name, in_phase, found.status, text, **figures)
