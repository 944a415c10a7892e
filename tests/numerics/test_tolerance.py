"""Error bounds: right arithmetic of every kind stays inside, wrong results leave, and none is wider than it must be."""

import math

import numpy as np
import pytest

from tests.support.arithmetic import (
    FLOAT16,
    FLOAT32,
    TENSOR_CORE,
    sequential,
    tensor_core,
    tf32_nearest,
    tf32_truncated,
)
from tests.support.dots import ROWS, dots, judge, operands, worst
from tests.support.helpers import make_case
from trt_conformance.core.tensors import NUMPY_TYPE, case_data
from trt_conformance.numerics.bounds.elementwise import bound, gamma, sum_error
from trt_conformance.numerics.reference.result import reference

READS = {"fp32": (np.array,), "tf32": (tf32_truncated, tf32_nearest), "fp16": (np.array,), "bf16": (np.array,)}


SUMS = {"fp32": FLOAT32, "tf32": TENSOR_CORE | FLOAT32, "fp16": TENSOR_CORE | FLOAT32, "bf16": TENSOR_CORE | FLOAT32}


WAYS = [
    pytest.param(precision, "fp32", read, total, id=f"{precision}-{read.__name__}-{name}")
    for precision in READS
    for read in READS[precision]
    for name, total in SUMS[precision].items()
] + [pytest.param("fp16", "fp16", np.array, total, id=f"fp16-in-fp16-{name}") for name, total in FLOAT16.items()]


@pytest.mark.parametrize(("precision", "accumulation", "read", "total"), WAYS)
@pytest.mark.parametrize("terms", [1, 2, 3, 9, 64, 147, 1000, 4608])
def test_right_arithmetic_stays_inside(precision, accumulation, read, total, terms):
    case = dots(terms, precision)
    x, w = operands(case)
    found = judge(case, total(read(x), read(w)), accumulation)
    assert found.passed, found


@pytest.mark.parametrize(("precision", "accumulation", "read", "total"), WAYS)
def test_right_arithmetic_stays_inside_where_nothing_cancels(precision, accumulation, read, total):
    """Truncation errs in one direction: with terms of one sign nothing makes up for it."""
    terms = 576
    x, w = np.abs(operands(dots(terms, precision))[0][0]), np.abs(operands(dots(terms, precision))[1])
    case = dots(
        terms,
        precision,
        input={"shape": [1, terms, 1, 1], "values": x.tolist()},
        kernel={"shape": [1, terms, 1, 1], "values": w.tolist()},
    )
    found = judge(case, total(read(x[None]), read(w)), accumulation)
    assert found.passed, found


FAULTS = {
    "dropped": 0.0,
    "doubled": 2.0,
    "of the other sign": -1.0,
}
# Up to so many terms one of them shows: beyond, the bound for all is as large as the one.


SHOWS = [("fp32", "fp32", n) for n in (1, 9, 100, 576, 1000)]
SHOWS += [("tf32", "fp32", n) for n in (1, 9, 64, 100)]
SHOWS += [("fp16", "fp32", n) for n in (1, 9, 100, 576)]
SHOWS += [("bf16", "fp32", n) for n in (1, 9, 64)]
SHOWS += [("fp16", "fp16", n) for n in (1, 9, 16)]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(("precision", "accumulation", "terms"), SHOWS)
def test_one_wrong_term_leaves_the_bound(precision, accumulation, terms, fault):
    """A term of median size, in every row."""
    case = dots(terms, precision)
    x, w = operands(case)
    median = np.argsort(np.abs(x * w), axis=1)[:, terms // 2]
    wrong = x.copy()
    wrong[np.arange(ROWS), median] *= FAULTS[fault]
    total = FLOAT16["fused"] if accumulation == "fp16" else sequential(np.float32)
    found = judge(case, total(wrong, w), accumulation)
    assert found.beyond == ROWS, found


# What the arithmetic may err at worst, to first order, in units of sum |x||w| and of the output.


@pytest.mark.parametrize(
    ("precision", "accumulation", "fixed", "each", "write"),
    [
        ("fp32", "fp32", 0, 2.0**-24, 0),
        ("tf32", "fp32", 2 * 2.0**-10, 2.0**-23, 0),
        ("fp16", "fp32", 0, 2.0**-23, 2.0**-11),
        ("bf16", "fp32", 0, 2.0**-23, 2.0**-8),
        ("fp16", "fp16", 0, 2.0**-10, 2.0**-11),
    ],
)
@pytest.mark.parametrize("terms", [1, 9, 64])
def test_no_wider_than_the_arithmetic(precision, accumulation, fixed, each, write, terms):
    case = dots(terms, precision)
    result = reference(case)
    first_order = (fixed + terms * each) * result.magnitude + write * np.abs(result.real)
    limits = bound(case, result, accumulation)
    assert limits.min() > 0
    assert (limits <= 1.04 * first_order + 2.0**-24).all()


@pytest.mark.parametrize(("precision", "accumulation", "read", "total"), WAYS)
def test_random_data_uses_a_share_of_it(precision, accumulation, read, total):
    case = dots(4, precision)
    x, w = operands(case)
    assert judge(case, total(read(x), read(w)), accumulation).fraction > 0.01


def test_worst_rounding_to_nearest_comes_close():
    """Every further term is just below half a unit of the first, and lost."""
    case = worst("fp32", [1.0] * 100, [1.0] + [2.0**-24 * (1 - 2.0**-10)] * 99)
    assert 0.97 < judge(case, sequential(np.float32)(*operands(case))).fraction <= 1


@pytest.mark.parametrize("precision", ["tf32", "bf16"])
def test_worst_truncation_comes_close(precision):
    """Every further term is just below a unit of the first, and lost."""
    case = worst(precision, [1.0] * 100, [1.0] + [2.0**-23 * (1 - 2.0**-8)] * 99)
    result, total = reference(case), tensor_core(8)(*operands(case))
    before_writing = bound(case, result) - (2.0**-8 if precision == "bf16" else 0.0)
    assert 0.97 < np.abs(total - result.real.ravel()) / before_writing.ravel() <= 1


def test_worst_reading_of_tf32_comes_close():
    longest = 1 + 2.0**-10 - 2.0**-23
    case = worst("tf32", [longest], [longest])
    assert 0.99 < judge(case, tf32_truncated(operands(case)[0])[0] ** 2).fraction <= 1


@pytest.mark.parametrize(("precision", "half"), [("fp16", 2.0**-11), ("bf16", 2.0**-8)])
def test_worst_writing_comes_close(precision, half):
    case = worst(precision, [1.0, half], [1.0, 1.0])
    assert 0.98 < judge(case, [1.0]).fraction <= 1
    assert not judge(case, [1 - 2 * half]).passed


def test_worst_float16_accumulator_comes_close():
    case = worst("fp16", [1.0] * 20, [1.0] + [2.0**-10 * (1 - 2.0**-10)] * 19)
    assert 0.9 < judge(case, FLOAT16["truncating"](*operands(case)), "fp16").fraction <= 1
    assert not judge(case, FLOAT16["truncating"](*operands(case)), "fp32").passed


def test_what_vanishes_below_the_normal_range_is_inside():
    tiny = worst("fp32", [2.0**-70, 2.0**-70], [2.0**-70, 2.0**-69])
    assert judge(tiny, [0.0]).passed
    assert not judge(tiny, [2.0**-120]).passed
    operand = worst("fp32", [2.0**-130], [2.0**20])
    assert judge(operand, [0.0]).passed
    half = worst("fp16", [2.0**-20], [1.5 * 2.0**-4])
    assert judge(half, [2.0**-24]).passed
    assert judge(half, [2.0**-23]).passed
    assert not judge(half, [0.0]).passed


def test_a_bias_is_one_more_term():
    plain, biased = dots(9, "fp32"), dots(9, "fp32", bias={"values": [0.3]})
    with_bias, without = reference(biased), reference(plain)
    assert with_bias.terms == without.terms + 1
    magnitude = without.magnitude + float(np.float32(0.3))
    expected = sum_error(magnitude, np.abs(without.output + float(np.float32(0.3))), 10, 2.0**-24)
    np.testing.assert_allclose(bound(biased, with_bias), expected, rtol=1e-6)


def added_in_a_tree(terms, u, rng, choose):
    """A sum of terms in a random order of pairs, in which each product and each addition errs by ``choose`` u."""
    rest = [t * (1 + u * choose(rng, t)) for t in terms]
    while len(rest) > 1:
        a = rest.pop(int(rng.integers(len(rest))))
        b = rest.pop(int(rng.integers(len(rest))))
        rest.append((a + b) * (1 + u * choose(rng, a + b)))
    return rest[0]


ERRORS = {
    "at random": lambda rng, value: rng.uniform(-1, 1),
    "upward": lambda rng, value: math.copysign(1, value),
    "downward": lambda rng, value: -math.copysign(1, value),
    "outward": lambda rng, value: 1,
    "toward 0": lambda rng, value: -1,
}


@pytest.mark.parametrize("errs", ERRORS)
@pytest.mark.parametrize("signs", ["of both signs", "of one sign", "one of the other sign", "that cancel"])
def test_sums_in_any_order_are_within_the_bound_of_sums(errs, signs):
    rng, u = np.random.default_rng(5), 2.0**-6
    for terms in (1, 2, 3, 10, 40):
        values = rng.uniform(0.1, 1, terms)
        if signs == "of both signs":
            values *= rng.choice([-1, 1], terms)
        elif signs == "one of the other sign":
            values[0] *= -1
        elif signs == "that cancel":
            values = np.concatenate([values, -values])
        size, total = np.abs(values).sum(), values.sum()
        allowed = float(sum_error(size, abs(total), len(values), u))
        for _ in range(20):
            assert abs(added_in_a_tree(values, u, rng, ERRORS[errs]) - total) <= allowed * (1 + 1e-12)


def test_the_bound_of_sums_is_nearly_reached_and_excludes_what_is_beyond():
    """All positive values first, then all others: the largest partial sums, each rounded upward."""
    u, half = 2.0**-24, np.full(500, 1.0)
    values = np.concatenate([half, -half])
    total = 0.0
    for value in values:
        total = (total + value) * (1 + u)
    allowed = float(sum_error(np.float64(1000), np.float64(0), 1000, u))
    assert allowed / 2.1 < total < allowed < gamma(1000, u) * 1000 / 1.9
    case = make_case(
        input={"shape": [1, 1000, 1, 1], "values": values.tolist()},
        kernel={"shape": [1, 1000, 1, 1], "values": [1 + 2.0**-23] * 1000},
    )
    result = reference(case)
    beyond = gamma(1000, u) * 1000 * 0.6  # within a bound by sum |x||w| alone
    assert judge(case, [total]).passed
    assert not judge(case, [result.output.item() + beyond]).passed


def test_the_bound_of_sums_is_never_above_that_by_their_magnitude():
    size = np.array([1.0, 1.0, 1.0])
    for reading in (1.0, (1 + 2.0**-10) ** 2):
        found = sum_error(size, np.array([0.0, 0.5, 1.0]), 100, 2.0**-10, reading)
        assert (np.diff(found) > 0).all()
        assert found[-1] == reading * (1 + gamma(100, 2.0**-10)) - 1


def test_gamma():
    assert gamma(1, 2.0**-24) == pytest.approx(2.0**-24, rel=1e-12)
    assert gamma(1000, 2.0**-24) <= 1000 * 2.0**-24 / (1 - 1000 * 2.0**-24)
    assert gamma(2, 0.5) == pytest.approx(1.25)
    assert math.isfinite(gamma(5000, 2.0**-10))
    assert gamma(0, 0.5) == 0


def test_refuses_an_accumulator_the_precision_does_not_have():
    case = dots(3, "tf32")
    with pytest.raises(ValueError, match="tf32 does not accumulate in fp16"):
        bound(case, reference(case), "fp16")


def test_refuses_a_result_of_another_case():
    with pytest.raises(ValueError, match=r"no run shape of example/values-fp32 gives .* \(1, 1, 6, 9\)"):
        bound(make_case(), reference(make_case(kernel={"shape": [1, 1, 1, 1], "fill": "ones"})))


def test_every_run_that_gives_the_shape_counts():
    """Both heights give one output row; only the larger reads a value that TF32 has to cut."""
    dynamic = {
        "shape": [1, 1, -1, 1],
        "min": [1, 1, 2048, 1],
        "opt": [1, 1, 2048, 1],
        "max": [1, 1, 2049, 1],
        "run": [[1, 1, 2048, 1], [1, 1, 2049, 1]],
    }
    case = make_case(
        precision="tf32",
        input={"shape": [1, 1, 2048, 1], "fill": "ramp"},
        kernel={"shape": [1, 1, 1, 1], "fill": "ones"},
        set={"stride_nd": [4096, 1]},
        dynamic=dynamic,
    )
    assert bound(case, reference(case)) > 0
    assert bound(case.model_copy(update={"dynamic": None}), reference(case)) == 0


def biased(precision, terms, **fields):
    bias = {"values": [-0.8]}
    return dots(terms, precision, bias=bias, **fields)


def rounded_twice(case, x, w):
    dtype = NUMPY_TYPE[case.data_type]
    kept = sequential(np.float32)(x, w).astype(np.float32).astype(dtype).astype(np.float32)
    return kept + case_data(case).bias.astype(np.float32)


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
@pytest.mark.parametrize("terms", [1, 9, 147, 1000])
def test_a_sum_that_is_rounded_before_the_bias_stays_inside_a_bound_of_its_own(precision, terms):
    case = biased(precision, terms)
    x, w = operands(case)
    assert judge(case, rounded_twice(case, x, w), "fp32_rounded").passed
    if terms < 1000:
        beyond = judge(case, rounded_twice(case, x, w) * (1 + 3 * (2.0**-8 if precision == "bf16" else 2.0**-11)))
        assert not beyond.passed


def test_the_bound_for_a_rounded_sum_is_one_rounding_wider_and_no_more():
    case = biased("fp16", 9)
    result = reference(case)
    sums = result.real - case_data(case).bias.astype(np.float64).reshape(-1, 1, 1)
    wider = bound(case, result, "fp32_rounded") - bound(case, result)
    assert (wider >= 2.0**-11 * np.abs(sums)).all()
    assert (wider <= 1.01 * 2.0**-11 * np.abs(sums) + 2.0**-24).all()


def test_without_a_bias_or_with_exact_sums_nothing_is_rounded_twice():
    plain = dots(9, "fp16")
    assert (bound(plain, reference(plain), "fp32_rounded") == bound(plain, reference(plain))).all()
    whole = {"values": [1.0, 2.0, 3.0]}
    case = make_case(
        precision="fp16",
        input={"shape": [1, 3, 1, 1], **whole},
        kernel={"shape": [1, 3, 1, 1], **whole},
        bias={"values": [5.0]},
    )
    assert (bound(case, reference(case), "fp32_rounded") == 0).all()
