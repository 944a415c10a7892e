"""The exact cases on which each metamorphic relation is checked."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest

import numpy as np

from trt_conformance.checks.metamorphic import RELATIONS, given_input
from trt_conformance.core.builder_fields import Builder
from trt_conformance.core.case import Case, Formats
from trt_conformance.core.network_fields import Network
from trt_conformance.core.types import QUANTIZED_PRECISIONS

FLOATS, QUANTIZED = 12, 2
"""Cases for each relation: of all float precisions together, and of each quantized one. A build takes up to 1 s."""


def choose(cases: Sequence[Case]) -> list[tuple[str, Case]]:
    """Relations with cases that they apply to: a few of each, from as many files and precisions as there are."""
    floats = list(_spread(case for case in cases if not case.quantize))
    quantized = [
        list(_spread(case for case in cases if case.precision == precision)) for precision in QUANTIZED_PRECISIONS
    ]
    return [
        (name, case)
        for turn, name in enumerate(RELATIONS)
        for bases, limit in ((floats, FLOATS), *((group, QUANTIZED) for group in quantized))
        for case in _fitting(name, bases[turn:] + bases[:turn], limit)
    ]


def _fitting(name: str, bases: Sequence[Sequence[Case]], limit: int) -> list[Case]:
    """The first case that the relation applies to, in all its precisions; each later case in one precision in turn."""
    chosen: list[Case] = []
    for base in bases:
        wanted = [base[len(chosen) % len(base)]] if chosen else base
        chosen += [case for case in wanted if fits(name, case, is_linted=True)]
        if len(chosen) >= limit:
            break
    return chosen


def fits(name: str, case: Case, is_linted: bool = False) -> bool:
    """Whether a relation applies to a case, and no step of it rounds anything.

    A case that ``is_linted`` rounds nothing itself if it says so.
    """
    if case.dynamic or case.deprecated or len(case.input.shape) != case.spatial_rank + 2:
        return False
    # Relations change the layer's shapes and weights: it must be alone, its bias a weight, its tensors linear.
    if case.network != Network() or case.builder != Builder() or case.expect.builder is not None:
        return False
    if math.prod(case.kernel.shape) == 0 or case.refit is not None:
        return False
    if case.quantize is not None and not (case.quantize.is_plain and case.quantize.has_no_extras):
        return False
    if (
        case.prologue
        or case.epilogue
        or case.bias_by_set_input
        or case.formats != Formats()
        or case.declared_first
        or case.typing
    ):
        return False
    derivation = RELATIONS[name](case)
    if derivation is None:
        return False
    known = given_input(case) if is_linted and case.exact else None
    return all(
        (step.case is case and known is not None and np.array_equal(step.input, known)) or step.is_exact
        for step in derivation.steps
    )


def _spread(cases: Iterable[Case]) -> Iterator[list[Case]]:
    """Exact cases, each in all its precisions, taken from the files in turn."""
    files: dict[str, dict[str, list[Case]]] = {}
    for case in cases:
        if case.exact and case.reject is None:
            files.setdefault(case.file, {}).setdefault(case.base_id, []).append(case)
    for row in zip_longest(*(bases.values() for bases in files.values())):
        yield from (base for base in row if base is not None)
