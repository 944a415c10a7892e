"""FP8 as E4M3FN: its rounding against ml_dtypes and by integers, its bound, and what both say no to."""

from __future__ import annotations

from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest

from tests.support.helpers import make_case
from trt_conformance.core.tensors import case_data
from trt_conformance.numerics.bounds.elementwise import bound
from trt_conformance.numerics.compare import compare
from trt_conformance.numerics.reference.quantization import FP8, near_tie_step, quantize, scales
from trt_conformance.numerics.reference.result import reference

E4M3 = np.dtype(ml_dtypes.float8_e4m3fn)
ONE = np.ones(())


def values():
    """Every finite value of the type, in order."""
    every = np.arange(256, dtype=np.uint8).view(E4M3).astype(np.float64)
    return np.unique(every[np.isfinite(every)])


def fp8(x):
    return quantize(np.asarray(x, dtype=np.float64), ONE, FP8)


def nearest(x):
    """The value next to a number by exact arithmetic over every value there is; ties to the even code."""
    table = [(Fraction(float(v)), index) for index, v in enumerate(np.arange(128, dtype=np.uint8).view(E4M3)[:127])]
    sign, size = (-1, -Fraction(x)) if x < 0 else (1, Fraction(x))
    best = min(table, key=lambda entry: (abs(entry[0] - size), entry[1] % 2))
    return sign * float(best[0])


def test_every_value_passes_unchanged():
    assert fp8(values()).tolist() == values().tolist()
    assert values()[-1] == 448.0
    assert len(values()) == 253


def test_halfway_goes_to_the_even_code():
    table = values()
    middles = (table[1:] + table[:-1]) / 2
    assert fp8(middles).tolist() == [nearest(middle) for middle in middles]


def test_beside_halfway_goes_to_the_nearer_one():
    table = values()
    middles = (table[1:] + table[:-1]) / 2
    below, above = np.nextafter(middles, -np.inf), np.nextafter(middles, np.inf)
    assert fp8(below).tolist() == table[:-1].tolist()
    assert fp8(above).tolist() == table[1:].tolist()


def test_agrees_with_ml_dtypes_on_every_float16_that_does_not_saturate():
    every = np.arange(2**16, dtype=np.uint32).astype(np.uint16).view(np.float16).astype(np.float64)
    inside = every[np.abs(every) <= 448]
    assert fp8(inside).tolist() == inside.astype(np.float32).astype(E4M3).astype(np.float64).tolist()


def test_saturates_where_a_conversion_would_give_nan():
    assert fp8([449, 464, 465, 1e30, np.inf]).tolist() == [448.0] * 5
    assert fp8([-449, -465, -np.inf]).tolist() == [-448.0] * 3
    assert np.isnan(np.float32(500).astype(E4M3).astype(np.float32))
    assert fp8([np.nan]).tolist() == [0.0]


def test_rounds_once_where_two_roundings_would_go_astray():
    # Just above halfway between 1 and 1.125: float16 in between would make it the tie, which goes to 1.
    x = 1.0625 + 2.0**-20
    assert fp8([x]).tolist() == [1.125]
    assert float(np.float16(x).astype(np.float32).astype(E4M3)) == 1.0


def test_near_a_tie_the_step_is_that_of_the_value():
    scale = scales(0.1, 1)
    step = float(np.float32(0.1))
    # 34 lies halfway between 32 and 36 of FP8; float32 cannot hold 34 * 0.1, so the quotient lies beside the tie.
    x = np.asarray([float(np.float32(34 * step)), float(np.float32(32.5 * step))])
    assert near_tie_step(x, scale, FP8).tolist() == pytest.approx([4 * step, 0.0])
    assert near_tie_step(np.asarray([34.0]), scales(1.0, 1), FP8).tolist() == [0.0]
    assert near_tie_step(np.asarray([1000.0]), scales(1.0, 1), FP8).tolist() == [0.0]


def case(**fields):
    return make_case(
        precision="fp8",
        input={"shape": [1, 32, 5, 6], "fill": "uniform", "seed": 1},
        kernel={"shape": [4, 32, 3, 3], "fill": "uniform", "seed": 2},
        weights="set_input",
        quantize={"input": 0.01, "kernel": [0.0071]},
        **fields,
    )


def test_the_reference_multiplies_what_ml_dtypes_rounds():
    given = case()
    data, result = case_data(given), reference(given)
    scale, step = np.float32(0.01), np.float32(0.0071)
    x = np.clip(data.input / np.float64(scale), -448, 448).astype(np.float32).astype(E4M3).astype(np.float64)
    w = np.clip(data.kernel / np.float64(step), -448, 448).astype(np.float32).astype(E4M3).astype(np.float64)
    total = np.sum(x[0, :, 1:4, 2:5] * w[3]) * float(scale) * float(step)
    assert result.output[0, 3, 1, 2] == pytest.approx(total, rel=1e-12)


def aligned_sum(products, bits):
    """Adds as a tensor core does: every 32 products cut to so many bits of fraction of the largest, then added."""
    total = 0.0
    for start in range(0, len(products), 32):
        group = np.append(products[start : start + 32], total)
        unit = 2.0 ** (np.frexp(np.abs(group).max())[1] - 1 - bits)
        total = float((np.trunc(group / unit) * unit).sum())
    return total


def emulated(given, bits):
    """The case's output by such sums."""
    from trt_conformance.numerics.reference.quantization import grid_of

    data, q = case_data(given), given.quantize
    grid = grid_of(given.precision)
    x = quantize(data.input.astype(np.float64), scales(q.input, 4), grid)
    w = quantize(data.kernel.astype(np.float64), scales(q.kernel, 4), grid)
    factor = float(np.float32(q.input)) * float(np.float32(q.kernel[0]))
    out = np.empty((1, 4, 3, 4))
    for _, k, h, col in np.ndindex(*out.shape):
        out[0, k, h, col] = aligned_sum((x[0, :, h : h + 3, col : col + 3] * w[k]).ravel(), bits) * factor
    return out.astype(np.float32)


def test_the_bound_of_fp8_kernels_holds_what_13_bits_of_fraction_give_and_not_what_8_give():
    given = case()
    result = reference(given)
    limits = bound(given, result, "fp22")
    assert compare(emulated(given, 13), result.output, limits).passed
    assert not compare(emulated(given, 13), result.output, bound(given, result)).passed
    assert not compare(emulated(given, 3), result.output, limits).passed


def test_small_integers_are_exact_in_14_bits():
    given = make_case(
        precision="fp8",
        input={"shape": [1, 8, 4, 4], "fill": "exact_integers", "seed": 1},
        kernel={"shape": [2, 8, 3, 3], "fill": "exact_integers", "seed": 2},
        weights="set_input",
        quantize={"input": 1.0, "kernel": [0.5], "output": 2.0},
    )
    assert not bound(given, reference(given), "fp22").any()
    assert bound(case(), reference(case()), "fp22").all()
