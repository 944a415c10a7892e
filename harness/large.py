"""Checks cases whose tensors are too large to be stored or computed at once: image by image.

Every image of a large case has a seed of its own, the case's and its number added. So each has a content that no
other has, and an offset that overflows shows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from harness import message
from harness.checks import figures_of, limits_of
from harness.compare import Comparison, compare, structure_faults
from harness.data import INPUT, NUMPY_TYPE, OUTPUT, Array, case_data
from harness.model import Case
from harness.reference.after import network_result, network_shape
from harness.reference.result import reference
from harness.reference.shape import output_shape
from harness.subject import Subject, judged
from harness.verdict import Verdict


def images(case: Case) -> Iterator[Case]:
    """Each image of the case as a case of its own, with a batch of one."""
    for number in range(case.input.shape[0]):
        update = {"shape": (1, *case.input.shape[1:]), "seed": case.input.seed + number}
        yield case.model_copy(update={"input": case.input.model_copy(update=update)})


def large_input(case: Case) -> Array:
    """The case's input, made image by image."""
    x = np.empty(case.input.shape, dtype=NUMPY_TYPE[case.data_type])
    for number, image in enumerate(images(case)):
        x[number] = case_data(image).input[0]
    return x


@judged("compare")
def check_large(subject: Subject) -> Verdict:
    """Every image of the output lies within the bound around the reference of that image."""
    case, engine = subject.case, subject.engine(subject.case)
    layer = output_shape(case.input.shape, case.kernel.shape, case.attributes)
    outputs = subject.feed(case, {INPUT: large_input(case)})
    shape = network_shape(case, layer, case.input.shape)
    faults = structure_faults(outputs, OUTPUT, shape, NUMPY_TYPE[case.data_type])
    if faults:
        return subject.say("compare", "fail", faults)
    worst: Comparison | None = None
    wrong = 0
    for number, image in enumerate(images(case)):
        result = reference(image)
        expected, limits = network_result(image, result, limits_of(image, result, engine), image.input.shape)
        found = compare(outputs[OUTPUT][number : number + 1], expected, limits)
        wrong += not found.passed
        if worst is None or not found.fraction <= worst.fraction:
            worst = replace(found, worst=(number, *found.worst[1:]))
    assert worst is not None
    figures = figures_of(worst)
    if wrong:
        lines = [f"{wrong} of {case.input.shape[0]} images are wrong; of the worst of them:", *message.mismatch(worst)]
        return subject.say("compare", "fail", lines, **figures)
    return subject.say("compare", "pass", **figures)
