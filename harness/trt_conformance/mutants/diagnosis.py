"""Finds the known wrong convolutions (mutants) that would give a wrong output."""

from __future__ import annotations

import math
from contextlib import closing
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np

from trt_conformance.core.arrays import Array, Float64, widened
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
from trt_conformance.numerics.reference.shape import output_shape

# If an arithmetic mutant explains an output, no other explanation is needed. Mutants of interactions repeat others in
# some cases only, and mutants of refusals have no output.
ARITHMETIC: tuple[Mutant, ...] = (*quantized.MUTANTS, *fp8.MUTANTS, *arithmetic.MUTANTS)
OTHERS: tuple[Mutant, ...] = (*geometry.MUTANTS, *operands.MUTANTS, *epilogues.MUTANTS, *results.MUTANTS)
EVERY = slice(None)
MOST = 6
MOST_PRODUCTS = 10_000_000
MOST_WORK = 2_000_000_000
"""Multiplications, elements and overheads of all mutants in one diagnosis: about 5 s on one CPU core."""
OVERHEAD = 50_000
"""The cost of one pass over the products beyond the products themselves, in the same unit."""

# Rounding errors of a sum partly cancel: they grow with the square root of the number of terms (Higham and Mary, A new
# approach to probabilistic rounding error analysis, SIAM J. Sci. Comput. 41(5), 2019).
TYPICAL = 8
READ_OR_WRITTEN: dict[Precision, float] = {"tf32": 2.0**-11, "fp16": 2.0**-11, "bf16": 2.0**-8}


def diagnosis(case: Case, index: int, actual: Array, result: Result) -> tuple[Mutant, ...]:
    """The mutants that give the wrong output, up to rounding; at most ``MOST``.

    There are none for outputs of more than ``MOST_PRODUCTS`` products, or if only the rounding is wrong. Mutants that
    would cost more than what is left of ``MOST_WORK`` are skipped. A mutant that raises on the case explains nothing.

    Args:
        case: the case that failed.
        index: which of its run shapes failed.
        actual: the target's output.
        result: the reference of that run.
    """
    wrong, x = widened(actual), feeds_of(case, index)[INPUT]
    worst = _worst_image(case, wrong, result)
    rounding = TYPICAL * (math.sqrt(result.terms) * FLOAT32_ROUNDOFF + READ_OR_WRITTEN.get(case.precision, 0.0))

    products = _Products(MOST_WORK)

    def gives(mutant: Mutant, images: slice) -> bool:
        found = wrong[images]
        passes, elements = mutant.passes(case), found.size + x[images].size + OVERHEAD
        try:
            if mutant.multiply is multiply:
                products.spend(elements)
                mutant = replace(mutant, multiply=products.of)
            else:
                products.spend(found.size * result.terms + passes * elements)
            with closing(mutant.on(case)) as engine, np.errstate(all="ignore"):
                output = engine.run({INPUT: x[images]}).get(OUTPUT)
        except Exception:  # a mutant that raises does not explain the output
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


class _TooMuchWork(Exception):
    """A mutant costs more than the work that is left."""


class _Products:
    """Sums of products, cached by their operands, which most mutants share; and the work that is left."""

    def __init__(self, work: int) -> None:
        self._left = work
        self._known: dict[Any, Array] = {}

    def spend(self, work: int) -> None:
        """Count work before it is done. Raises _TooMuchWork if less is left."""
        if work > self._left:
            raise _TooMuchWork
        self._left -= work

    def of(self, x: Array, kernel: Array, attributes: Attributes, case: Case) -> Array:
        key = (attributes, *((t.dtype, t.shape, t.tobytes()) for t in (x, kernel)))
        if key not in self._known:
            # A mutant may compute many more outputs than the case has.
            work = math.prod(output_shape(x.shape, kernel.shape, attributes)) * math.prod(kernel.shape[1:])
            if work > MOST_PRODUCTS:
                raise _TooMuchWork
            self.spend(work)
            self._known[key] = multiply(x, kernel, attributes, case)
        return self._known[key].copy()


def _worst_image(case: Case, wrong: Float64, result: Result) -> slice:
    """The image with the largest error, since arithmetic treats all images alike; all images after an epilogue."""
    if case.epilogue or wrong.shape != result.output.shape or wrong.ndim != case.spatial_rank + 2:
        return EVERY
    error = np.nan_to_num(np.abs(wrong - result.output), nan=np.inf)
    worst = int(error.reshape(len(error), -1).max(axis=1).argmax())
    return slice(worst, worst + 1)
