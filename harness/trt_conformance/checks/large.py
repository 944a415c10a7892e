"""Checks cases whose tensors are too large to be stored or computed at once: image by image.

The seed of an image is the case's seed plus the image's number. So no two images have the same content, and an
address that overflows into another image shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from typing import TypeVar

import numpy as np

from trt_conformance.checks import message
from trt_conformance.checks.engine_facts import basis_of, describe
from trt_conformance.checks.finding import Finding
from trt_conformance.checks.precision import judge_precision
from trt_conformance.checks.subject import Subject, judged
from trt_conformance.core.arrays import Array
from trt_conformance.core.case import Case
from trt_conformance.core.tensors import INPUT, NUMPY_TYPE, OUTPUT, case_data
from trt_conformance.numerics.bounds.basis import bound_on
from trt_conformance.numerics.compare import Comparison, compare, figures_of, structure_faults
from trt_conformance.numerics.reference.blocked import one_thread
from trt_conformance.numerics.reference.epilogue import network_result, network_shape
from trt_conformance.numerics.reference.result import reference
from trt_conformance.numerics.reference.shape import output_shape

T = TypeVar("T")


def images(case: Case) -> Iterator[Case]:
    """Each image of the case as a separate case with a batch of one."""
    for number in range(case.input.shape[0]):
        update = {"shape": (1, *case.input.shape[1:]), "seed": case.input.seed + number}
        yield case.model_copy(update={"input": case.input.model_copy(update=update)})


def large_input(case: Case) -> Array:
    """The case's input ``(N, C, *spatial)`` in its type, filled image by image."""
    x = np.empty(case.input.shape, dtype=NUMPY_TYPE[case.data_type])

    def make(number: int, image: Case) -> None:
        x[number] = case_data(image).input[0]

    _each(case, make)
    return x


def _each(case: Case, do: Callable[[int, Case], T]) -> list[T]:
    """Apply ``do`` to each image, several at a time, with BLAS limited to one thread each. Returns the results."""
    many = case.input.shape[0] > 1
    with one_thread() if many else nullcontext(), ThreadPoolExecutor() as pool:
        return list(pool.map(do, range(case.input.shape[0]), images(case)))


@judged("compare")
def check_large(subject: Subject) -> Finding:
    """Every image of the output lies within the bound around the reference of that image.

    The precision that ran is judged as in `check_forward`.
    """
    case, engine = subject.case, subject.runnable(subject.case)
    layer = output_shape(case.input.shape, case.kernel.shape, case.attributes)
    outputs = subject.feed(case, {INPUT: large_input(case)})
    shape = network_shape(case, layer, case.input.shape)
    faults = structure_faults(outputs, OUTPUT, shape, NUMPY_TYPE[case.data_type])
    if faults:
        return Finding("fail", faults)
    facts, described = describe(case, engine)
    rests_on = basis_of(case, facts)

    def compared(number: int, image: Case) -> Comparison:
        result = reference(image)
        expected, limits = network_result(image, result, bound_on(image, result, rests_on), image.input.shape)
        found = compare(outputs[OUTPUT][number : number + 1], expected, limits)
        return replace(found, worst=(number, *found.worst[1:]))

    found = _each(case, compared)
    wrong = sum(not image.passed for image in found)
    worst = max(found, key=lambda image: image.fraction)
    figures = figures_of(worst) | {"bound_for": rests_on} | described
    if not wrong:
        return judge_precision(case, facts, None, figures)
    lines = [f"{wrong} of {case.input.shape[0]} images are wrong; the worst of them:", *message.mismatch(worst)]
    return Finding("fail", [*lines, *message.engine_line(facts)], figures)
