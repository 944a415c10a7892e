"""Mutants that compute with too few bits, or change the values of a correct sum."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import ml_dtypes
import numpy as np

from trt_conformance.core.arrays import Array
from trt_conformance.core.attributes import Attributes
from trt_conformance.core.case import Case
from trt_conformance.core.types import Precision
from trt_conformance.mutants import conditions
from trt_conformance.mutants.mutant import Change, Mutant
from trt_conformance.numerics.reference.shape import Axis, resolve
from trt_conformance.targets.numpy import truncated

Rounding = Callable[[Array], Array]

HALF, BRAIN = np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16)
# Types narrower than the one that a precision demands. TF32 reads float32 operands with 10 of 23 fraction bits.
NARROWER: dict[Precision, tuple[str, ...]] = {
    "fp32": ("tf32", "fp16", "bf16"),
    "tf32": ("bf16",),
    "fp16": ("bf16",),
}


def through(dtype: np.dtype[Any]) -> Rounding:
    """Return a function that rounds to a type and back; values that are too large become infinite."""

    def rounded(values: Array) -> Array:
        with np.errstate(over="ignore"):
            return values.astype(np.float32).astype(dtype).astype(values.dtype)

    return rounded


SUMS: tuple[tuple[Precision, str], ...] = (
    ("fp32", "fp16"),
    ("fp32", "bf16"),
    ("tf32", "bf16"),
    ("fp16", "fp16"),
    ("bf16", "bf16"),
)
ROUNDING: dict[str, Rounding] = {
    "tf32": lambda v: truncated(v).astype(v.dtype),
    "fp16": through(HALF),
    "bf16": through(BRAIN),
}


def rounding(rounded: Rounding) -> Change:
    return lambda tensor, case: rounded(tensor)


def stepwise(rounded: Rounding) -> Callable[[Array, Array, Attributes, Case], Array]:
    """Return a sum over products that adds one term at a time and rounds each partial sum."""

    def multiply(x: Array, kernel: Array, attributes: Attributes, case: Case) -> Array:
        axes = resolve(x.shape, kernel.shape, attributes)
        total: Array | None = None
        for term in np.ndindex(kernel.shape[1:]):
            product = products_of(x, kernel, axes, attributes.groups, term)
            total = rounded(product if total is None else total + product)
        return np.asarray(total)

    return multiply


def products_of(x: Array, kernel: Array, axes: Sequence[Axis], groups: int, term: tuple[int, ...]) -> Array:
    """The products of one term, in the shape of the output: the result of a kernel with this term alone.

    Args:
        x: ``(*batch, C, *spatial)``, already padded.
        kernel: ``(K, C/groups, *window)``.
        axes: the spatial axes, without padding.
        groups: the number of groups.
        term: the channel within a group, and the position in the window.
    """
    channel, *tap = term
    steps = zip(tap, axes, strict=True)
    window = [slice(f * a.dilation, f * a.dilation + (a.size - 1) * a.stride + 1, a.stride) for f, a in steps]
    read: tuple[Any, ...] = (..., slice(channel, None, kernel.shape[1]), *window)
    taken: tuple[Any, ...] = (slice(None), *term)
    seen, weights = x[read], kernel[taken].reshape(-1, *(1,) * len(axes))
    return np.asarray(np.repeat(seen, len(kernel) // groups, axis=-len(axes) - 1) * weights + x.dtype.type(0))


def terms_of(case: Case) -> int:
    """The number of passes of `stepwise`: one for each term of a sum."""
    return math.prod(case.kernel.shape[1:])


def next_up(values: Array) -> Array:
    """The next larger values of the type."""
    if values.dtype != BRAIN:
        return np.asarray(np.nextafter(values, np.asarray(np.inf, values.dtype)))
    bits = values.view(np.uint16)
    return np.where(values >= 0, bits + 1, bits - 1).astype(np.uint16).view(BRAIN)


def toward_zero(dtype: np.dtype[Any]) -> Change:
    """Truncate sums to an output type instead of rounding them."""

    def cut(sums: Array, case: Case) -> Array:
        dropped = np.uint32(0xFFFFE000 if dtype == HALF else 0xFFFF0000)
        return (np.ascontiguousarray(sums).view(np.uint32) & dropped).view(np.float32)

    return cut


def _narrow() -> Iterator[Mutant]:
    for precision, types in NARROWER.items():
        applies = conditions.in_precision(precision)
        for name in types:
            rounded = rounding(ROUNDING[name])
            yield Mutant(
                f"{precision}_input_in_{name}", f"{precision} reads its input in {name}", applies, input=rounded
            )
            yield Mutant(
                f"{precision}_kernel_in_{name}", f"{precision} reads its kernel in {name}", applies, kernel=rounded
            )
            yield Mutant(
                f"{precision}_output_in_{name}", f"{precision} writes its output in {name}", applies, output=rounded
            )
    for precision, name in SUMS:
        doc = f"{precision} rounds each partial sum to {name}"
        applies = conditions.in_precision(precision)
        yield Mutant(f"{precision}_sums_in_{name}", doc, applies, multiply=stepwise(ROUNDING[name]), passes=terms_of)


def _last_places() -> Iterator[Mutant]:
    for precision in ("fp32", "tf32", "fp16", "bf16"):
        doc = f"{precision} outputs are one unit in the last place too large"
        applies = conditions.in_precision(precision)
        yield Mutant(f"{precision}_one_ulp_up", doc, applies, output=rounding(next_up))
    for precision, dtype in (("fp16", HALF), ("bf16", BRAIN)):
        doc = f"{precision} outputs are truncated, not rounded"
        yield Mutant(f"{precision}_cut", doc, conditions.in_precision(precision), sums=toward_zero(dtype))


def _between() -> Iterator[Mutant]:
    """Of quantized layers between half tensors."""
    for dtype in ("float16", "bfloat16"):
        applies, doc = conditions.between(dtype), f"a quantized layer between {dtype} tensors"
        name = f"between_{dtype}"
        yield Mutant(f"{name}_one_ulp_up", f"{doc} is a unit in the last place off", applies, output=rounding(next_up))
    applies = conditions.between("float16")
    doc = "a quantized layer between float16 tensors"
    yield Mutant("between_float16_input_in_bf16", f"{doc} reads bf16", applies, input=rounding(ROUNDING["bf16"]))
    yield Mutant("between_float16_output_in_bf16", f"{doc} writes bf16", applies, output=rounding(ROUNDING["bf16"]))


MUTANTS: tuple[Mutant, ...] = (
    *_narrow(),
    *_last_places(),
    *_between(),
    Mutant(
        "negative_outputs_zero",
        "negative outputs become zero",
        output=lambda y, case: np.maximum(y, 0).astype(y.dtype),
    ),
    Mutant("output_magnitude", "the output loses its signs", output=lambda y, case: np.abs(y)),
    Mutant("output_negated", "the output's signs are flipped", output=lambda y, case: -y),
    Mutant(
        "output_grown",
        "the output is multiplied by 1 + 2^-20",
        output=lambda y, case: (y.astype(np.float64) * (1 + 2.0**-20)).astype(y.dtype),
    ),
    Mutant("output_shifted", "2^-10 is added to the output", output=lambda y, case: (y + 2.0**-10).astype(y.dtype)),
    Mutant(
        "output_squashed",
        "outputs saturate at the largest float16",
        output=lambda y, case: np.clip(y, -65504, 65504).astype(y.dtype),
    ),
)
