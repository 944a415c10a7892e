"""Deprecated attribute names give the same layer as the current ones."""

from __future__ import annotations

from trt_conformance.checks.subject import PhaseFault, Subject
from trt_conformance.core.verdict import Verdict
from trt_conformance.targets.errors import Refused, Unsupported
from trt_conformance.targets.protocols import offers


def check_deprecated(subject: Subject) -> Verdict:
    """An old name warns as documented where it exists, and is absent where it was removed."""
    case, target = subject.case, subject.target
    assert case.deprecated is not None
    if not offers(target, "missing_name", "define"):
        return subject.say("network", "unsupported", "the target has no names of TensorRT's API")
    name, text = case.deprecated.name, case.deprecated.warning
    missing = target.missing_name(case)
    if missing is not None:
        return subject.say("network", "pass", absent=missing)
    try:
        given = target.define(case).warnings
    except (Refused, Unsupported) as fault:
        return subject.say("network", "fail", [f"`{name}` was refused: {fault}"])
    except Exception as fault:  # whatever a target raises is an error of this case alone
        return subject.say("network", "error", PhaseFault("network", fault).lines)
    if any(warning.rstrip(".") == text.rstrip(".") for warning in given):
        return subject.say("network", "pass", warning=text)
    shown = ", ".join(repr(warning) for warning in given) or "none"
    return subject.say("network", "fail", [f"`{name}` should warn {text!r}; DeprecationWarnings given: {shown}"])
