"""Says what a wrong output would be right for: the suite's mutants are wrong convolutions with names."""

from __future__ import annotations

import math
from contextlib import closing
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np

from trt_conformance.core.arrays import Array, Float64
from trt_conformance.core.attributes import Attributes
from trt_conformance.core.case import Case
from trt_conformance.core.tensors import INPUT, OUTPUT, feeds_of
from trt_conformance.core.types import Precision
from trt_conformance.mutants import arithmetic, fp8, geometry, operands
from trt_conformance.mutants import int8 as quantized
from trt_conformance.mutants import network as epilogues
from trt_conformance.mutants import outputs as results
from trt_conformance.mutants.mutant import UNMUTATED, Mutant, multiply
from trt_conformance.numerics.bounds.elementwise import FLOAT32_ROUNDOFF
from trt_conformance.numerics.reference.result import Result
from trt_conformance.targets.errors import Refused

# What the arithmetic explains is not looked for elsewhere. Mutants of interactions are wrong as others are, but in some
# cases only; and those of refusals give no output.
ARITHMETIC: tuple[Mutant, ...] = (*quantized.MUTANTS, *fp8.MUTANTS, *arithmetic.MUTANTS)
OTHERS: tuple[Mutant, ...] = (*geometry.MUTANTS, *operands.MUTANTS, *epilogues.MUTANTS, *results.MUTANTS)
EVERY = slice(None)
MOST = 6
MOST_PRODUCTS = 10_000_000

# Rounding errors of a sum cancel: they grow with the root of its terms (Higham and Mary, A new approach to
# probabilistic rounding error analysis, SIAM J. Sci. Comput. 41(5), 2019).
TYPICAL = 8
READ_OR_WRITTEN: dict[Precision, float] = {"tf32": 2.0**-11, "fp16": 2.0**-11, "bf16": 2.0**-8}


def diagnosis(case: Case, index: int, actual: Array, result: Result) -> tuple[Mutant, ...]:
    """The mutants that give a wrong output, but for rounding: at most ``MOST``.

    None of more than ``MOST_PRODUCTS`` products, and none where rounding is what is wrong.

    Args:
        case: the case that failed.
        index: which of its run shapes did.
        actual: the output that it gave.
        result: the reference of that run.
    """
    wrong, x = actual.astype(np.float64), feeds_of(case, index)[INPUT]
    worst = _worst_image(case, wrong, result)
    rounding = TYPICAL * (math.sqrt(result.terms) * FLOAT32_ROUNDOFF + READ_OR_WRITTEN.get(case.precision, 0.0))

    products = _Products()

    def gives(mutant: Mutant, images: slice) -> bool:
        found = wrong[images]
        if mutant.multiply is multiply:
            mutant = replace(mutant, multiply=products.of)
        try:
            with closing(mutant.on(case)) as engine, np.errstate(all="ignore"):
                output = engine.run({INPUT: x[images]}).get(OUTPUT)
        except Refused:
            return False
        if output is None or output.shape != found.shape:
            return False
        y = output.astype(np.float64)
        largest = np.abs(y).max(initial=result.magnitude.max(initial=0.0), where=np.isfinite(y))
        return bool(np.isclose(y, found, rtol=0.0, atol=rounding * largest, equal_nan=True).all())

    for group, images in (((UNMUTATED,), worst), (ARITHMETIC, worst), (OTHERS, EVERY)):
        if wrong[images].size * result.terms > MOST_PRODUCTS:
            break
        suspects = tuple(islice((mutant for mutant in group if mutant.applies(case) and gives(mutant, images)), MOST))
        if suspects:
            return tuple(mutant for mutant in suspects if mutant is not UNMUTATED)
    return ()


class _Products:
    """Sums of products by what is multiplied: most mutants multiply the same, and are wrong elsewhere."""

    def __init__(self) -> None:
        self._known: dict[Any, Array] = {}

    def of(self, x: Array, kernel: Array, attributes: Attributes, case: Case) -> Array:
        key = (attributes, *((t.dtype, t.shape, t.tobytes()) for t in (x, kernel)))
        if key not in self._known:
            self._known[key] = multiply(x, kernel, attributes, case)
        return self._known[key].copy()


def _worst_image(case: Case, wrong: Float64, result: Result) -> slice:
    """The image with the largest error, since arithmetic treats all alike; every one where that cannot be said."""
    if case.epilogue or wrong.shape != result.output.shape or wrong.ndim != case.spatial_rank + 2:
        return EVERY
    error = np.nan_to_num(np.abs(wrong - result.output), nan=np.inf)
    worst = int(error.reshape(len(error), -1).max(axis=1).argmax())
    return slice(worst, worst + 1)
