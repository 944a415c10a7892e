"""Are the errors of an output, taken together, those of rounding to nearest?"""

from __future__ import annotations

from dataclasses import asdict

from trt_conformance.checks import message
from trt_conformance.checks.engine_facts import basis_of, describe
from trt_conformance.checks.finding import Finding, finding
from trt_conformance.checks.subject import Subject, judged
from trt_conformance.core.tensors import NUMPY_TYPE, OUTPUT, case_data
from trt_conformance.numerics.bounds.basis import bound_on
from trt_conformance.numerics.compare import compare, structure_faults
from trt_conformance.numerics.rounding import errors


@judged("compare", results=3)
def check_rounding(subject: Subject) -> Finding:
    """The errors of all elements have the sum and the sum of squares that rounding to nearest gives."""
    case = subject.case
    facts, described = describe(case, subject.runnable(case))
    rests_on = basis_of(case, facts)
    golden = subject.golden(case, 0)
    outputs = subject.run(case)
    faults = structure_faults(outputs, OUTPUT, golden.output.shape, NUMPY_TYPE[case.data_type])
    if faults:
        return Finding("fail", faults)
    actual = outputs[OUTPUT]
    found = compare(actual, golden.output, bound_on(case, golden, rests_on))
    if not found.passed:
        return Finding("fail", message.mismatch(found))
    together = errors(case, case_data(case), actual, rests_on)
    if together is None:
        return Finding("not run", [f"it is not known how the errors of a {rests_on} kernel add up"])
    figures = {"bound_for": rests_on, "rounding": asdict(together)} | described
    lines = together.faults
    if lines:
        lines += [
            f"{together.elements} elements; each is within its bound, and uses at most {found.fraction:.2g} of it"
        ]
        lines += message.engine_line(facts)
    return finding(lines, **figures)
