"""The lines of a failure's message, written for someone who has not seen this project."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

from trt_conformance.core.case import Case
from trt_conformance.numerics.compare import Comparison
from trt_conformance.numerics.places import place
from trt_conformance.targets.errors import Refused, Unsupported
from trt_conformance.targets.protocols import EngineFacts


class Named(Protocol):
    """A known wrong convolution, with its name and what is wrong with it."""

    @property
    def name(self) -> str: ...

    @property
    def doc(self) -> str: ...

    @property
    def symptom(self) -> bool:
        """Whether it says where an output is wrong, not which convolution computes it."""
        ...


def number(value: float) -> str:
    """Nine significant digits: enough to distinguish any two float32 values."""
    return f"{value:.9g}"


def headline(case: Case, phase: str) -> str:
    """Which case failed, in which phase, and in which file and line it is defined."""
    title = f"{case.base_id} [{case.precision}] FAILED in {phase}"
    return f"{title:<55} ({case.location})"


def mismatch(c: Comparison, what: str = "output") -> list[str]:
    """How many elements are wrong, the worst one with its figures, and the pattern of the mismatches."""
    if c.elements == 0:
        return [f"{what}: nothing was compared: it has no elements"]
    if math.isfinite(c.fraction):
        factor = f"{c.fraction:.3g}x"
    else:
        factor = "no error is allowed here" if c.bound == 0 else "no finite value"
    lines = [
        f"{what}: {c.beyond}/{c.elements} elements beyond the bound; worst at {place(c.worst)}",
        f"actual {number(c.actual)}  expected {number(c.expected)}  |err| {c.error:.3g}  "
        f"bound {c.bound:.3g} ({factor})  {c.ulp:.3g} ulp",
    ]
    return lines + ([c.where] if c.where else [])


def as_if(suspects: Sequence[Named]) -> list[str]:
    """What would explain the output: the known wrong convolutions that compute it, after what it looks like.

    Several that give the same output are counted, since one of them at most is right.
    """
    symptoms = [f"symptom: {suspect.doc} ({suspect.name})" for suspect in suspects if suspect.symptom]
    causes = [f"as if: {suspect.doc} ({suspect.name})" for suspect in suspects if not suspect.symptom]
    if len(causes) > 1:
        causes.insert(0, f"{len(causes)} known wrong convolutions give this output:")
    return symptoms + causes


def engine_line(facts: EngineFacts | None) -> list[str]:
    """The GPU kernel that ran, where the engine reports it."""
    if facts is None or facts.convolution is None:
        return []
    layer = facts.convolution
    return [f"engine: {layer.kernel or layer.name}  {facts.precision}, {len(facts.layers)} layers"]


def remembered(fault: Refused | Unsupported) -> list[str]:
    """Says that an answer comes from the cache, and how to ask the target again."""
    return ["(cached answer of an earlier run; --no-cache asks the target again)"] if fault.remembered else []


def failure(case: Case, phase: str, lines: Sequence[str]) -> str:
    """The whole message: a headline and indented lines."""
    return "\n".join([headline(case, phase), *(f"  {line}" for line in lines)])
