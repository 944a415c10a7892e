"""A verdict: the result of one check of one case on one target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from trt_conformance.core.case import Case
from trt_conformance.core.types import Phase

REFERENCE = "reference"
"""The target name in verdicts on the suite's own data."""

Status = Literal["pass", "fail", "error", "fallback", "unsupported", "not run"]

# Statuses that fail the run, and those that say nothing about the target. `pass` is the one that is left.
FAULTS: tuple[Status, ...] = ("fail", "error")
NEUTRAL: tuple[Status, ...] = ("fallback", "unsupported", "not run")


@dataclass(frozen=True)
class Verdict:
    """The result of a check: phase, status, a message for people, and figures (JSON values only) for machines.

    pass: the target does what the case states. fail: it does something else. error: the harness or the target broke.
    fallback: the values are right, but in a wider precision than requested; where the case demands the precision, this
    is a fail. unsupported: the target does not have the feature. not run: nothing was tried, for the stated reason.
    """

    case: str
    target: str
    phase: Phase
    status: Status
    check: str = ""
    message: str = ""
    location: str = ""
    claims: tuple[str, ...] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)
    known: str = ""

    @property
    def is_fault(self) -> bool:
        return self.status in FAULTS

    def to_json(self) -> dict[str, Any]:
        """JSON values, from which `from_json` makes an equal verdict."""
        return vars(self) | {"claims": list(self.claims), "figures": dict(self.figures)}

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Verdict:
        """Make a verdict from what `to_json` gives; keys that a verdict does not have are ignored."""
        given = {key: value for key, value in entry.items() if key in _FIELDS}
        return cls(**given | {"claims": tuple(given.get("claims", ()))})


_FIELDS = frozenset(field.name for field in fields(Verdict))


def verdict(case: Case, target: str, phase: Phase, status: Status, message: str = "", **figures: Any) -> Verdict:
    """Make a verdict on a case."""
    return Verdict(
        case=case.id,
        target=target,
        phase=phase,
        status=status,
        message=message,
        location=case.location,
        claims=case.claims,
        figures=figures,
    )
