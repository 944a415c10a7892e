"""Mutants of FP8: rounding, saturation, small values, other types in its place, and scales."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

import numpy as np

from trt_conformance.core.arrays import Array
from trt_conformance.mutants import conditions
from trt_conformance.mutants.int8 import Rule, in_role, scaled_again, where
from trt_conformance.mutants.mutant import Mutant, Role, confined
from trt_conformance.numerics.reference.quantization import FP8, INT8, Grid, quantize

E5M2 = Grid(-57344.0, 57344.0, bits=3, smallest=-13)
IEEE = Grid(-240.0, 240.0, bits=4, smallest=-5)
LARGEST_ROUNDED = 464.0
"""The largest value that a conversion without saturation rounds to 448; larger ones give NaN."""


def on_grid(ratio: Array, rounding: np.ufunc) -> Array:
    """Round with another rule, and saturate."""
    inside = np.clip(ratio, FP8.low, FP8.high)
    step = FP8.spacing(inside)
    return np.asarray(rounding(inside / step) * step)


def half_away(x: Array, scale: Array) -> Array:
    ratio = x / scale
    nudged = np.nextafter(ratio, np.copysign(np.inf, ratio))
    return quantize(nudged, np.ones(()), FP8)


def without_small_values(x: Array, scale: Array) -> Array:
    """Values below the normal range become 0."""
    q = quantize(x, scale, FP8)
    return np.where(np.abs(q) < 2.0**-6, 0.0, q)


def unsaturated(x: Array, scale: Array) -> Array:
    return np.where(np.abs(x / scale) > LARGEST_ROUNDED, np.nan, quantize(x, scale, FP8))


RULES: dict[str, tuple[str, Rule]] = {
    "toward_zero": ("truncates instead of rounding", lambda x, scale: on_grid(x / scale, np.trunc)),
    "half_away": ("rounds ties away from zero", half_away),
    "unsaturated": ("gives NaN beyond the largest value", unsaturated),
    "ends_at_240": ("saturates at 240, as an E4M3 with infinities would", lambda x, s: quantize(x, s, IEEE)),
    "no_subnormals": ("flushes subnormal values to zero", without_small_values),
    "as_e5m2": ("uses E5M2", lambda x, scale: quantize(x, scale, E5M2)),
    "as_int8": ("uses int8", lambda x, scale: quantize(x, scale, INT8)),
    "left_out": ("is omitted", lambda x, scale: x / scale),
}


def _per_tensor() -> Iterator[Mutant]:
    for role in get_args(Role):
        for what, (doc, rule) in RULES.items():
            said = f"the {role}'s FP8 quantization {doc}"
            yield Mutant(f"fp8_{role}_{what}", said, where(role), quantize=in_role(role, rule))


def _scales() -> Iterator[Mutant]:
    for role in ("input", "kernel"):
        yield Mutant(f"fp8_{role}_scale_dropped", f"the {role}'s FP8 scale is not applied", sums=scaled_again(role, -1))
    lost = scaled_again("output", -1)
    yield Mutant("fp8_output_scale_dropped", "the output's FP8 scale is not applied", where("output"), output=lost)
    yield Mutant(
        "fp8_scale_of_first_map",
        "every map has the first map's FP8 scale",
        conditions.scaled_by_map,
        scales=lambda q: q.model_copy(update={"kernel": q.kernel[:1] * len(q.kernel)}),
    )


MUTANTS = confined("fp8", (*_per_tensor(), *_scales()))
