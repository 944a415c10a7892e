"""Finds the known wrong convolutions (mutants) that would give a wrong output."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import cached_property
from itertools import chain, islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trt_conformance.checks.message import Named
from trt_conformance.checks.other_input import other_input, with_zeros
from trt_conformance.core.arrays import Array, Float64, widened
from trt_conformance.core.attributes import Attributes
from trt_conformance.core.case import Case
from trt_conformance.core.tensors import INPUT, OUTPUT, feeds_of
from trt_conformance.core.types import Precision
from trt_conformance.mutants import arithmetic, fp8, geometry, operands, scaling
from trt_conformance.mutants import int8 as quantized
from trt_conformance.mutants import network as epilogues
from trt_conformance.mutants import outputs as results
from trt_conformance.mutants import products as omissions
from trt_conformance.mutants import prologue as prologues
from trt_conformance.mutants.chance import bits_needed, bits_of, in_steps
from trt_conformance.mutants.copies import copies, without_products
from trt_conformance.mutants.mutant import UNMUTATED, Mutant, multiply
from trt_conformance.mutants.parts import part_of, shifted_part, within, zero_part
from trt_conformance.mutants.rounding import BITS, TF32_BITS
from trt_conformance.numerics.bounds.elementwise import FLOAT32_ROUNDOFF
from trt_conformance.numerics.reference.result import Result
from trt_conformance.numerics.reference.shape import output_shape

# Mutants of interactions repeat others in some cases only, and mutants of refusals have no output.
ARITHMETIC: tuple[Mutant, ...] = (*quantized.MUTANTS, *fp8.MUTANTS, *scaling.MUTANTS, *arithmetic.MUTANTS)
OTHERS: tuple[Mutant, ...] = (
    *prologues.MUTANTS,
    *geometry.MUTANTS,
    *operands.MUTANTS,
    *epilogues.MUTANTS,
    *results.MUTANTS,
)
EVERY = slice(None)
MOST = 6
MOST_PRODUCTS = 10_000_000
MOST_WORK = 1_200_000_000
"""Multiplications, elements and overheads of all mutants in one diagnosis: at most about 3 s on one CPU core."""
OVERHEAD = 50_000
"""The cost of one pass over the products beyond the products themselves, in the same unit."""

# Rounding errors of a sum partly cancel: they grow with the square root of the number of terms (Higham and Mary, A new
# approach to probabilistic rounding error analysis, SIAM J. Sci. Comput. 41(5), 2019).
TYPICAL = 8
LEAST_IN_PART = 3
"""Wrong elements of a part: what a mutant gives one or two of may be chance."""
MOST_SAMPLED = 64
"""Wrong elements at which a mutant is tried that may explain a part."""
UNEXPLAINED = 0.25
"""The largest part of an error that a mutant may leave unexplained."""
READ_OR_WRITTEN: dict[Precision, float] = {"tf32": 2.0**-TF32_BITS, **{half: 2.0**-bits for half, bits in BITS.items()}}
"""The error of rounding an operand or the output, relative."""


def diagnosis(
    case: Case,
    index: int,
    actual: Array,
    result: Result,
    among: Sequence[Named] | None = None,
    given: Array | None = None,
) -> tuple[Mutant, ...]:
    """The mutants that give the wrong output in every element, up to rounding; at most ``MOST``.

    There are none for outputs of more than ``MOST_PRODUCTS`` products an image, or if only the rounding is wrong.
    Mutants that would cost more than what is left of ``MOST_WORK`` are skipped. A mutant that raises on the case
    explains nothing.

    Args:
        case: the case that failed.
        index: which of its run shapes failed.
        actual: the target's output. Its shape may be wrong.
        result: the reference of that run.
        among: the mutants to look among, whether or not the output is wrong; by default all, if it is.
        given: the input that was run, by default that of the run shape.
    """
    if actual.size == 0:
        return ()
    search = _Search(case, actual, result, feeds_of(case, index)[INPUT] if given is None else given)
    if among is not None:
        return tuple(m for m in among if isinstance(m, Mutant) and search.explains(m, search.parts))
    worst = search.worst
    if search.products(worst) > MOST_PRODUCTS or search.is_right(worst):
        return ()
    suspects: Iterator[Mutant] = (
        m
        for m in ARITHMETIC
        if m.applies(case) and search.explains(m, (worst, *search.parts)) and search.distinguishes(m)
    )
    if search.products(EVERY) <= MOST_PRODUCTS:
        suspects = chain(suspects, (m for m in OTHERS if m.applies(case) and search.names(m)))
        return tuple(islice(suspects, MOST)) or tuple(islice(search.of_the_error(), MOST))
    return tuple(islice(suspects, MOST))


class _Search:
    """Runs mutants on the input of one wrong output, within a limit of work."""

    def __init__(self, case: Case, actual: Array, result: Result, x: Array) -> None:
        self._case, self._x, self._result = case, x, result
        self._wrong = widened(actual)
        self._terms = result.terms
        self._work = _Products(MOST_WORK)
        self._right: dict[str, Float64 | None] = {}
        self._alike: list[Mutant] = []
        self._sample: dict[str, NDArray[np.intp]] = {}
        self._second: _Search | None = None

    def products(self, images: slice) -> int:
        """Products of these images."""
        return int(self._wrong[images].size) * self._terms

    @property
    def parts(self) -> tuple[slice, ...]:
        """Slices that are all images together: one, or one an image where together they are too many products."""
        if self.products(EVERY) <= MOST_PRODUCTS or not self._has_images():
            return (EVERY,)
        return tuple(slice(n, n + 1) for n in range(len(self._wrong)))

    @property
    def worst(self) -> slice:
        """The image with the largest error, since arithmetic treats all images alike; all images after an epilogue."""
        if self._case.epilogue or not self._has_images():
            return EVERY
        error = np.nan_to_num(np.abs(self._wrong - self._result.output), nan=np.inf)
        worst = int(error.reshape(len(error), -1).max(axis=1).argmax())
        return slice(worst, worst + 1)

    def _has_images(self) -> bool:
        if self._case.addend is not None:  # a mutant reads the addend of all images
            return False
        if self._case.epilogue:
            return self._wrong.ndim == self._case.spatial_rank + 2 and len(self._wrong) == len(self._x)
        return self._wrong.shape == self._result.output.shape and self._wrong.ndim == self._case.spatial_rank + 2

    def is_right(self, images: slice) -> bool:
        """Whether these images are right except for rounding, of a size that is typical of the largest element."""
        right = self._output(UNMUTATED, images)
        found = self._wrong[images]
        if right is None or right.shape != found.shape:
            return False
        return _close(right, found, self._rounding(right))

    def of_the_error(self) -> Iterator[Mutant]:
        """Yield what the error shows: a part that is zero, or without any product, or a copy of another; or products
        that are missing or count twice.
        """
        right = self._output(UNMUTATED, EVERY)
        if right is None or right.shape != self._wrong.shape:
            return
        allowed = self._rounding(right)
        with np.errstate(invalid="ignore"):
            error = self._wrong - right
        zero = zero_part(self._wrong, ~(np.abs(error) <= allowed))
        if zero is not None and self.explains(zero, (EVERY,)):
            yield zero
            return
        found = False
        for mutant in self._of_this(error, right, allowed):
            found = True
            yield mutant
        axis_of_maps = error.ndim - self._case.spatial_rank - 1
        if found or axis_of_maps < 0:
            return
        shifted = shifted_part(error, ~(np.abs(error) <= allowed), allowed, axis_of_maps)
        if shifted is not None and self.explains(shifted, (EVERY,)):
            yield shifted

    def _of_this(self, error: Float64, right: Float64, allowed: float) -> Iterator[Mutant]:
        """Yield what names an error: a part without products or that is a copy, products, or a mutant in a part."""
        wrong = ~(np.abs(error) <= allowed)
        named = list(islice(filter(self.names, without_products(wrong)), 1))
        named = named or list(filter(self.names, copies(self._case, self._wrong, right, wrong, allowed)))
        if named:
            yield from named
            return
        found = False
        for is_coarse, alternatives in omissions.suspects(self._case, self._x, error, allowed):
            if found and not is_coarse:
                return
            for mutant in islice(filter(self.names, alternatives), 1):
                found = True
                yield mutant
        if not found:
            yield from self._in_part(wrong)

    def _in_part(self, wrong: NDArray[np.bool_]) -> Iterator[Mutant]:
        """Yield the mutants that give all wrong elements, where these are in a part of the output."""
        _, *parts = part_of(wrong).wider()
        if wrong.sum() < LEAST_IN_PART:
            return
        for mutant in tuple(self._alike):
            partly = (within(mutant, part) for part in parts)
            yield from islice(filter(self.names, partly), 1)

    def _note(self, mutant: Mutant, images: slice, output: Float64, right: Float64 | None) -> None:
        """Remember a mutant that does not explain an output, but does some of its wrong elements."""
        found = self._wrong[images]
        if right is None or right.shape != found.shape or mutant.symptom or mutant in self._alike:
            return
        if str(images) not in self._sample:
            with np.errstate(invalid="ignore"):
                wrong = np.flatnonzero(~(np.abs(found - right) <= self._rounding(right)))
            self._sample[str(images)] = wrong[:: max(1, len(wrong) // MOST_SAMPLED)]
        at = self._sample[str(images)]
        left, error = _distance(found.ravel()[at], output.ravel()[at]), _distance(found.ravel()[at], right.ravel()[at])
        if len(at) and (left <= UNEXPLAINED * error).all():
            self._alike.append(mutant)

    def names(self, mutant: Mutant) -> bool:
        """Whether a mutant gives every element, and would not by chance."""
        return self.explains(mutant, (EVERY,)) and self.distinguishes(mutant)

    def distinguishes(self, mutant: Mutant) -> bool:
        """Whether the error has the bits that tell a mutant from the others that were tried; true of a symptom.

        A mutant of a part is one of as many for each way to choose the part.
        """
        images = EVERY if self.products(EVERY) <= MOST_PRODUCTS else self.worst
        right, output = self._output(UNMUTATED, images), self._output(mutant, images)
        if mutant.symptom or right is None or output is None:
            return mutant.symptom
        if right.shape != output.shape:
            return True
        first, step = in_steps(_difference(output, right), self._case)
        allowed = self._rounding(right) / step
        part = part_of(~(np.abs(first) <= allowed))
        region = part.of(first) if mutant.in_part else np.ones(first.shape, dtype=bool)
        tried = self._tried * (len(part.wider()) if mutant.in_part else 1)
        second = self._second_error(mutant, images)
        return bits_of(first, None if second is None else second / step, region, allowed) >= bits_needed(tried)

    def _second_error(self, mutant: Mutant, images: slice) -> Float64 | None:
        """The error of a mutant for a second input."""
        if self._second is None:
            self._second = _Search(self._case, self._wrong, self._result, self._other_input())
            self._second._work = self._work
        right, output = self._second._output(UNMUTATED, images), self._second._output(mutant, images)
        return None if right is None or output is None or right.shape != output.shape else _difference(output, right)

    def _other_input(self) -> Array:
        return with_zeros(other_input(self._case, tuple(self._x.shape)))

    @cached_property
    def _tried(self) -> int:
        return sum(mutant.applies(self._case) for mutant in (*ARITHMETIC, *OTHERS))

    def explains(self, mutant: Mutant, parts: Sequence[slice]) -> bool:
        """Whether a mutant gives every element of these images."""
        return all(self._explains(mutant, images) for images in parts)

    def _explains(self, mutant: Mutant, images: slice) -> bool:
        found, output = self._wrong[images], self._output(mutant, images)
        if output is None or output.shape != found.shape:
            return False
        narrow = READ_OR_WRITTEN.get(self._case.precision, 0.0)
        largest = self._largest(output)
        written = TYPICAL * largest if self._case.precision == "tf32" else 2 * np.abs(output)
        with np.errstate(invalid="ignore", over="ignore"):  # a mutant's output may be infinite
            allowed = self._summed() * largest + narrow * written
        right = self._output(UNMUTATED, images)
        if not _close(output, found, allowed):
            self._note(mutant, images, output, right)
            return False
        if right is None or right.shape != found.shape:
            return True
        # What is left unexplained must be much smaller than the error that is explained, if there is one.
        left, error = _distance(found, output), _distance(found, right)
        return bool(left.max() <= UNEXPLAINED * error.max()) or _close(right, found, self._rounding(right))

    def _rounding(self, right: Float64) -> float:
        """The error of a right element, at most: typical of the largest one."""
        narrow = READ_OR_WRITTEN.get(self._case.precision, 0.0)
        return (self._summed() + TYPICAL * narrow) * self._largest(right)

    def _summed(self) -> float:
        return TYPICAL * math.sqrt(self._terms) * FLOAT32_ROUNDOFF

    def _largest(self, output: Float64) -> float:
        start = self._result.magnitude.max(initial=0.0)
        return float(np.abs(output).max(initial=start, where=np.isfinite(output)))

    def _output(self, mutant: Mutant, images: slice) -> Float64 | None:
        """A mutant's output of these images; None if it raises, or costs more than is left."""
        known = f"{images}"
        if mutant is UNMUTATED and known in self._right:
            return self._right[known]
        found, x = self._wrong[images], self._x[images]
        passes, elements = mutant.passes(self._case), found.size + x.size + OVERHEAD
        output: Array | None = None
        try:
            if mutant.multiply is multiply:
                self._work.spend(elements)
                mutant = replace(mutant, multiply=self._work.of)
            else:
                self._work.spend(found.size * self._terms + passes * elements)
            with closing(mutant.on(self._case)) as engine, np.errstate(all="ignore"):
                output = engine.run({INPUT: x}).get(OUTPUT)
        except Exception:  # a mutant that raises does not explain the output
            output = None
        result = None if output is None else output.astype(np.float64)
        if mutant.name == UNMUTATED.name:
            self._right[known] = result
        return result


def _close(output: Float64, found: Float64, allowed: Float64 | float) -> bool:
    with np.errstate(invalid="ignore"):
        same = (output == found) | (np.isnan(output) & np.isnan(found)) | (np.abs(output - found) <= allowed)
    return bool(same.all())


def _difference(a: Float64, b: Float64) -> Float64:
    with np.errstate(invalid="ignore"):
        return a - b


def _distance(a: Float64, b: Float64) -> Float64:
    """|a - b|: 0 if both are the same infinity or both NaN, infinite if only one is finite."""
    with np.errstate(invalid="ignore"):
        same = (a == b) | (np.isnan(a) & np.isnan(b))
        return np.where(same, 0.0, np.nan_to_num(np.abs(a - b), nan=np.inf, posinf=np.inf))


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
