"""Errors of rounding to nearest are told from others by their sums over an output."""

from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest

from tests.support.helpers import make_case
from tests.support.suite import suite_catalog
from trt_conformance.core.tensors import NUMPY_TYPE, case_data
from trt_conformance.core.types import DATA_TYPE
from trt_conformance.numerics.reference.result import reference
from trt_conformance.numerics.rounding import SIGMAS, Errors, accumulator, errors, half_unit, narrowed

OCTAVES = {
    "input": {"shape": [2, 3, 15, 15], "fill": "octaves", "exponents": [0, 0], "seed": 5},
    "kernel": {"shape": [4, 3, 3, 3], "fill": "octaves", "exponents": [0, 0], "seed": 6},
}


def together(case, change=lambda real: real, basis="fp32"):
    """The errors of a reference that was changed and rounded to the type of the case."""
    real = reference(case).real
    actual = change(real).astype(NUMPY_TYPE[DATA_TYPE[case.precision]])
    return errors(case, case_data(case), actual, basis)


@pytest.mark.parametrize("seed", range(3))
def test_partial_sums_are_at_most_as_large_as_stated(seed):
    """Over all orders of six products, the mean square of each partial sum."""
    rng = np.random.default_rng(seed)
    products = [Fraction(int(n)) for n in rng.integers(-9, 10, 6)]
    total, squares = sum(products), sum(p * p for p in products)
    orders = list(permutations(products))
    for k in range(1, 7):
        mean = sum(sum(order[:k]) ** 2 for order in orders) / len(orders)
        assert mean == Fraction(k, 6) * squares + Fraction(k * (k - 1), 30) * (total**2 - squares)
        assert mean <= squares + total**2


@pytest.mark.parametrize("precision", ["fp32", "tf32", "fp16", "bf16"])
def test_a_reference_rounded_to_nearest_is_right(precision):
    found = together(make_case(**OCTAVES, precision=precision))
    assert found.faults == []
    assert found.elements == 2 * 4 * 13 * 13


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
@pytest.mark.parametrize(
    ("cut", "fault"),
    [
        (np.trunc, "rounding is toward 0"),
        (lambda v: np.copysign(np.ceil(np.abs(v)), v), "rounding is away from 0"),
        (np.floor, "rounding is one-sided: outputs are too small"),
        (np.ceil, "rounding is one-sided: outputs are too large"),
    ],
)
def test_an_output_rounded_to_one_side_is_told(precision, cut, fault):
    case = make_case(**OCTAVES, precision=precision)
    bits = {"fp16": 11, "bf16": 8}[precision]

    def change(real):
        mantissa, exponent = np.frexp(real)
        return np.ldexp(cut(np.ldexp(mantissa, bits)), exponent - bits)

    assert any(fault in line for line in together(case, change).faults)


def test_errors_of_the_right_sum_but_a_larger_size_are_told():
    case = make_case(**OCTAVES)
    real = reference(case).real
    signs = np.where(np.arange(real.size) % 2, 1.0, -1.0).reshape(real.shape)
    found = together(case, lambda real: real + signs * 2.0**-17)
    assert "larger than those of rounding to nearest" in found.faults[0]
    assert found.size > SIGMAS > abs(found.mean)


def test_a_single_element_within_its_bound_is_no_fault():
    case = make_case(**OCTAVES)

    def change(real):
        changed = real.copy()
        changed[0, 0, 0, 0] += 2.0**-18
        return changed

    assert together(case, change).faults == []


@pytest.mark.parametrize("of_kernel", ["truncated", "to nearest", "ties away", "in full"])
@pytest.mark.parametrize("of_input", ["truncated", "to nearest", "ties away", "in full"])
def test_tf32_may_read_each_operand_in_four_ways(of_input, of_kernel):
    case = make_case(**OCTAVES, precision="tf32")
    data = case_data(case)
    x = narrowed(data.input.astype(np.float64), of_input)
    w = narrowed(data.kernel.astype(np.float64), of_kernel)
    taken = make_case(
        input={"shape": x.shape, "values": x.ravel().tolist()}, kernel={"shape": w.shape, "values": w.ravel().tolist()}
    )
    found = errors(case, data, reference(taken).real.astype(np.float32), "fp32")
    assert found.faults == []
    assert found.reads.replace("ties away", "to nearest") == f"input {of_input}, kernel {of_kernel}".replace(
        "ties away", "to nearest"
    )  # of 24 random bits hardly any are a tie
    where_fp32_is_promised = errors(make_case(**OCTAVES), data, reference(taken).real.astype(np.float32), "fp32")
    assert (where_fp32_is_promised.faults == []) == (of_input == of_kernel == "in full")


def test_ways_of_narrowing():
    values = np.array([2049.0, 2051.0, -2049.0, 2048.5, -2051.0])
    assert narrowed(values, "truncated").tolist() == [2048, 2050, -2048, 2048, -2050]
    assert narrowed(values, "to nearest").tolist() == [2048, 2052, -2048, 2048, -2052]
    assert narrowed(values, "ties away").tolist() == [2050, 2052, -2050, 2048, -2052]
    assert narrowed(values, "in full") is values
    with pytest.raises(ValueError, match="elsewhere"):
        narrowed(values, "elsewhere")


@pytest.mark.parametrize(
    ("precision", "values", "halves"),
    [
        ("fp16", [1.0, 1.5, 2.0, -1024.0, 2.0**-20, 0.0], [2.0**-11, 2.0**-11, 2.0**-10, 0.5, 2.0**-25, 2.0**-25]),
        ("bf16", [1.0, -256.0], [2.0**-8, 1.0]),
        ("fp32", [1.0, 2.0**24], [2.0**-24, 1.0]),
    ],
)
def test_half_a_unit_in_the_last_place(precision, values, halves):
    assert half_unit(np.array(values), make_case(precision=precision)).tolist() == halves


@pytest.mark.parametrize("basis", ["winograd", "fft", "int32", "fp22"])
def test_transforms_and_quantized_kernels_have_no_model(basis):
    assert accumulator(make_case(), basis) is None
    assert together(make_case(**OCTAVES), basis=basis) is None
    assert accumulator(make_case(precision="int8", quantize={"input": 1.0, "kernel": [1.0]}), "fp32") is None


def test_only_what_truncates_may_lose_towards_0():
    assert accumulator(make_case(), "fp32") == (2.0**-24, False)
    assert accumulator(make_case(precision="fp16"), "fp32") == (2.0**-24, True)
    assert accumulator(make_case(precision="fp16"), "fp16") == (2.0**-11, True)


def test_figures_count_in_standard_deviations():
    right = Errors(1000, 3.9, -3.9, 3.9)
    assert right.faults == []
    assert right.worst == 3.9 < SIGMAS
    wrong = Errors(1000, -4.1, 4.2, 4.3)
    assert len(wrong.faults) == 3
    assert wrong.worst == 4.3


def test_the_suite_has_each_data_set_in_each_precision():
    names = {}
    for case in suite_catalog().cases:
        if case.rounding:
            names.setdefault(case.precision, set()).add(case.name.removesuffix("_float16").removesuffix("_bfloat16"))
    sets = {"zeros", "near_overflow", "small_onto_large", "mixed_onto_large", "wide_range", "one_sign"}
    assert set(names) == {"fp32", "tf32", "fp16", "bf16"}
    assert all(sets <= given for given in names.values())
