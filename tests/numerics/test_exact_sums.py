"""Where every partial sum is exact, the bound allows no error; and the grain that decides it."""

import math
from fractions import Fraction

import numpy as np
import pytest

from tests.support.dots import ROWS, dots, judge, worst
from tests.support.helpers import make_case
from trt_conformance.core.tensors import NUMPY_TYPE
from trt_conformance.numerics.bounds.elementwise import bound
from trt_conformance.numerics.bounds.operands import SAMPLE, grain
from trt_conformance.numerics.reference.result import reference


def integers(terms, precision, **fields):
    kernel = {"shape": [1, terms, 1, 1], "fill": "exact_integers", "seed": 1}
    shape = {"shape": [ROWS, terms, 1, 1], "fill": "exact_integers"}
    return dots(terms, precision, **({"input": shape, "kernel": kernel} | fields))


@pytest.mark.parametrize("precision", ["fp32", "tf32", "fp16"])
@pytest.mark.parametrize("terms", [1, 64, 200])
def test_exact_sums_allow_no_error(precision, terms):
    case = integers(terms, precision)
    result = reference(case)
    assert not bound(case, result).any()
    assert judge(case, result.output).passed
    one_ulp = np.nextafter(result.output.astype(NUMPY_TYPE[case.data_type]), np.inf)
    assert judge(case, one_ulp).beyond == ROWS


def test_exact_fractions_of_a_power_of_two_count_too():
    case = integers(64, "fp32", bias={"values": [0.125]})
    assert not bound(case, reference(case)).any()


def test_an_exact_sum_still_rounds_when_written():
    """bfloat16 holds 8 bits: 257 lies between 256 and 258."""
    case = worst("bf16", [16.0, 1.0], [16.0, 1.0])
    assert judge(case, [256.0]).passed
    assert judge(case, [258.0]).passed
    assert not judge(case, [254.0]).passed
    assert bound(worst("bf16", [16.0, 2.0], [16.0, 1.0]), reference(worst("bf16", [16.0, 2.0], [16.0, 1.0]))) == 0


@pytest.mark.parametrize(
    ("precision", "accumulation", "x", "w"),
    [
        ("fp32", "fp32", [2.0**23, 2.0**23, 1.0], [1.0, 1.0, 1.0]),
        ("fp32", "fp32", [1.0, 2.0**-24], [1.0, 1.0]),
        ("tf32", "fp32", [2049.0], [1.0]),
        ("tf32", "fp32", [1.0], [2049.0]),
        ("fp16", "fp16", [2048.0, 1.0, 1.0], [1.0, 1.0, -1.0]),
        ("fp32", "fp32", [2.0**-75], [2.0**-75]),
    ],
)
def test_inexact_sums_allow_some(precision, accumulation, x, w):
    case = worst(precision, x, w)
    assert (bound(case, reference(case), accumulation) > 0).all()


def test_a_bias_of_finer_grain_makes_a_sum_inexact():
    fields = {
        "input": {"shape": [1, 1, 1, 1], "values": [4096.0]},
        "kernel": {"shape": [1, 1, 1, 1], "values": [4096.0]},
    }
    fine, coarse = (make_case(**fields, bias={"values": [b]}) for b in (0.5, 4096.0))
    assert bound(fine, reference(fine)) > 0
    assert bound(coarse, reference(coarse)) == 0


def test_float16_accumulators_are_exact_up_to_2048():
    case = integers(64, "fp16")
    assert reference(case).magnitude.max() <= 2048
    assert not bound(case, reference(case), "fp16").any()


def test_grain_is_the_common_power_of_two():
    assert grain(np.asarray([6.0, -4.0, 0.0])) == 2
    assert grain(np.asarray([0.75, 3.0])) == 0.25
    assert grain(np.asarray([1 + 2.0**-52])) == 2.0**-52
    assert grain(np.zeros(3)) == math.inf


@pytest.mark.parametrize("exponents", [(0, 1), (-40, 40), (-500, 500), (-1074, 900)])
def test_grain_of_many_values_is_the_smallest_of_their_own(exponents):
    random = np.random.default_rng(3)
    many = 5 * SAMPLE
    for _ in range(5):
        values = np.ldexp(random.integers(-2000, 2001, many).astype(float), random.integers(*exponents, many))
        own = min(power_of_two_in(value) for value in values if value)
        assert grain(values) == grain(np.sort(values)) == grain(-np.sort(values)) == own


def power_of_two_in(value):
    numerator, denominator = float(value).as_integer_ratio()
    return Fraction(numerator & -numerator, denominator)


def test_grain_is_that_of_the_last_value_if_this_alone_is_small():
    values = np.full(10 * SAMPLE, 8.0)
    values[-1] = 0.5
    assert grain(values) == 0.5
