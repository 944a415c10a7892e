"""Finds the failure that a report is about: one verdict of a record on TensorRT, and what its program shows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from trt_conformance.core.case import Case, Rejection
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.target_name import TargetName
from trt_conformance.core.types import PHASES
from trt_conformance.core.verdict import Verdict
from trt_conformance.repro.large import not_large
from trt_conformance.results.record.record import Record
from trt_conformance.targets.tensorrt.library import LIBRARY

Shows = Literal["refusal", "acceptance", "facts", "values", "size", "rounding", "report"]
"""What a program shows. refusal: something valid is refused. acceptance: something is accepted, or is refused with
another error, that must be refused. facts: a shape or an attribute is wrong. values: an output is wrong. size: a plan
is much larger than its weights. rounding: the errors of an output, taken together, are not those of rounding. report:
an engine says something else about itself than the case states."""

VALUE_CHECKS = ("forward", "inputs", "latency")
"""Checks whose wrong output one plain run shows."""
SHOWN_CHECKS = ("network", "build", "plan_size", "reject", "rounding", "engine", *VALUE_CHECKS)

_REFUSED = "refused, but should be accepted"
_ACCEPTED = "accepted, but "
_RIGHT_VALUES = "the values are right"


@dataclass(frozen=True)
class Failure:
    """A verdict that is a fault or a known difference, with the environment of its target and what to show of it."""

    verdict: Verdict
    target: TargetName
    facts: dict[str, Any]
    shows: Shows
    expected: Rejection | None = None

    @property
    def version(self) -> tuple[int, ...]:
        """TensorRT's version: (8, 6, 1)."""
        return tuple(int(part) for part in re.findall(r"\d+", str(self.facts.get("version") or self.target.version)))

    @property
    def is_rtx(self) -> bool:
        return self.target.flavor == "tensorrt_rtx"

    @property
    def is_ahead_of_time(self) -> bool:
        """Whether the engine was built on a machine without a GPU that can run it."""
        return self.target.gpu == "aot"

    def is_strongly_typed(self, case: Case) -> bool:
        """Whether the network was made strongly typed: as the case says, else wherever that exists."""
        if case.is_quantized_implicitly:
            return False
        has_strong_typing = self.is_rtx or self.version[:1] >= (9,)
        return has_strong_typing if case.typing is None else case.typing == "strong"

    @property
    def lines(self) -> list[str]:
        """The verdict's message without its headline, as lines without indentation."""
        _, *lines = self.verdict.message.splitlines() or [""]
        lines = [line.strip() for line in lines] or [self.verdict.message.strip()]
        return ["accepted"] if lines[0].startswith(_ACCEPTED) else lines


def find_failure(record: Record, case: Case, target: str | None = None, check: str | None = None) -> Failure:
    """The first failure of a case on TensorRT in a record, in the order of phases; known differences are failures too.

    Args:
        record: the run.
        case: the case, as its file states it.
        target: only on this target (a full name, or a flavor).
        check: only of this check.

    Raises:
        ConformanceError: there is no such failure, it is not one of TensorRT, or no program shows it.
    """
    verdicts = [v for v in record.verdicts if v.case == case.id and check in (None, v.check) and _is_on(v, target)]
    wanted = " ".join([case.id, *(["on", target] if target else []), *(["in check", check] if check else [])])
    if not verdicts:
        raise ConformanceError(f"the run has no verdict on {wanted}")
    failures = [v for v in verdicts if v.is_fault or v.known]
    if not failures:
        found = ", ".join(sorted({f"{v.check} on {v.target}: {v.status}" for v in verdicts}))
        raise ConformanceError(f"{wanted} has no failure in the run ({found})")
    ours = [v for v in failures if TargetName.parse(v.target).flavor in LIBRARY]
    if not ours:
        names = ", ".join(sorted({v.target for v in failures}))
        raise ConformanceError(f"{wanted} fails on {names} only; the program is one for {' or '.join(LIBRARY)}")
    reasons = []
    for verdict in sorted(ours, key=lambda v: PHASES.index(v.phase)):
        reason = _not_shown(verdict, case)
        if reason is None:
            return _failure(record, verdict, case)
        reasons.append(reason)
    raise ConformanceError(f"{case.id}: {'; '.join(dict.fromkeys(reasons))}")


def _is_on(verdict: Verdict, target: str | None) -> bool:
    return target in (None, verdict.target, TargetName.parse(verdict.target).flavor)


def _failure(record: Record, verdict: Verdict, case: Case) -> Failure:
    expected = case.rejection_on(verdict.target) if verdict.check == "reject" else None
    facts = record.header.environment.targets.get(verdict.target, {})
    return Failure(verdict, TargetName.parse(verdict.target), dict(facts), _shows(verdict), expected)


def _shows(verdict: Verdict) -> Shows:
    if verdict.check == "reject":
        return "acceptance"
    if _REFUSED in verdict.message:
        return "values" if verdict.phase == "run" else "refusal"
    if verdict.check == "network" and verdict.status == "fail":
        return "facts"
    if verdict.check == "plan_size" and verdict.status == "fail":
        return "size"
    if verdict.check == "rounding" and verdict.status == "fail" and "rounding" in verdict.figures:
        return "rounding"  # otherwise an element is beyond its bound
    if verdict.check == "engine" and verdict.status == "fail":
        return "report"
    return "refusal" if verdict.phase in ("network", "build") else "values"


def _not_shown(verdict: Verdict, case: Case) -> str | None:
    """Why no program shows a failure; None if one does."""
    if verdict.check not in SHOWN_CHECKS and not (_REFUSED in verdict.message or verdict.status == "error"):
        return f"`{verdict.check}` compares several runs; a program is written for {_listed(SHOWN_CHECKS)}"
    if _RIGHT_VALUES in verdict.message:
        return "its values are right; only the precision in which it ran differs"
    if case.large and _shows(verdict) == "values" and (reason := not_large(case)) is not None:
        return reason
    if case.misuse == "other_type":
        return "an engine gets an address, and does not know the type of the data"
    return None


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words)
