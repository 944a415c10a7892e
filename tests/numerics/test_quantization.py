"""int8 quantization against pure integer arithmetic."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.helpers import make_case
from trt_conformance.core.quantization_fields import Dequantize, Quantize
from trt_conformance.core.tensors import case_data
from trt_conformance.numerics.reference.quantization import (
    INT8,
    dequantize,
    near_tie_step,
    operand_slack,
    quantize,
    scales,
    through,
)
from trt_conformance.numerics.reference.result import reference

FLOATS = st.floats(-1000, 1000, width=32)
SCALES = st.floats(2.0**-10, 16, width=32)
# Over 0.1 in float32 this is a tie; in truth it lies just below.
NEAR = 0.25


def integer(x, scale):
    """round_half_even(x / scale) in [-128, 127], by integers alone."""
    x_over, x_under = float(x).as_integer_ratio()
    s_over, s_under = float(scale).as_integer_ratio()
    over, under = x_over * s_under, x_under * s_over
    whole, rest = divmod(over, under)
    if 2 * rest > under or (2 * rest == under and whole % 2):
        whole += 1
    return max(-128, min(127, whole))


def quantized(values, scale):
    return quantize(np.asarray(values, dtype=np.float64), scales(scale, 1)).tolist()


@given(st.lists(FLOATS, min_size=1, max_size=20), SCALES)
@settings(max_examples=300, deadline=None, derandomize=True)
def test_agrees_with_integer_arithmetic(values, scale):
    assert quantized(values, scale) == [integer(x, scale) for x in values]


@given(st.lists(FLOATS, min_size=1, max_size=20), SCALES, SCALES)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_a_dq_of_another_scale_multiplies_by_its_own(values, q, dq):
    given = Quantize(input=q, kernel=(1.0,), dequantize=Dequantize(input=dq))
    expected = [integer(x, q) * float(dq) for x in values]
    assert through(np.asarray(values, dtype=np.float64), given, "input", INT8).tolist() == expected


def test_each_map_has_a_scale_of_its_own_on_either_side():
    given = Quantize(input=1.0, kernel=(1.0, 2.0), dequantize=Dequantize(kernel=(4.0, 0.5)))
    kernel = np.array([3.0, 6.0]).reshape(2, 1, 1, 1)
    assert through(kernel, given, "kernel", INT8).ravel().tolist() == [12.0, 1.5]


@pytest.mark.parametrize(
    ("only", "changed"), [("input", [True, False]), ("kernel", [False, True]), (None, [True, True])]
)
def test_an_operand_without_q_and_dq_stays_as_it_is(only, changed):
    given, values = Quantize(input=2.0, kernel=(2.0,), only=only), np.array([1.25, 200.0, 1000.0])
    found = [through(values, given, operand, INT8).tolist() != values.tolist() for operand in ("input", "kernel")]
    assert found == changed
    slack = [operand_slack(np.array([2 * NEAR + 1e-8]), given, operand, INT8).any() for operand in ("input", "kernel")]
    assert not any(near and not through_q for near, through_q in zip(slack, changed, strict=True))


def test_the_step_near_a_tie_is_that_of_dq():
    near = np.array([np.float64(np.float32(0.1)) * 2.5 * (1 + 2.0**-25)])
    scales_of = {"input": float(np.float32(0.1)), "kernel": (1.0,)}
    alike = operand_slack(near, Quantize(**scales_of), "input", INT8)
    rescaled = operand_slack(near, Quantize(**scales_of, dequantize=Dequantize(input=4.0)), "input", INT8)
    assert alike[0] == pytest.approx(0.1)
    assert rescaled[0] == pytest.approx(4.0)


def test_ties_go_to_even():
    assert quantized([0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 126.5, -127.5], 1.0) == [0, 2, 2, 0, -2, -2, 126, -128]
    assert quantized([1.5, 4.5, -7.5], 3.0) == [0, 2, -2]


def test_integer_arithmetic_rounds_ties_to_even_too():
    assert [integer(x, 1.0) for x in (0.5, 1.5, 2.5, -0.5, -1.5, 1e9, -1e9)] == [0, 2, 2, 0, -2, 127, -128]


def test_saturates_at_both_ends():
    assert quantized([127.4, 127.5, 128.0, 1e30, np.inf], 1.0) == [127] * 5
    assert quantized([-127.6, -128.0, -128.5, -129.0, -1e30, -np.inf], 1.0) == [-128] * 6


def test_nan_becomes_zero():
    assert quantized([np.nan], 0.1) == [0]


def test_scale_is_the_float32_an_engine_holds():
    assert scales(0.1, 4).tolist() == [[[[float(np.float32(0.1))]]]]
    # 0.35 / 0.1 is a tie in decimal, not between these float32 neighbors.
    x = float(np.float32(0.35))
    assert Fraction(x) / Fraction(float(np.float32(0.1))) < Fraction(7, 2)
    assert quantized([x], 0.1) == [3]


def test_scales_lie_along_their_axis():
    assert scales([1.0, 2.0], 4).shape == (2, 1, 1, 1)
    assert scales([1.0, 2.0], 4, axis=1).shape == (1, 2, 1, 1)
    assert scales([3.0], 3).shape == (1, 1, 1)


def test_one_scale_a_map():
    kernel = np.full((2, 1, 1, 1), 3.0)
    scale = scales([1.0, 2.0], 4)
    assert quantize(kernel, scale).ravel().tolist() == [3, 2]
    assert dequantize(quantize(kernel, scale), scale).ravel().tolist() == [3, 4]


@given(st.integers(-127, 126), SCALES, st.sampled_from([-1, 0, 1]))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_near_ties_are_where_float32_may_round_either_way(whole, scale, step):
    scale = np.float32(scale)
    x = np.float32((whole + 0.5) * scale)
    x = np.nextafter(x, np.float32(step * np.inf)) if step else x
    exact = Fraction(float(x)) / Fraction(float(scale))
    near = near_tie_step(np.asarray([float(x)]), scales(float(scale), 1)).item()
    reciprocal = np.float32(1) / scale
    if exact - Fraction(1, 2) == int(exact - Fraction(1, 2)):
        assert bool(near) == (Fraction(float(x * reciprocal)) != exact)
        return
    in_float32 = {integer(np.float32(x / scale), 1.0), integer(np.float32(x * reciprocal), 1.0)}
    assert near or in_float32 == {integer(x, scale)}


def test_finds_a_near_tie():
    assert Fraction(NEAR) / Fraction(float(np.float32(0.1))) < Fraction(5, 2)
    assert np.float32(NEAR) / np.float32(0.1) == 2.5
    assert near_tie_step(np.asarray([NEAR]), scales(0.1, 1)).all()


def test_a_tie_that_a_reciprocal_breaks_may_round_either_way():
    # The scale of a map whose element 54.5 x 0.015380859375 TensorRT 8.6 did not round to even on an H200.
    scale = np.float32(0.015380859375)
    broken = [n for n in range(127) if (n + np.float32(0.5)) * scale * (np.float32(1) / scale) != n + 0.5]
    ties = (np.arange(127) + 0.5) * float(scale)
    assert np.flatnonzero(near_tie_step(ties, scales(float(scale), 1))).tolist() == broken
    assert 54 in broken
    assert len(broken) < 127


@pytest.mark.parametrize("x", [0.5, 2.5, -127.5, 0.50001, 2.0, 0.0, 127.5000001, -128.5000001, np.inf, np.nan])
def test_says_no_to_what_is_sure(x):
    assert not near_tie_step(np.asarray([x]), scales(1.0, 1)).any()


def case(**fields):
    return make_case(
        precision="int8",
        input={"shape": [1, 3, 4, 4], "fill": "uniform", "seed": 1},
        kernel={"shape": [2, 3, 2, 2], "fill": "uniform", "seed": 2},
        **fields,
    )


def test_reference_agrees_with_integer_arithmetic():
    x_scale, w_scales, out_scale = 0.0123, (0.01, 0.0077), 0.037
    result = reference(case(quantize={"input": x_scale, "kernel": w_scales, "output": out_scale}))
    data = case_data(case())
    x, w = data.input, data.kernel
    for k, y, col in np.ndindex(2, 3, 3):
        total = sum(
            integer(x[0, c, y + i, col + j], np.float32(x_scale)) * integer(w[k, c, i, j], np.float32(w_scales[k]))
            for c, i, j in np.ndindex(3, 2, 2)
        )
        real = total * Fraction(float(np.float32(x_scale))) * Fraction(float(np.float32(w_scales[k])))
        assert result.real[0, k, y, col] == pytest.approx(float(real), rel=1e-14)
        steps = result.output[0, k, y, col] / float(np.float32(out_scale))
        assert round(steps) == integer(float(real), np.float32(out_scale))
        assert steps == pytest.approx(round(steps), abs=1e-12)


def single(x, w, **quantize):
    return make_case(
        precision="int8",
        input={"shape": [1, 1, 1, 1], "values": [x]},
        kernel={"shape": [1, 1, 1, 1], "values": [w]},
        quantize=quantize,
    )


def test_slack_is_what_a_near_tie_may_shift():
    step = float(np.float32(0.1))
    assert reference(single(NEAR, 3.0, input=0.1, kernel=[1.0])).slack.item() == pytest.approx(3 * step)
    assert reference(single(3.0, NEAR, input=1.0, kernel=[0.1])).slack.item() == pytest.approx(3 * step)
    both = reference(single(NEAR, NEAR, input=0.1, kernel=[0.1]))
    assert both.real.item() == pytest.approx(4 * step**2)
    assert both.slack.item() == pytest.approx((9 - 4) * step**2)


def test_no_slack_where_nothing_is_near_a_tie():
    assert reference(single(0.5, 3.0, input=1.0, kernel=[1.0])).slack.item() == 0
