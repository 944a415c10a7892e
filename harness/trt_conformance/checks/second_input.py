"""Does an engine compute the input it is given, and not one that it has seen before?"""

from __future__ import annotations

import math

import numpy as np

from trt_conformance.checks import message
from trt_conformance.checks.engine_facts import limits_of
from trt_conformance.checks.subject import Subject, judged
from trt_conformance.core.arrays import Array
from trt_conformance.core.case import Case, TensorSpec
from trt_conformance.core.tensors import INPUT, NUMPY_TYPE, OUTPUT, case_data
from trt_conformance.core.verdict import Verdict
from trt_conformance.numerics.compare import compare, same_bits, structure_faults
from trt_conformance.numerics.reference.epilogue import network_result
from trt_conformance.numerics.reference.result import reference


def other_input(case: Case, shape: tuple[int, ...]) -> Array:
    """A run's input from its last element to its first, or with its signs turned where that changes nothing."""
    x = case_data(case, shape).input
    turned = np.ascontiguousarray(x.ravel()[::-1].reshape(x.shape))
    return turned if turned.tobytes() != x.tobytes() else np.asarray(-x)


@judged("compare")
def check_inputs(subject: Subject) -> Verdict:
    """A second input of the same shape has its own output, and the first input after it the bits it had before."""
    case = subject.case
    index, shape = next((i, shape) for i, shape in enumerate(case.run_shapes) if math.prod(shape))
    second = other_input(case, shape)
    values = tuple(second.astype(np.float64).ravel().tolist())
    source = TensorSpec.model_construct(shape=shape, fill=None, values=values, seed=0)
    other = case.model_copy(update={"input": source, "dynamic": None})
    result = reference(other)
    first = subject.run(case, index)[OUTPUT]
    outputs = subject.feed(case, {INPUT: second})
    again = subject.run(case, index)[OUTPUT]
    expected, limits = network_result(other, result, limits_of(other, result, subject.engine(case)), shape)
    faults = structure_faults(outputs, OUTPUT, expected.shape, NUMPY_TYPE[case.data_type])
    if not faults:
        found = compare(outputs[OUTPUT], expected, limits)
        if not found.passed:
            suspects = subject.diagnose(other, 0, outputs[OUTPUT], result)
            faults = [*message.mismatch(found, "a second input of the same shape"), *message.as_if(suspects)]
    if not faults and not same_bits(first, again):
        faults = ["the first input has other bits after the second than before it"]
    return subject.say("compare", "fail" if faults else "pass", faults or "")
