"""Says a failure so that a stranger finds the fault."""

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
    """A wrong convolution that somebody has thought of."""

    @property
    def name(self) -> str: ...

    @property
    def doc(self) -> str: ...


def number(value: float) -> str:
    """Nine significant digits: enough to tell any two float32 values apart."""
    return f"{value:.9g}"


def headline(case: Case, phase: str) -> str:
    """Which case failed, in which phase, and where it is written."""
    title = f"{case.base_id} [{case.precision}] FAILED in {phase}"
    return f"{title:<55} ({case.location})"


def mismatch(c: Comparison, what: str = "output") -> list[str]:
    """Counts, the worst element with its figures, and the pattern of the mismatches."""
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
    """What would explain the output: wrong convolutions that give it, by what is wrong with them and by name."""
    return [f"as if: {suspect.doc} ({suspect.name})" for suspect in suspects]


def engine_line(facts: EngineFacts | None) -> list[str]:
    """The kernel that ran, where the engine says."""
    if facts is None or facts.convolution is None:
        return []
    layer = facts.convolution
    return [f"engine: {layer.kernel or layer.name}  {facts.precision}, {len(facts.layers)} layers"]


def remembered(fault: Refused | Unsupported) -> list[str]:
    """That an answer is no new one, and how to get one."""
    return ["(so answered when last asked; with --no-cache it is asked again)"] if fault.remembered else []


def failure(case: Case, phase: str, lines: list[str]) -> str:
    """The whole message: a headline and indented lines."""
    return "\n".join([headline(case, phase), *(f"  {line}" for line in lines)])
