"""Mutants of int8: rounding, saturation, scales, accumulation, and missing quantization."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import get_args

import numpy as np

from trt_conformance.core.arrays import Array
from trt_conformance.core.case import Case
from trt_conformance.mutants import conditions
from trt_conformance.mutants.arithmetic import HALF, rounding, through
from trt_conformance.mutants.conditions import Condition, both
from trt_conformance.mutants.mutant import Change, Mutant, Role, add_bias, confined, per_map, quantize
from trt_conformance.numerics.reference.quantization import HIGH, LOW, Grid

Rule = Callable[[Array, Array], Array]


def saturated(q: Array) -> Array:
    return np.clip(q, LOW, HIGH)


def wrapped(q: Array, bits: int) -> Array:
    """Wrap as two's complement of ``bits`` bits does."""
    half = 2.0 ** (bits - 1)
    return (q + half) % (2 * half) - half


def half_away(x: Array, scale: Array) -> Array:
    ratio = x / scale
    return saturated(np.sign(ratio) * np.floor(np.abs(ratio) + 0.5))


def by_reciprocal(x: Array, scale: Array) -> Array:
    """Multiply by the scale's reciprocal, rounded to float16."""
    return saturated(np.rint(x * (1 / scale).astype(np.float16).astype(np.float64)))


RULES: dict[str, tuple[str, Rule]] = {
    "half_up": ("rounds ties up", lambda x, scale: saturated(np.floor(x / scale + 0.5))),
    "half_away": ("rounds ties away from zero", half_away),
    "toward_zero": ("truncates fractions", lambda x, scale: saturated(np.trunc(x / scale))),
    "floor": ("rounds down", lambda x, scale: saturated(np.floor(x / scale))),
    "wrapping": ("wraps instead of saturating", lambda x, scale: wrapped(np.rint(x / scale), 8)),
    "symmetric_range": ("saturates at -127", lambda x, scale: np.clip(np.rint(x / scale), -HIGH, HIGH)),
    "narrow_range": ("saturates at 126", lambda x, scale: np.clip(np.rint(x / scale), LOW, HIGH - 1)),
    "unsaturated": ("does not saturate", lambda x, scale: np.rint(x / scale)),
    "unsigned": ("saturates at 0 and 255", lambda x, scale: np.clip(np.rint(x / scale), 0, 255)),
    "read_unsigned": ("is read as unsigned", lambda x, scale: saturated(np.rint(x / scale)) % 256),
    "zero_point_1": ("has a zero point of 1", lambda x, scale: saturated(np.rint(x / scale) + 1)),
    "unrounded": ("is not rounded", lambda x, scale: np.clip(x / scale, LOW, HIGH)),
    "reciprocal": ("multiplies by the scale's reciprocal in float16", by_reciprocal),
}


def _per_tensor() -> Iterator[Mutant]:
    for role in get_args(Role):
        for what, (doc, rule) in RULES.items():
            said = f"the {role}'s quantization {doc}"
            yield Mutant(f"int8_{role}_{what}", said, where(role), quantize=in_role(role, rule))


def where(role: Role) -> Condition:
    """The condition that a case quantizes the tensor. A quantized convolution may leave its output unquantized."""
    return conditions.quantized_to if role == "output" else conditions.quantized


def in_role(wrong: Role, rule: Rule) -> Callable[[Array, Array, Role, Grid], Array]:
    """Quantize one tensor with another rule."""
    return lambda x, scale, role, grid: rule(x, scale) if role == wrong else quantize(x, scale, role, grid)


def bias_before_scaling(y: Array, bias: Array, case: Case) -> Array:
    """Add the bias to the integer sums, as if it had their scale."""
    assert case.quantize is not None
    scale = case.quantize.input * np.asarray(case.quantize.kernel, dtype=np.float32)
    return add_bias(y, bias * scale, case)


def bias_rounded(y: Array, bias: Array, case: Case) -> Array:
    return add_bias(y, np.rint(bias), case)


def rescaled(y: Array, case: Case) -> Array:
    """Round the product of the scales to float16."""
    assert case.quantize is not None
    scale = np.atleast_1d(case.quantize.input * np.asarray(case.quantize.kernel, dtype=np.float32))
    return y * per_map((scale.astype(np.float16) / scale).astype(np.float32), case)


def _per_scale() -> Iterator[Mutant]:
    """Each scale omitted or applied twice in the dequantization."""
    for what, doc, power in (("dropped", "is not applied", -1), ("squared", "is applied twice", 1)):
        for role in ("input", "kernel"):
            yield Mutant(f"int8_{role}_scale_{what}", f"the {role}'s scale {doc}", sums=scaled_again(role, power))
        applied = scaled_again("output", power)
        yield Mutant(f"int8_output_scale_{what}", f"the output's scale {doc}", where("output"), output=applied)


def scaled_again(role: Role, power: int) -> Change:
    """Apply a scale once more (power 1), or undo it (power -1)."""

    def times(y: Array, case: Case) -> Array:
        assert case.quantize is not None
        scale = np.atleast_1d(np.asarray(getattr(case.quantize, role) or 1.0, dtype=np.float32))
        return (y * per_map(scale**power, case)).astype(y.dtype)

    return times


_ALL: tuple[Mutant, ...] = (
    *_per_tensor(),
    *_per_scale(),
    Mutant("int8_not_quantised", "int8 computes in float, without quantizing", scales=lambda q: None),
    Mutant(
        "int8_kernel_neither_rounded_nor_saturated",
        "the kernel is not quantized while the input is",
        quantize=in_role("kernel", lambda x, scale: x / scale),
    ),
    Mutant(
        "int8_output_not_quantised",
        "the output is not quantized",
        where("output"),
        scales=lambda q: q.model_copy(update={"output": None}),
    ),
    Mutant(
        "int8_scale_of_next_map",
        "each map has the next map's kernel scale",
        conditions.scaled_by_map,
        scales=lambda q: q.model_copy(update={"kernel": (*q.kernel[1:], q.kernel[0])}),
    ),
    Mutant(
        "int8_scale_of_first_map",
        "every map has the first map's kernel scale",
        conditions.scaled_by_map,
        scales=lambda q: q.model_copy(update={"kernel": q.kernel[:1] * len(q.kernel)}),
    ),
    Mutant(
        "int8_scales_exchanged",
        "the input has the kernel's first scale, and the kernel the input's",
        scales=lambda q: q.model_copy(update={"input": q.kernel[0], "kernel": (q.input,) * len(q.kernel)}),
    ),
    Mutant("int8_sums_wrap_in_int16", "sums wrap in 16 bits", sums=lambda y, case: wrapped(y, 16)),
    Mutant(
        "int8_sums_saturate_in_int16",
        "sums saturate in 16 bits",
        sums=lambda y, case: np.clip(y, -(2.0**15), 2.0**15 - 1),
    ),
    Mutant("int8_sums_in_fp16", "sums are rounded to float16", sums=rounding(through(HALF))),
    Mutant(
        "int8_bias_before_scaling",
        "the bias is added before the scales are applied",
        conditions.biased,
        bias=bias_before_scaling,
    ),
    Mutant("int8_bias_rounded", "the bias is rounded to an integer", conditions.biased, bias=bias_rounded),
    Mutant(
        "int8_padding_of_one_beside_zero_points",
        "padding is worth 1 where zero points are given",
        both(conditions.padded, lambda case: case.quantize is not None and case.quantize.zero_point is not None),
        pad=lambda x, widths: np.pad(x, widths, constant_values=1),
    ),
    Mutant("int8_scale_in_fp16", "the product of the scales is rounded to float16", sums=rescaled),
)

MUTANTS = confined("int8", _ALL)
