"""Judges a drawn case by the checks of the suite's own cases, until one of them finds a fault."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from trt_conformance.checks.build import check_build
from trt_conformance.checks.execution_modes import check_execution_modes
from trt_conformance.checks.forward import check_forward
from trt_conformance.checks.metamorphic import RELATIONS, check_metamorphic
from trt_conformance.checks.metamorphic_cases import fits
from trt_conformance.checks.network import check_network
from trt_conformance.checks.repeats import check_repeats
from trt_conformance.checks.rounding import check_rounding
from trt_conformance.checks.second_input import check_inputs
from trt_conformance.checks.selection import SELECTIONS
from trt_conformance.checks.special_values import check_special_values
from trt_conformance.checks.subject import Diagnose, Golden, Subject, undiagnosed
from trt_conformance.core.case import Case
from trt_conformance.core.verdict import Verdict
from trt_conformance.numerics.reference.result import Result, reference
from trt_conformance.numerics.reference.shape import layer_output
from trt_conformance.targets.engines import Engines
from trt_conformance.targets.protocols import Target, offers

Check = Callable[[Subject], Verdict]
Known = Callable[[Verdict, Case], Verdict]
"""Marks a verdict on a case that meets an expectation."""
MayBeKnown = Callable[[Verdict, Case], bool]

COMPUTED = ("pass", "fallback")
"""The statuses after which a case's further checks of values are run."""
REPEATS: tuple[tuple[float, int], ...] = ((200_000, 17), (3_000_000, 6), (math.inf, 3))
"""How often a case is run, by its number of products."""
RELATED_EVERY = 3
"""If engines are built, one in this many cases has its relation checked, because each step of it is a build."""
RELATED_ELEMENTS = 20_000
"""Relations are checked if no tensor has more elements, because each step needs its own reference."""


@dataclass(frozen=True)
class Judge:
    """Judges cases on one target.

    Attributes:
        known: marks the verdicts that meet an expectation: they are no finds.
        may_be_known: whether an expectation is about the check and the case of a verdict, whatever it describes. It may
            describe a diagnosis.
        diagnose: explains the wrong outputs of finds.
    """

    known: Known = lambda verdict, case: verdict
    may_be_known: MayBeKnown = lambda verdict, case: False
    diagnose: Diagnose = undiagnosed

    def __call__(
        self, target: Target, case: Case, relation: int | str = 0, only: str = "", explained: bool = False
    ) -> list[Verdict]:
        """The verdicts of a case up to its first fault.

        Args:
            target: builds the case's engines, which are closed again.
            case: the case.
            relation: which of the relations that apply is checked: its name, or its number, counted round.
            only: the one check that is run; all that apply where it is empty.
            explained: whether wrong outputs are diagnosed, which may take seconds. They are diagnosed anyway where
                an expectation may describe the diagnosis.
        """
        engines, golden = Engines(target), _goldens()
        verdicts: list[Verdict] = []

        def judged(name: str, check: Check, diagnose: Diagnose) -> Verdict:
            with np.errstate(all="ignore"):  # wrong values overflow, and some are NaN
                found = check(Subject(case, engines, golden, diagnose))
            return self.known(replace(found, check=name), case)

        try:
            for name, check in checks(target, case, relation, only):
                verdict = judged(name, check, self.diagnose if explained else undiagnosed)
                if verdict.is_fault and not verdict.known and not explained and self.may_be_known(verdict, case):
                    diagnosed = judged(name, check, self.diagnose)
                    verdict = diagnosed if diagnosed.known else verdict
                verdicts.append(verdict)
                if verdict.is_fault or (name == "forward" and verdict.status not in COMPUTED):
                    break
        finally:
            engines.close()
        return verdicts


def _goldens() -> Golden:
    """References, each computed once."""
    results: dict[tuple[str, int], Result] = {}

    def golden(case: Case, index: int) -> Result:
        if (case.id, index) not in results:
            results[case.id, index] = reference(case, case.run_shapes[index])
        return results[case.id, index]

    return golden


def checks(target: Target, case: Case, relation: int | str = 0, only: str = "") -> Iterator[tuple[str, Check]]:
    """The checks that apply to a case on a target, with their names, in their order. Arguments as of `Judge`."""
    every: dict[str, Check] = {}
    if offers(target, "define"):
        every |= {"network": check_network, "build": check_build}
    every |= {"forward": check_forward, "inputs": check_inputs}
    if SELECTIONS["rounding"](case):
        every["rounding"] = check_rounding
    if SELECTIONS["special"](case):
        every["special_values"] = check_special_values
    every["repeats"] = partial(check_repeats, times=repeats(case))
    if offers(target, "missing_name"):  # a target with TensorRT's API has execution modes
        every["execution_modes"] = check_execution_modes
    yield from ((name, check) for name, check in every.items() if only in ("", name))
    name = _relation(target, case, relation) if only in ("", "metamorphic") else None
    if name is not None:
        yield "metamorphic", partial(check_metamorphic, name=name)


def _relation(target: Target, case: Case, wanted: int | str) -> str | None:
    """The relation that is checked of a case: the one of a name, or the first that applies from that of a number on."""
    if not case.exact or _elements(case) > RELATED_ELEMENTS:
        return None
    names = list(RELATIONS)
    if isinstance(wanted, int):
        turn, rest = divmod(wanted, RELATED_EVERY if offers(target, "define") else 1)
        first = turn % len(names)
        names = [] if rest else [*names[first:], *names[:first]]
    else:
        names = [wanted]
    return next((name for name in names if fits(name, case)), None)


def repeats(case: Case) -> int:
    """How often a case is run: less often if it takes long."""
    products = _products(case)
    return next(times for most, times in REPEATS if products <= most)


def summary(verdicts: list[Verdict]) -> Verdict:
    """The verdict that a record has of a draw: the fault, else the most informative verdict."""
    fault = next((verdict for verdict in verdicts if verdict.is_fault and not verdict.known), None)
    ran = [verdict for verdict in verdicts if verdict.status in COMPUTED]
    named = {verdict.check: verdict for verdict in ran}
    return fault or named.get("forward") or named.get("build") or verdicts[-1]


def _products(case: Case) -> int:
    terms = math.prod(case.kernel.shape[1:])
    return terms * sum(math.prod(layer_output(case, s)) for s in case.run_shapes)


def _elements(case: Case) -> int:
    outputs = [layer_output(case, shape) for shape in case.run_shapes]
    return max(map(math.prod, (*case.run_shapes, *outputs, case.kernel.shape)))
