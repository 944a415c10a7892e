"""A verdict: what one check of one case on one target found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from trt_conformance.core.case import Case
from trt_conformance.core.types import Phase

REFERENCE = "reference"
"""Stands where a target's name stands, in verdicts on the suite's own data."""

Status = Literal["pass", "fail", "error", "fallback", "unsupported", "not run"]

# What a status means for the run: a fault, nothing learnt, or good.
FAULTS: tuple[Status, ...] = ("fail", "error")
NEUTRAL: tuple[Status, ...] = ("fallback", "unsupported", "not run")


@dataclass(frozen=True)
class Verdict:
    """Phase, status, one message for people, and figures for machines (JSON values only).

    pass: does what the case states. fail: does something else. error: the harness or the target broke.
    fallback: right values in a wider precision than the
    target was told to use (a fail where the case demands the precision). unsupported: the target has no such
    feature. not run: nothing was tried, with the reason.
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
        return vars(self) | {"claims": list(self.claims), "figures": dict(self.figures)}


def verdict(case: Case, target: str, phase: Phase, status: Status, message: str = "", **figures: Any) -> Verdict:
    """A verdict on a case."""
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
