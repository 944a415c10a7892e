"""Does one engine give the same bits each time that it runs?"""

from __future__ import annotations

import numpy as np

from trt_conformance.checks.finding import Finding, finding
from trt_conformance.checks.other_input import other_input
from trt_conformance.checks.subject import Subject, judged
from trt_conformance.core.tensors import INPUT, OUTPUT, feeds_of
from trt_conformance.numerics.compare import same_bits

TIMES = 17
"""How often the suite runs an engine: a fault in one of eight runs is found with a probability of 88 %."""


@judged("run", results=1)
def check_repeats(subject: Subject, times: int = TIMES) -> Finding:
    """Every run of one input gives the bits of the first one, also after another input and after NaN have been run.

    Args:
        subject: the case on its target.
        times: how many runs of the same input, at least 2. Another input is run in the middle, and one full of NaN
            before the last run, unless the operands are quantized: no document says what NaN is quantized to.
    """
    case = subject.case
    subject.runnable(case)
    feeds = feeds_of(case)
    first = subject.feed(case, feeds)[OUTPUT]
    for number in range(2, times + 1):
        after = ""
        if number == times // 2 + 1:
            subject.feed(case, {INPUT: other_input(case, case.run_shapes[0])})
            after = ", after another input was run"
        if number == times and case.quantize is None:
            with np.errstate(invalid="ignore"):  # also for a target that computes in this process
                subject.feed(case, {INPUT: np.full_like(feeds[INPUT], np.nan)})
            after = ", after an input of NaN was run"
        again = subject.feed(case, feeds)[OUTPUT]
        if not same_bits(first, again):
            wrong = (first != again).sum() if first.shape == again.shape else again.size
            return finding(
                [f"run {number} of {times} differs in {wrong} of {again.size} elements from the first run{after}"]
            )
    return finding([])
