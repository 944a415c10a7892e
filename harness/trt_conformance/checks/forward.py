"""The checks of a case on a target, phase by phase. Each returns a verdict and raises nothing.

The way of the data: case -> Target.build -> Engine.run -> compare -> verdict.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, get_args

from trt_conformance.checks import message
from trt_conformance.checks.engine_facts import _describe, basis_of
from trt_conformance.checks.evidence import evidence
from trt_conformance.checks.message import Named
from trt_conformance.checks.precision import NARROW, UNKNOWN, arithmetic
from trt_conformance.checks.subject import Subject, judged
from trt_conformance.core.tensors import NUMPY_TYPE, OUTPUT
from trt_conformance.core.types import Precision
from trt_conformance.core.verdict import Verdict
from trt_conformance.numerics.bounds.basis import bound_on
from trt_conformance.numerics.compare import Comparison, compare, figures_of, structure_faults
from trt_conformance.numerics.reference.epilogue import network_result


@judged("compare")
def check_forward(subject: Subject) -> Verdict:
    """Every run shape's output lies within the bound around the golden reference."""
    case = subject.case
    worst: Comparison | None = None
    shown: dict[str, Any] = {}
    probed: str | None = None
    suspects: Sequence[Named] = ()
    bits = hashlib.sha256()
    facts, described = _describe(subject.engine(case))
    rests_on = basis_of(case, facts)
    for index, shape in enumerate(case.run_shapes):
        golden = subject.golden(case, index)
        outputs = subject.run(case, index)
        expected, limits = network_result(case, golden, bound_on(case, golden, rests_on), shape)
        faults = structure_faults(outputs, OUTPUT, expected.shape, NUMPY_TYPE[case.data_type])
        if faults:
            return subject.say("compare", "fail", faults)
        actual = outputs[OUTPUT]
        bits.update(actual.tobytes())
        if not expected.size and len(case.run_shapes) > 1:  # an empty batch has a shape and a type, and no more
            continue
        probed = probed or arithmetic(case, actual)
        found = compare(actual, expected, limits)
        if worst is None or not found.fraction <= worst.fraction:
            worst = found
        if not found.passed:
            if found.elements:
                shown["evidence"] = evidence(
                    case, shape, actual=actual, expected=expected, bound=limits, worst=found.worst
                )
                suspects = subject.diagnose(case, index, actual, golden)
            break
    assert worst is not None
    figures = figures_of(worst) | {"bound_for": rests_on} | described | ({"arithmetic": probed} if probed else {})
    if not worst.passed:
        numbers = [f"these are the numbers of {probed}"] if probed and probed != UNKNOWN else []
        lines = [*message.mismatch(worst), *numbers, *message.as_if(suspects), *message.engine_line(facts)]
        shown["as_if"] = [suspect.name for suspect in suspects]
        return subject.say("compare", "fail", lines, **figures, **shown)
    figures |= {"output_sha256": bits.hexdigest()[:16]}
    demanded = case.runs_in or NARROW.get(case.precision)
    said = (probed, facts.precision if facts is not None else None)
    other = [ran for ran in said if ran in get_args(Precision) and ran != demanded]
    if demanded is None or not other:
        return subject.say("compare", "pass", **figures)
    what = f"the values are right, but it ran in {other[0]}, not in {demanded}"
    if case.runs_in is None:
        return subject.say("compare", "fallback", what, **figures)
    return subject.say("compare", "fail", [what, *message.engine_line(facts)], **figures)
