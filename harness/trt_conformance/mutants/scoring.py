"""Runs mutants through the suite's own checks, and reports which cases kill each mutant."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice

import numpy as np

from trt_conformance.catalog.catalog import Catalog
from trt_conformance.catalog.lint.vacuous import is_cheap
from trt_conformance.checks.forward import check_forward
from trt_conformance.checks.printed import check_printed
from trt_conformance.checks.rejections import check_reject
from trt_conformance.checks.relations import Find, check_relation
from trt_conformance.checks.repeats import check_repeats
from trt_conformance.checks.rounding import check_rounding
from trt_conformance.checks.second_input import check_inputs
from trt_conformance.checks.selection import SELECTIONS
from trt_conformance.checks.subject import Golden, Subject
from trt_conformance.core.case import Case
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.verdict import Verdict
from trt_conformance.core.words import counted
from trt_conformance.golden import GoldenError, expected_result
from trt_conformance.mutants.mutant import UNMUTATED, Mutant, MutantTarget
from trt_conformance.numerics.reference.result import Result, reference
from trt_conformance.numerics.reference.shape import layer_output
from trt_conformance.targets.engines import Engines

Check = Callable[[Subject], Verdict]


@dataclass(frozen=True)
class MutantOutcome:
    """The suite's faults on one mutant: all of them, or only the first."""

    mutant: Mutant
    faults: tuple[Verdict, ...]

    @property
    def killers(self) -> tuple[str, ...]:
        """Ids of the cases that kill the mutant, in the order in which they ran."""
        return tuple(dict.fromkeys(fault.case for fault in self.faults))


def score(
    mutants: Sequence[Mutant], catalog: Catalog, cases: Sequence[Case], every: bool = False
) -> Iterator[MutantOutcome]:
    """Run each mutant on the cases until one kills it, or on all cases if ``every`` is set.

    A case runs through the checks that pytest runs on it; repeated runs only where the mutant has an engine of its own,
    because any other one gives the same bits each time. If it does not have a golden yet, the reference is computed.
    """
    by_id = {case.id: case for case in catalog.cases}
    golden = _Goldens()
    for mutant in mutants:
        faults = _faults(mutant, cases, golden, by_id.__getitem__)
        yield MutantOutcome(mutant, tuple(faults if every else islice(faults, 1)))


def small(cases: Sequence[Case]) -> tuple[Case, ...]:
    """The cases that are cheap to compute. Every mutant runs on them; large cases would not find more."""
    return tuple(case for case in cases if case.reject is not None or _is_small(case))


def _is_small(case: Case) -> bool:
    outputs = (layer_output(case, shape) for shape in case.run_shapes)
    return all(is_cheap(case, *shapes) for shapes in zip(case.run_shapes, outputs, strict=True))


def check_unmutated(catalog: Catalog, cases: Sequence[Case]) -> None:
    """Run the correct convolution: a case that it fails proves nothing about a mutant.

    Raises:
        ConformanceError: with the first faults.
    """
    (outcome,) = score([UNMUTATED], catalog, cases, every=True)
    if outcome.faults:
        first = "\n".join(fault.message for fault in outcome.faults[:3])
        count = counted(len(outcome.faults), "fault")
        raise ConformanceError(f"the correct convolution has {count}, so no mutant can be judged:\n{first}")


def _faults(mutant: Mutant, cases: Sequence[Case], golden: Golden, find: Find) -> Iterator[Verdict]:
    with closing(Engines(MutantTarget(mutant))) as engines:
        for case in filter(mutant.applies, cases):
            for name, check in (*_checks(case, find), *_repeats(mutant, case)):
                with np.errstate(all="ignore"):  # wrong values overflow, and some are NaN
                    verdict = check(Subject(case, engines, golden))
                if verdict.is_fault:
                    yield replace(verdict, check=name)


def _checks(case: Case, find: Find) -> Iterator[tuple[str, Check]]:
    if SELECTIONS["repeated"](case):
        yield "forward", check_forward
    if SELECTIONS["exact"](case):
        yield "inputs", check_inputs
    if SELECTIONS["rounding"](case):
        yield "rounding", check_rounding
    if SELECTIONS["printed"](case):
        yield "printed", check_printed
    if SELECTIONS["rejected"](case):
        yield "reject", check_reject
    if SELECTIONS["related"](case):
        for relation in case.relations:
            yield "relations", partial(check_relation, relation=relation, find=find)


def _repeats(mutant: Mutant, case: Case) -> Iterator[tuple[str, Check]]:
    """The check of repeated runs, which says no only to a mutant whose engine keeps something between its runs."""
    if mutant.engine is not None and SELECTIONS["run_again"](case):
        yield "repeats", check_repeats


class _Goldens:
    """The goldens of cases, each read or computed once."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], Result] = {}

    def __call__(self, case: Case, index: int) -> Result:
        key = case.id, index
        if key not in self._known:
            self._known[key] = _golden(case, index)
        return self._known[key]


def _golden(case: Case, index: int) -> Result:
    try:
        return expected_result(case, index)
    except GoldenError as fault:
        if fault.kind != "missing":
            raise
        return reference(case, case.run_shapes[index])
