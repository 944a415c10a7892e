"""Mutants that do not round to nearest, but stay within the bound of most cases.

Sums are computed in float64, in which each addition of a float32 number and a product of two is exact or nearly so, and
rounded to the accumulator's 24 bits after each term.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import ml_dtypes
import numpy as np

from trt_conformance.core.arrays import Array, Float64
from trt_conformance.core.attributes import Attributes
from trt_conformance.core.case import Case
from trt_conformance.core.types import DATA_TYPE, Precision
from trt_conformance.mutants import conditions
from trt_conformance.mutants.arithmetic import products_of, rounding, terms_of
from trt_conformance.mutants.mutant import Mutant, per_map
from trt_conformance.numerics.bounds.elementwise import HALVES
from trt_conformance.numerics.compare import FORMATS
from trt_conformance.numerics.reference.shape import resolve

FLOAT32_BITS, TF32_BITS = 24, 11
GUARD_BITS = 2
"""Bits that an adder without sticky bits keeps below the last place."""
BITS: dict[Precision, int] = {half: FORMATS[DATA_TYPE[half]][0] for half in HALVES}
SMALLEST_NORMAL: dict[Precision, float] = {half: 2.0 ** (FORMATS[DATA_TYPE[half]][1] - 1) for half in HALVES}

Cut = Callable[[Float64], Float64]
"""Makes integers of scaled significands."""
Add = Callable[[Float64, Float64], Float64]


def ties_away(scaled: Float64) -> Float64:
    return np.asarray(np.copysign(np.floor(np.abs(scaled) + 0.5), scaled))


def away(scaled: Float64) -> Float64:
    return np.asarray(np.copysign(np.ceil(np.abs(scaled)), scaled))


CUTS: dict[str, tuple[Cut, str]] = {
    "truncated": (np.trunc, "are truncated"),
    "floored": (np.floor, "are rounded down"),
    "raised": (np.ceil, "are rounded up"),
    "outward": (away, "are rounded away from 0"),
    "ties_away": (ties_away, "are rounded to nearest, ties away from 0"),
}


def to_bits(values: Array, bits: int, cut: Cut) -> Float64:
    """Values rounded to this many significant bits, in float64. Subnormal numbers keep as many."""
    mantissa, exponent = np.frexp(values.astype(np.float64))
    return np.asarray(np.ldexp(cut(np.ldexp(mantissa, bits)), exponent - bits))


def without_sticky_bits(total: Float64, product: Float64) -> Float64:
    """Add like hardware that drops the bits below its guard bits before it rounds to nearest."""
    exponent = np.frexp(np.maximum(np.abs(total), np.abs(product)))[1]
    unit = np.ldexp(1.0, exponent - FLOAT32_BITS - GUARD_BITS)
    return to_bits((np.trunc(total / unit) + np.trunc(product / unit)) * unit, FLOAT32_BITS, np.rint)


def summed(add: Add) -> Callable[[Array, Array, Attributes, Case], Array]:
    """A sum over products in float64, one term at a time, that ``add`` adds to the sum so far."""

    def multiply(x: Array, kernel: Array, attributes: Attributes, case: Case) -> Array:
        axes = resolve(x.shape, kernel.shape, attributes)
        wide_x, wide_w = x.astype(np.float64), kernel.astype(np.float64)
        total: Float64 | None = None
        for term in np.ndindex(kernel.shape[1:]):
            product = products_of(wide_x, wide_w, axes, attributes.groups, term)
            total = add(np.zeros_like(product) if total is None else total, product)
        return np.asarray(total).astype(x.dtype)

    return multiply


def _accumulators() -> Iterator[Mutant]:
    in_fp32 = conditions.in_precision("fp32")
    for name, (cut, doc) in CUTS.items():

        def add(total: Float64, product: Float64, cut: Cut = cut) -> Float64:
            return to_bits(total + product, FLOAT32_BITS, cut)

        yield Mutant(f"fp32_sums_{name}", f"partial sums {doc}", in_fp32, multiply=summed(add), passes=terms_of)
    yield Mutant(
        "fp32_without_sticky_bits",
        "an addition drops the bits that it shifts out, and then rounds",
        in_fp32,
        multiply=summed(without_sticky_bits),
        passes=terms_of,
    )


def _outputs() -> Iterator[Mutant]:
    for precision, bits in BITS.items():
        for name, (cut, doc) in CUTS.items():
            if name != "truncated":  # that is `fp16_cut`

                def written(sums: Array, case: Case, cut: Cut = cut, bits: int = bits) -> Array:
                    return to_bits(sums, bits, cut).astype(np.float32)

                applies = conditions.in_precision(precision)
                yield Mutant(f"{precision}_output_{name}", f"{precision} outputs {doc}", applies, sums=written)


def _operands() -> Iterator[Mutant]:
    applies = conditions.in_precision("tf32")
    for name in ("floored", "raised", "outward"):
        cut, doc = CUTS[name]

        def read(values: Array, cut: Cut = cut) -> Array:
            return to_bits(values, TF32_BITS, cut).astype(values.dtype)

        change = rounding(read)
        yield Mutant(f"tf32_operands_{name}", f"operands {doc} to TF32", applies, input=change, kernel=change)
        yield Mutant(f"tf32_input_{name}", f"the values of the input {doc} to TF32", applies, input=change)
        yield Mutant(f"tf32_kernel_{name}", f"the values of the kernel {doc} to TF32", applies, kernel=change)


def _in_tf32(values: Array) -> Array:
    return to_bits(values, TF32_BITS, np.trunc).astype(values.dtype)


def bias_in_tf32(y: Array, bias: Array, case: Case) -> Array:
    """Add a bias that was rounded like an operand."""
    return np.asarray(y + per_map(_in_tf32(bias), case))


def flushed(precision: Precision) -> Callable[[Array], Array]:
    """A function that flushes subnormal numbers to 0."""
    return lambda values: np.where(
        np.abs(values.astype(np.float64)) < SMALLEST_NORMAL[precision], np.zeros_like(values), values
    )


def products_in_half(x: Array, kernel: Array, attributes: Attributes, case: Case) -> Array:
    """Round each product to the type of the operands, and sum in float32."""
    dtype = np.dtype(np.float16) if case.precision == "fp16" else np.dtype(ml_dtypes.bfloat16)

    def add(total: Float64, product: Float64) -> Float64:
        return (total + product.astype(np.float32).astype(dtype).astype(np.float64)).astype(np.float32).astype(float)

    return summed(add)(x, kernel, attributes, case)


def _halves() -> Iterator[Mutant]:
    for precision in ("fp16", "bf16"):
        doc = f"{precision} products are rounded to {precision} before they are summed in float32"
        applies = conditions.in_precision(precision)
        yield Mutant(f"{precision}_products_rounded", doc, applies, multiply=products_in_half, passes=terms_of)


def _subnormals() -> Iterator[Mutant]:
    applies, change = conditions.in_precision("fp16"), rounding(flushed("fp16"))
    yield Mutant(
        "fp16_operands_flushed",
        "fp16 operands below the normal range are read as 0",
        applies,
        input=change,
        kernel=change,
    )
    yield Mutant("fp16_output_flushed", "fp16 outputs below the normal range are written as 0", applies, output=change)


MUTANTS: tuple[Mutant, ...] = (
    *_accumulators(),
    *_outputs(),
    *_operands(),
    *_halves(),
    *_subnormals(),
    *(
        Mutant(f"{precision}_bias_in_tf32", f"the bias of {precision} is truncated to TF32", applies, bias=bias_in_tf32)
        for precision, applies in ((name, conditions.in_precision(name)) for name in ("fp32", "tf32"))
    ),
)
