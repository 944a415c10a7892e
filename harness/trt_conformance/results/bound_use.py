"""What fraction of their error bounds outputs use.

A bound that is hardly used can hide faults; one that is nearly used up will soon be exceeded.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import get_args

from trt_conformance.core.types import Precision
from trt_conformance.core.verdict import Verdict


@dataclass(frozen=True)
class BoundUse:
    """Right outputs of one target in one arithmetic. ``used`` and ``largest`` are fractions of the bound.

    ``used`` is the median over the outputs that are not exact, None if all are; ``case`` has the largest.
    """

    target: str
    arithmetic: str
    outputs: int
    exact: int
    used: float | None
    largest: float
    case: str


def precision_of(case: str) -> str:
    """The precision that a case's id ends with, if any."""
    word = case.rpartition("-")[2]
    return word if word in get_args(Precision) else ""


def arithmetic(verdict: Verdict) -> str:
    """The requested precision, and what else the bound depends on: a transform, or sums in float16."""
    precision, rests_on = precision_of(verdict.case), verdict.figures.get("bound_for", "")
    if rests_on in ("winograd", "fft"):
        return f"{precision}, {rests_on}"
    return "fp16, fp16 sums" if precision == rests_on == "fp16" else precision


def fraction(verdict: Verdict) -> float | None:
    """The fraction of the bound that the worst element uses, infinite for NaN; None if no output was compared."""
    if verdict.check != "forward" or verdict.figures.get("fraction") is None:
        return None
    value = float(verdict.figures["fraction"])
    return math.inf if math.isnan(value) else value


def right_fraction(verdict: Verdict) -> float | None:
    """As `fraction`, but None also for a fault, known or not: a wrong output says nothing about how wide a bound is."""
    return None if verdict.is_fault else fraction(verdict)


def bound_use(verdicts: Iterable[Verdict]) -> list[BoundUse]:
    """By target and arithmetic, of the right outputs."""
    found: dict[tuple[str, str], list[tuple[float, str]]] = {}
    for verdict in verdicts:
        used = right_fraction(verdict)
        if used is not None:
            found.setdefault((verdict.target, arithmetic(verdict) or "other"), []).append((used, verdict.case))
    return [_summarized(*key, outputs) for key, outputs in sorted(found.items())]


def _summarized(target: str, arithmetic: str, outputs: Sequence[tuple[float, str]]) -> BoundUse:
    inexact = [used for used, _ in outputs if used]
    largest, case = max(outputs)
    used = median(inexact) if inexact else None
    return BoundUse(target, arithmetic, len(outputs), len(outputs) - len(inexact), used, largest, case)


def share(fraction: float) -> str:
    """A fraction of the bound as text: ``27 %``, or ``3.9×`` above 1."""
    if math.isinf(fraction):
        return "∞"
    if fraction >= 1000:
        digits, _, exponent = f"{fraction:.1e}".partition("e+")
        return f"{digits}e{int(exponent)}×"
    if fraction > 1:
        return f"{fraction:.3g}×"
    return f"{float(f'{100 * fraction:.2g}'):g} %" if fraction else "0"
