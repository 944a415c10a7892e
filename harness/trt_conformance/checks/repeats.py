"""Does one engine give the same bits each time that it runs?"""

from __future__ import annotations

import time

import numpy as np

from trt_conformance.checks.finding import Finding, finding
from trt_conformance.checks.other_input import other_input
from trt_conformance.checks.subject import Subject, judged
from trt_conformance.core.tensors import INPUT, OUTPUT, feeds_of
from trt_conformance.numerics.compare import same_bits

FIRST, OTHER, NAN = range(3)
"""The inputs that are run, by their place among all inputs."""
BRIEF_S, SMALL_BYTES = 1.0, 2**20
"""Runs that take less time, on inputs and outputs of fewer bytes, are done in one call of the target's process."""
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
    feeds, began = feeds_of(case), time.perf_counter()
    first = subject.feed(case, feeds)[OUTPUT]
    is_brief = time.perf_counter() - began < BRIEF_S and feeds[INPUT].nbytes + first.nbytes <= SMALL_BYTES
    inputs = (
        lambda: feeds,
        lambda: {INPUT: other_input(case, case.run_shapes[0])},
        lambda: {INPUT: np.full_like(feeds[INPUT], np.nan)},
    )
    order, after = _order(times, has_nan=case.quantize is None)
    number = 1
    with np.errstate(invalid="ignore"):  # NaN also for a target that computes in this process
        for place, outputs in enumerate(subject.feed_each(case, inputs, order, together=is_brief)):
            if order[place] != FIRST:
                continue
            number, again = number + 1, outputs[OUTPUT]
            if not same_bits(first, again):
                wrong = (first != again).sum() if first.shape == again.shape else again.size
                said = f"run {number} of {times} differs in {wrong} of {again.size} elements from the first run"
                return finding([said + after.get(number, "")])
    return finding([])


def _order(times: int, has_nan: bool) -> tuple[list[int], dict[int, str]]:
    """The inputs of all runs but the first one, and what some runs of the first input follow, by their number."""
    order: list[int] = []
    after: dict[int, str] = {}
    for number in range(2, times + 1):
        if number == times // 2 + 1:
            order.append(OTHER)
            after[number] = ", after another input was run"
        if number == times and has_nan:
            order.append(NAN)
            after[number] = ", after an input of NaN was run"
        order.append(FIRST)
    return order, after
