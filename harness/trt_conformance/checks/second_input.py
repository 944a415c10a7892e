"""Does an engine compute its current input, rather than an earlier one?"""

from __future__ import annotations

import math

from trt_conformance.checks import message
from trt_conformance.checks.engine_facts import network_result_on_engine
from trt_conformance.checks.explanation import Explanation
from trt_conformance.checks.finding import Finding, finding
from trt_conformance.checks.other_input import other_input, with_input
from trt_conformance.checks.subject import Subject, judged
from trt_conformance.core.tensors import INPUT, NUMPY_TYPE, OUTPUT
from trt_conformance.numerics.compare import compare, same_bits, structure_faults
from trt_conformance.numerics.reference.result import reference


@judged("compare", results=2)
def check_inputs(subject: Subject) -> Finding:
    """A second input of the same shape gives its own output, and the first input gives the same bits again after it."""
    case = subject.case
    engine = subject.runnable(case)
    index, shape = next((i, shape) for i, shape in enumerate(case.run_shapes) if math.prod(shape))
    second = other_input(case, shape)
    other = with_input(case, second)
    result = reference(other)
    first = subject.run(case, index)[OUTPUT]
    outputs = subject.feed(case, {INPUT: second})
    again = subject.run(case, index)[OUTPUT]
    expected, limits = network_result_on_engine(other, result, engine, shape)
    faults = structure_faults(outputs, OUTPUT, expected.shape, NUMPY_TYPE[case.data_type])
    if faults:
        return Finding("fail", faults)
    found = compare(outputs[OUTPUT], expected, limits)
    if not found.passed:
        explanation, lines = Explanation(), message.mismatch(found, "a second input of the same shape")
        if not subject.is_known("inputs", lines):
            explanation.name_suspects(subject, other, 0, outputs[OUTPUT], result)
        return Finding("fail", [*lines, *explanation.lines])
    same = same_bits(first, again)
    return finding([] if same else ["the bits of the first input's output differ after the second input was run"])
