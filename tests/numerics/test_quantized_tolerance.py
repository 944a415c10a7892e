"""Error bounds of int8 and its Q and DQ: right arithmetic stays inside, and a step too many leaves."""

import numpy as np
import pytest

from tests.support.arithmetic import (
    FLOAT32,
)
from tests.support.dots import ROWS, dots, judge
from tests.support.helpers import make_case
from trt_conformance.core.tensors import case_data
from trt_conformance.numerics.bounds.elementwise import bound
from trt_conformance.numerics.compare import compare
from trt_conformance.numerics.reference.quantization import scales
from trt_conformance.numerics.reference.result import reference

SCALES = {"input": 0.0123, "kernel": [0.0071]}


def quantized_dots(terms, output=None, bias="none", **quantize):
    scale = SCALES | {"output": output} | quantize
    return dots(terms, "int8", quantize=scale, bias=bias)


def integer_sums(case):
    """Exact sums of quantized products, and the scales as the engine holds them."""
    data, q = case_data(case), case.quantize
    x_scale, w_scale = (np.float32(v) for v in (q.input, q.kernel[0]))
    x, w = (
        np.clip(np.rint(t.astype(np.float64) / float(s)), -128, 127).astype(np.int64)
        for t, s in ((data.input, x_scale), (data.kernel, w_scale))
    )
    bias = np.float32(0) if data.bias is None else data.bias[0]
    return x.reshape(len(x), -1) @ w.reshape(-1), x_scale, w_scale, bias


def scaled(sums, x_scale, w_scale, bias):
    return sums.astype(np.float32) * (x_scale * w_scale) + bias


def scaled_twice(sums, x_scale, w_scale, bias):
    return sums.astype(np.float32) * x_scale * w_scale + bias


@pytest.mark.parametrize("epilogue", [scaled, scaled_twice])
@pytest.mark.parametrize("bias", ["none", {"values": [0.7]}])
@pytest.mark.parametrize("terms", [1, 9, 576, 4608])
def test_int8_sums_scaled_in_float32_stay_inside(epilogue, bias, terms):
    case = quantized_dots(terms, bias=bias)
    found = judge(case, epilogue(*integer_sums(case)), "int32")
    assert found.passed
    assert found.fraction > 0.01
    assert judge(case, epilogue(*integer_sums(case))).passed


@pytest.mark.parametrize("change", [-1, 1])
@pytest.mark.parametrize("terms", [1, 9, 576])
def test_one_integer_less_or_more_leaves_the_int8_bound(change, terms):
    case = quantized_dots(terms)
    sums, *scale = integer_sums(case)
    assert judge(case, scaled(sums + change, *scale), "int32").beyond == ROWS


@pytest.mark.parametrize("name", FLOAT32)
@pytest.mark.parametrize("terms", [2, 9, 576])
def test_int8_run_in_float_stays_inside_its_own_bound(name, terms):
    case = quantized_dots(terms)
    data, q = case_data(case), case.quantize
    x, w = (
        (np.clip(np.rint(t / np.float32(s)), -128, 127) * np.float32(s)).astype(np.float64)
        for t, s in ((data.input, q.input), (data.kernel, q.kernel[0]))
    )
    sums = FLOAT32[name](x.reshape(ROWS, -1), w.reshape(-1))
    assert judge(case, sums, "fp32").passed
    wrong = FLOAT32[name](x.reshape(ROWS, -1)[:, 1:], w.reshape(-1)[1:])
    assert judge(case, wrong, "fp32").beyond > ROWS // 2


def requantized(sums, x_scale, w_scale, bias, out_scale):
    """Scaled, then divided by the output's scale."""
    y = scaled(sums, x_scale, w_scale, bias)
    return np.clip(np.rint(y / out_scale), -128, 127) * out_scale


def requantized_at_once(sums, x_scale, w_scale, bias, out_scale):
    """All scales combined beforehand."""
    y = sums.astype(np.float32) * (x_scale * w_scale / out_scale) + bias * (np.float32(1) / out_scale)
    return np.clip(np.rint(y), -128, 127) * out_scale


@pytest.mark.parametrize("epilogue", [requantized, requantized_at_once])
@pytest.mark.parametrize("output", [0.02, 0.0625, 1e-4])
@pytest.mark.parametrize("terms", [1, 9, 576])
def test_requantized_outputs_stay_inside(epilogue, output, terms):
    case = quantized_dots(terms, output=output, bias={"values": [0.7]})
    actual = epilogue(*integer_sums(case), np.float32(output))
    for accumulation in ("int32", "fp32"):
        assert judge(case, actual, accumulation).passed


@pytest.mark.parametrize("output", [0.05, 0.0625])
def test_a_step_of_the_output_leaves_the_bound(output):
    case = quantized_dots(64, output=output)
    result = reference(case)
    inside = np.abs(result.output) < 100 * output
    limits = bound(case, result)
    assert inside.sum() > ROWS // 2
    assert (limits[inside] < output / 1000).all()
    assert judge(case, result.output + output).beyond == ROWS


def test_a_sum_near_a_tie_may_fall_to_either_side():
    """2.5 steps in float32; one unit less in truth."""
    case = single(25.0, 1.0, input=1.0, kernel=[0.01], output=0.1)
    result = reference(case)
    steps = result.real.item() / float(np.float32(0.1))
    assert 0 < abs(steps - 2.5) < 1e-6
    step = np.float32(0.1)
    assert judge(case, 2 * step).passed
    assert judge(case, 3 * step).passed
    assert not judge(case, 0 * step).passed
    assert not judge(case, 4 * step).passed


def test_an_exact_sum_over_an_inexact_scale_may_fall_to_either_side():
    """0.75 / 0.1 is 7.5 in float32, which goes to 8; in truth it lies below."""
    case = single(3.0, 1.0, input=1.0, kernel=[0.25], output=0.1)
    step = np.float32(0.1)
    assert np.float32(0.75) / step == 7.5
    assert reference(case).output == 7 * float(step)
    assert judge(case, 8 * step).passed
    assert not judge(case, 9 * step).passed


def test_an_inexact_sum_over_an_exact_scale_may_fall_to_either_side():
    """5 * 0.1 is the tie 0.5 in float32, which goes to 0; in truth it lies above."""
    case = single(0.5, 1.0, input=0.1, kernel=[1.0], output=1.0)
    assert np.float32(5) * np.float32(0.1) == 0.5
    assert reference(case).output == 1
    for accumulation in ("int32", "fp32"):
        assert judge(case, 0.0, accumulation).passed
        assert not judge(case, 3.0, accumulation).passed


def single(x, w, **quantize):
    return make_case(
        precision="int8",
        input={"shape": [1, 1, 1, 1], "values": [x]},
        kernel={"shape": [1, 1, 1, 1], "values": [w * quantize["kernel"][0]]},
        quantize=quantize,
    )


@pytest.mark.parametrize(("x", "even", "odd"), [(5.0, 2.0, 3.0), (7.0, 4.0, 3.0), (-5.0, -2.0, -3.0)])
def test_an_exact_tie_goes_to_even(x, even, odd):
    case = single(x, 1.0, input=1.0, kernel=[1.0], output=2.0)
    assert judge(case, 2 * even).passed
    assert judge(case, 2 * even).bound == 0
    assert not judge(case, 2 * odd).passed


@pytest.mark.parametrize("x", [127.0, -128.0])
def test_saturated_outputs_are_exact(x):
    case = single(x, 1.0, input=1.0, kernel=[1.0], output=0.25)
    assert judge(case, x / 4 / abs(x) * (127 if x > 0 else 128)).passed
    assert not judge(case, x / 4 / abs(x) * 126).passed


def test_an_input_near_a_tie_widens_by_one_step():
    case = single(0.25, 1.0, input=0.1, kernel=[1.0])
    step = float(np.float32(0.1))
    assert judge(case, 2 * step).passed
    assert judge(case, 3 * step).passed
    assert not judge(case, 4 * step).passed
    assert not judge(case, 0 * step).passed


def test_an_exact_sum_of_unsure_operands_is_not_sure():
    """Over 3 everything is an integer, but which one the input becomes hangs on the division."""
    case = single(float(np.nextafter(np.float32(4.5), np.float32(5))), 1.0, input=3.0, kernel=[1.0])
    assert reference(case).output == 6
    assert judge(case, 3.0).passed
    assert not judge(case, 0.0).passed


def test_a_scale_that_is_no_power_of_two_may_be_multiplied_by_its_reciprocal():
    case = single(14.0, 1.0, input=7.0, kernel=[0.875])
    step = np.float32(7.0) / (np.float32(1) / np.float32(0.875))
    assert reference(case).output == 2 * 7.0 * 0.875 != 2 * step
    assert judge(case, float(2 * step)).passed
    assert not judge(case, 3 * 7.0 * 0.875).passed
    assert bound(single(4.6, 1.0, input=4.0, kernel=[0.5]), reference(single(4.6, 1.0, input=4.0, kernel=[0.5]))) == 0


def test_scales_of_each_map():
    case = make_case(
        precision="int8",
        input={"shape": [1, 2, 5, 5], "fill": "uniform"},
        kernel={"shape": [3, 2, 3, 3], "fill": "uniform"},
        bias={"fill": "uniform"},
        quantize={"input": 0.01, "kernel": [0.01, 0.1, 1.0], "output": 0.05},
    )
    result = reference(case)
    assert bound(case, result).shape == (1, 3, 3, 3)
    assert compare(result.output.astype(np.float32), result.output, bound(case, result)).passed
    shifted = result.output + scales(0.05, 4)
    assert not compare(shifted.astype(np.float32), result.output, bound(case, result)).passed


def test_a_dequantized_output_may_come_of_the_reciprocal_of_its_scale():
    case = single(16.0, 1.0, input=1.0, kernel=[1.0], output=0.34)
    scale = np.float32(0.34)
    written = np.float32(47) * (np.float32(1) / (np.float32(1) / scale))
    assert reference(case).output == 47 * float(scale)
    assert judge(case, float(written)).passed
    assert judge(case, float(np.nextafter(np.float32(47) * scale, np.float32(0)))).passed
    assert not judge(case, 47 * float(scale) * (1 - 2.0**-20)).passed
    assert not judge(case, 46 * float(scale)).passed
