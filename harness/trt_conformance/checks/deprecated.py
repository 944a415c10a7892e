"""Deprecated attribute names give the same layer as the current ones."""

from __future__ import annotations

from trt_conformance.checks.finding import Finding
from trt_conformance.checks.subject import Subject, judged
from trt_conformance.targets.errors import Refused, Unsupported
from trt_conformance.targets.protocols import offers


@judged("network", asks_support=False)
def check_deprecated(subject: Subject) -> Finding:
    """A deprecated name warns as documented where it exists, and is absent where it was removed."""
    case, target = subject.case, subject.target
    assert case.deprecated is not None
    if not offers(target, "missing_name", "define"):
        return Finding("unsupported", ["the target does not have the names of TensorRT's API"])
    name, text = case.deprecated.name, case.deprecated.warning
    missing = target.missing_name(case)
    if missing is not None:
        return Finding("pass", figures={"absent": missing})
    try:
        given = target.define(case).warnings
    except (Refused, Unsupported) as fault:
        return Finding("fail", [f"`{name}` was refused: {fault}"])
    if any(warning.rstrip(".") == text.rstrip(".") for warning in given):
        return Finding("pass", figures={"warning": text})
    shown = ", ".join(repr(warning) for warning in given) or "none"
    return Finding("fail", [f"`{name}` should warn {text!r}, but the DeprecationWarnings were: {shown}"])
