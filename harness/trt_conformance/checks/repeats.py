"""Does one engine give the same bits each time that it runs?"""

from __future__ import annotations

from trt_conformance.checks.finding import Finding, finding
from trt_conformance.checks.other_input import other_input
from trt_conformance.checks.subject import Subject, judged
from trt_conformance.core.tensors import INPUT, OUTPUT, feeds_of
from trt_conformance.numerics.compare import same_bits


@judged("run", results=1)
def check_repeats(subject: Subject, times: int) -> Finding:
    """Every run of one input gives the bits of the first one, also after another input has been run.

    Args:
        subject: the case on its target.
        times: how many runs of the same input, at least 2. Another input is run in the middle.
    """
    case = subject.case
    feeds = feeds_of(case)
    first = subject.feed(case, feeds)[OUTPUT]
    for number in range(2, times + 1):
        if number == times // 2 + 1:
            subject.feed(case, {INPUT: other_input(case, case.run_shapes[0])})
        again = subject.feed(case, feeds)[OUTPUT]
        if not same_bits(first, again):
            wrong = (first != again).sum() if first.shape == again.shape else again.size
            return finding([f"run {number} of {times} differs in {wrong} of {again.size} elements from the first run"])
    return finding([])
