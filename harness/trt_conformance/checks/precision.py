"""Judges the precision that ran: by what the engine reports, and by a probe's output."""

from __future__ import annotations

from typing import Any, get_args

from trt_conformance.checks import message
from trt_conformance.checks.finding import Finding
from trt_conformance.core.arrays import Array
from trt_conformance.core.case import Case
from trt_conformance.core.runs_in import demanded
from trt_conformance.core.types import Precision
from trt_conformance.targets.protocols import EngineFacts

UNKNOWN = "unknown"


def arithmetic(case: Case, output: Array) -> str | None:
    """The arithmetic that gives the output's first element the value it has; None if the case is not a probe."""
    if not case.distinguishes:
        return None
    first = float(output.flat[0])
    return next((name for name, value in case.distinguishes.items() if value == first), UNKNOWN)


# Precisions that a target is asked for, and may silently not use. TF32 is only ever permitted.
NARROW: tuple[Precision, ...] = ("fp16", "bf16", "int8", "fp8")


def judge_precision(
    case: Case, target: str, facts: EngineFacts | None, probed: str | None, figures: dict[str, Any]
) -> Finding:
    """The values are right: a pass, unless they were computed in a precision that the case does not allow.

    ``target``: the name of the target, on which the precisions that the case allows may depend.
    """
    must = demanded(case.runs_in, target)
    allowed = must or ((case.precision,) if case.precision in NARROW else ())
    reported = (probed, facts.precision if facts is not None else None)
    other = [ran for ran in reported if ran in get_args(Precision) and ran not in allowed]
    if not allowed or not other:
        return Finding("pass", figures=figures)
    what = f"the values are right, but it ran in {other[0]}, not in {' or '.join(allowed)}"
    if not must:
        return Finding("fallback", [what], figures)
    return Finding("fail", [what, *message.engine_line(facts)], figures)
