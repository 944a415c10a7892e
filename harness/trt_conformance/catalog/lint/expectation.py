"""Checks the expected output of a case against the reference."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache

import numpy as np

from trt_conformance.catalog.explain import Problem
from trt_conformance.catalog.lint.vacuous import is_cheap
from trt_conformance.core.case import Case
from trt_conformance.numerics.exactness import inexact
from trt_conformance.numerics.printed import parse as parse_printed
from trt_conformance.numerics.reference.result import reference
from trt_conformance.numerics.rounding import unsuited

Shape = tuple[int, ...]


def lint_expectation(case: Case, outputs: list[Shape]) -> Iterator[Problem]:
    """Yield the expected shape and the printed values that the output cannot have."""
    expected = case.expect.shape
    if expected is not None and expected not in outputs:
        actual = " or ".join(str(list(shape)) for shape in outputs)
        yield ("expect", "shape"), f"expect.shape is {list(expected)}, but the output is {actual}"
    shape = expected or outputs[0]
    for name in ("printed", "ideal"):
        text = getattr(case.expect, name)
        misprint = None if text is None else _misprint(text, shape)
        if misprint:
            yield ("expect", name), f"expect.{name}: {misprint}"


@cache
def _misprint(text: str, shape: Shape) -> str | None:
    try:
        parse_printed(text, shape)
    except ValueError as error:
        return str(error)
    return None


def lint_exact(case: Case, outputs: list[Shape]) -> Iterator[Problem]:
    """Yield a problem if the case is declared exact but a sum may be rounded."""
    if not case.exact:
        return
    if not all(is_cheap(case, shape, output) for shape, output in zip(case.run_shapes, outputs, strict=True)):
        yield ("exact",), "exact: the case is too large to verify here; use a smaller one"
    elif reason := _inexact(case):
        yield ("exact",), f"not exact: {reason}"


def _inexact(case: Case) -> str | None:
    with np.errstate(all="ignore"):
        return inexact(case)


def lint_distinguishes(case: Case, outputs: list[Shape]) -> Iterator[Problem]:
    """Yield the problems of the values by which a case distinguishes implementations."""
    if not case.distinguishes:
        return
    values = list(case.distinguishes.values())
    if not is_cheap(case, case.run_shapes[0], outputs[0]) or math.prod(outputs[0]) == 0:
        yield ("distinguishes",), "distinguishes: the case is empty, or too large to verify here; use a small one"
    elif len(set(values)) < max(2, len(values)):
        yield ("distinguishes",), "distinguishes: expected at least two names with different values"
    elif (right := _first_element(case)) not in values:
        yield ("distinguishes",), f"distinguishes: no value equals that of the reference, {right!r}"


def _first_element(case: Case) -> float:
    with np.errstate(all="ignore"):
        return float(reference(case, case.run_shapes[0]).output.flat[0])


def lint_rounding(case: Case, outputs: list[Shape]) -> Iterator[Problem]:
    """Yield the problem of a case whose errors must be judged together, but do not reveal how a target rounds."""
    reason = unsuited(case, math.prod(outputs[0])) if case.rounding else None
    if reason is not None:
        yield ("rounding",), f"rounding: {reason}"
