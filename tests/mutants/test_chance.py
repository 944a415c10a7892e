"""The bits of an error: those of its different values and places, and of a second input only where it differs."""

import math

import numpy as np
import pytest

from tests.support.helpers import make_case
from trt_conformance.mutants.chance import MOST_BITS, bits_needed, bits_of, in_steps

EVERY = np.ones((2, 4), dtype=bool)
RIGHT = np.zeros((2, 4))


def bits(first, second=None, region=EVERY, allowed=1e-6):
    return bits_of(np.asarray(first, float), None if second is None else np.asarray(second, float), region, allowed)


def test_equal_errors_count_once():
    assert bits(np.full((2, 4), 1.0)) == pytest.approx(math.log2(3))
    assert bits(np.full((2, 4), -5.0)) == pytest.approx(math.log2(11))
    assert bits([[1, 2, 3, 1], [2, 3, 1, 2]]) == pytest.approx(math.log2(3 * 5 * 7))


def test_a_number_of_many_bits_has_those_that_rounding_leaves():
    assert bits(np.full((2, 4), 1 / 3), allowed=2.0**-12) == pytest.approx(11.4, abs=0.1)
    assert bits(np.full((2, 4), 1 / 3), allowed=2.0**-60) == MOST_BITS


def test_a_second_input_with_the_same_errors_adds_nothing():
    first = np.arange(1.0, 9).reshape(2, 4)
    assert bits(first, first) == bits(first)
    assert bits(first, -first) == pytest.approx(2 * bits(first))
    changed = first.copy()
    changed[0, 0] = 9
    assert bits(first, changed) > bits(first)


def test_where_an_error_is_counts_within_the_region():
    corner = RIGHT.copy()
    corner[0, 0] = 1
    assert bits(corner) == pytest.approx(math.log2(3 * 8))
    assert bits(corner, region=corner > 0) == pytest.approx(math.log2(3))
    assert bits(corner, RIGHT) == pytest.approx(math.log2(3 * 8 * 8))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_has_no_bits_of_its_own(value):
    assert bits(np.full((2, 4), value)) == 0
    assert bits(np.full((2, 4), value), np.full((2, 4), value)) == 0


def test_more_mutants_need_more_bits():
    assert bits_needed(1) == pytest.approx(math.log2(100))
    assert bits_needed(800) - bits_needed(100) == pytest.approx(3)


def test_a_quantized_error_is_counted_in_steps():
    fields = {"input": {"shape": [1, 1, 1, 2], "values": [1, 2]}, "kernel": {"shape": [2, 1, 1, 1], "values": [1, 2]}}
    quantize = {"input": 0.5, "kernel": [0.01, 0.03], "output": 0.013}
    case = make_case(precision="int8", quantize=quantize, **fields)
    error = np.array([[[[0.013, -0.026]], [[0, 0.039]]]])
    steps, step = in_steps(error, case)
    assert (steps.ravel().tolist(), step) == ([1, -2, 0, 3], pytest.approx(0.013))
    case = make_case(precision="int8", quantize={"input": 0.5, "kernel": [0.01, 0.03]}, **fields)
    steps, step = in_steps(np.array([[[[0.005, 0]], [[0, 0.03]]]]), case)
    assert (steps.ravel().tolist(), step) == ([1, 0, 0, 2], pytest.approx(0.005))
    assert in_steps(error, case)[0] is error
    assert in_steps(error, make_case(**fields)) == (error, 1.0)
