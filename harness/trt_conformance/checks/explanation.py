"""Explains a wrong output. An error while explaining does not change the verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from trt_conformance.checks import message
from trt_conformance.checks.evidence import evidence
from trt_conformance.checks.other_input import other_input, with_input, with_zeros
from trt_conformance.checks.subject import Subject
from trt_conformance.core.arrays import Array, Float64
from trt_conformance.core.case import Case
from trt_conformance.core.tensors import INPUT, OUTPUT
from trt_conformance.numerics.compare import same_bits
from trt_conformance.numerics.reference.result import Result, reference
from trt_conformance.targets.errors import named

T = TypeVar("T")

MOST_PRODUCTS = 1_000_000_000
"""Suspects of outputs of more products are not named: a second input would need its reference."""


@dataclass
class Explanation:
    """Lines and figures that a fail has beyond its values."""

    lines: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)

    def attempt(self, what: str, explain: Callable[[], T], otherwise: T) -> T:
        """What ``explain`` returns; where it raises, ``otherwise``, and a line that says so."""
        try:
            return explain()
        except Exception as fault:  # a fault in the explanation must not hide the fault that it explains
            first, *_ = named(fault).splitlines() or [""]
            self.lines.append(f"({what} failed: {first})")
            return otherwise

    def name_suspects(self, subject: Subject, case: Case, index: int, actual: Array, result: Result) -> None:
        """Add the known wrong convolutions that compute this output and that of a second input, if there are any.

        Args:
            subject: has the diagnosis.
            case: the case that was run: the subject's, or one derived from it.
            index: which of its run shapes was run.
            actual: the wrong output.
            result: the reference of that run.
        """

        def suspects() -> tuple[list[str], list[str]]:
            found = subject.diagnose(case, index, actual, result)
            if found:
                found = _confirmed(subject, case, index, actual, result, found)
            return message.as_if(found), [suspect.name for suspect in found if not suspect.symptom]

        nothing: tuple[list[str], list[str]] = ([], [])
        lines, self.figures["as_if"] = self.attempt("the diagnosis", suspects, nothing)
        self.lines += lines

    def add_evidence(
        self,
        case: Case,
        run_shape: Sequence[int],
        *,
        actual: Array,
        expected: Float64,
        bound: Float64,
        worst: tuple[int, ...],
    ) -> None:
        """Add the crop of the output from which a report draws the failure. Arguments are those of `evidence`."""

        def crop() -> dict[str, Any] | None:
            with np.errstate(all="ignore"):
                return evidence(case, run_shape, actual=actual, expected=expected, bound=bound, worst=worst)

        shown = self.attempt("the evidence for the report", crop, None)
        if shown is not None:
            self.figures["evidence"] = shown


@dataclass(frozen=True)
class Symptom:
    """What an output looks like, described without a known wrong convolution."""

    name: str
    doc: str
    symptom: bool = True


SAME_OUTPUT = Symptom("same_output", "a second input of other values gives the same output")


def _confirmed(
    subject: Subject, case: Case, index: int, actual: Array, result: Result, suspects: Sequence[message.Named]
) -> Sequence[message.Named]:
    """The suspects that explain the output of a second input, too; every third element of that is zero.

    A layer with a bias must also do as they do where all elements are zero: a fault of the bias in windows of padding
    looks like one in every window of zeros.
    If the second output equals the first one although it should not, many wrong convolutions would give it, such as all
    those whose windows read only padding. It is then reported as a symptom.
    """
    if result.output.size * result.terms > MOST_PRODUCTS:
        return ()
    second = with_zeros(other_input(case, case.run_shapes[index]))
    again = subject.feed(subject.case, {INPUT: second})[OUTPUT]
    other = reference(with_input(case, second))
    if same_bits(actual, again) and not np.array_equal(result.output, other.output):
        return (SAME_OUTPUT,)
    found = subject.diagnose(case, index, again, other, suspects, second)
    if not found or case.bias == "none":
        return found
    nothing = np.zeros_like(second)
    bare = subject.feed(subject.case, {INPUT: nothing})[OUTPUT]
    return subject.diagnose(case, index, bare, reference(with_input(case, nothing)), found, nothing)
