"""What a target raises, and what isolation raises on its behalf."""

from __future__ import annotations

from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.types import Constraint, RejectPhase


class TargetOptionError(ConformanceError):
    """An option that this version of the target does not have."""


class TargetCrashed(RuntimeError):
    """The worker process died in the middle of a call."""


class TargetHung(RuntimeError):
    """A call took longer than its time limit; the worker was killed."""


class TargetFault(RuntimeError):
    """An exception of the target that the protocol does not define; its type is part of the message."""


class TargetLost(TargetFault):
    """A CUDA error after which no later call of the worker succeeds; the worker was ended."""


def named(fault: BaseException) -> str:
    """The message of an exception, preceded by its type; a TargetFault has the original's type already."""
    return str(fault) if isinstance(fault, TargetFault) else f"{type(fault).__name__}: {fault}"


class Unsupported(Exception):
    """The target has no such feature; the message says which."""

    remembered = False


class NotRun(Exception):
    """The target could do it on another machine, not on this one; the message says why."""


class Refused(Exception):
    """The target refused a configuration, in a phase, with the messages it gave.

    ``remembered``: it did so when it was last asked, and was not asked again. ``constraint`` is the label of the
    constraint that the case violates, where the target refuses by the reference's rules.
    """

    remembered = False

    def __init__(self, phase: RejectPhase, message: str, constraint: Constraint | None = None) -> None:
        super().__init__(phase, message)
        self.phase = phase
        self.message = message
        self.constraint = constraint

    def __str__(self) -> str:
        return self.message
