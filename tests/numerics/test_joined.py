"""A second input behind the layer, and Q and DQ on either side: values, error bounds, and what is refused."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from tests.support.helpers import make_case
from trt_conformance.checks.forward import check_forward
from trt_conformance.checks.memory_limit import cut_to_fit
from trt_conformance.checks.subject import Subject
from trt_conformance.core.tensors import ADDEND, addend_of, case_data, feeds_of
from trt_conformance.numerics.bounds.epilogue import network_result, spread
from trt_conformance.numerics.compare import compare
from trt_conformance.numerics.reference.epilogue import apply
from trt_conformance.numerics.reference.result import reference
from trt_conformance.targets.engines import Engines
from trt_conformance.targets.errors import NotRun
from trt_conformance.targets.numpy import NumpyTarget

STEPS = {
    "add": [{"op": "add", "of": "addend"}],
    "min": [{"op": "min", "of": "addend"}],
    "max": [{"op": "max", "of": "addend"}],
    "quantized_operand": [{"op": "add", "of": "addend", "of_scale": 0.03}],
    "quantized_input": [{"op": "add", "of_scale": 0.0625}, {"op": "add", "of": "addend"}],
    "quantized_sum": [{"op": "add", "of": "addend"}, {"op": "relu"}, {"op": "quantize", "scale": [0.03125]}],
    "both": [{"op": "add", "of": "addend", "of_scale": 0.0625}, {"op": "quantize", "scale": [0.02]}],
}
LAST = {"fp8": ml_dtypes.float8_e4m3fn}


def case(steps, precision="int8", **fields):
    quantize = {"input": 0.0078125, "kernel": [0.0078125]}
    return make_case(
        input={"shape": [2, 3, 5, 6], "fill": "uniform", "seed": 1},
        kernel={"shape": [3, 3, 3, 3], "fill": "uniform", "seed": 2},
        set={"padding_nd": [1, 1]},
        addend={"shape": [2, 3, 5, 6], "fill": "uniform", "seed": 3},
        epilogue=steps,
        precision=precision,
        weights="set_input",
        **({"quantize": quantize} if precision in ("int8", "fp8") else {}),
        **fields,
    )


def rescaled_plainly(value, scale, precision):
    scale = float(np.float32(scale))
    if precision == "fp8":
        return float(np.asarray(np.clip(value / scale, -448, 448)).astype(LAST["fp8"])) * scale
    return max(-128, min(127, round(value / scale))) * scale  # Python's round is half to even


def plainly(steps, y, x, addend, precision):
    out = np.array(y)
    for index in np.ndindex(*y.shape):
        value = float(y[index])
        for step in steps:
            operand = float((addend if step.get("of") == "addend" else x)[index])
            if "of_scale" in step:
                operand = rescaled_plainly(operand, step["of_scale"], precision)
            match step["op"]:
                case "add":
                    value += operand
                case "min" | "max":
                    value = {"min": min, "max": max}[step["op"]](value, operand)
                case "relu":
                    value = max(value, 0.0)
                case "quantize":
                    value = rescaled_plainly(value, step["scale"][0], precision)
        out[index] = value
    return out


@pytest.mark.parametrize("precision", ["int8", "fp8"])
@pytest.mark.parametrize("name", STEPS)
def test_values(name, precision):
    given = case(STEPS[name], precision)
    y, x = reference(given).output, case_data(given).input.astype(np.float64)
    addend = feeds_of(given)[ADDEND].astype(np.float64)
    assert apply(given, y, x) == pytest.approx(plainly(STEPS[name], y, x, addend, precision), rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("precision", ["int8", "fp8"])
@pytest.mark.parametrize("name", STEPS)
def test_a_layer_at_its_bound_stays_within_the_networks(name, precision):
    given = case(STEPS[name], precision)
    data, result = case_data(given), reference(given)
    limits = 0.01 * (1 + np.abs(result.output))
    expected, allowed = network_result(given, result, limits, given.input.shape)
    for sign in (-1, 1):
        off = (result.output + 0.99 * sign * limits).astype(np.float32)
        assert compare(apply(given, off, data.input), expected, allowed).passed


def test_a_sum_that_is_exact_is_quantized_without_error_and_one_that_is_not_may_fall_to_the_next_step():
    given = case([{"op": "quantize", "scale": [0.5]}])
    y = np.array([0.5, 0.75, 0.74, 1.0]).reshape(1, 1, 2, 2)  # 0.75 is a tie
    assert not spread(given, np.zeros_like(y), y, y).any()
    assert spread(given, np.full_like(y, 0.02), y, y).ravel().tolist() == [0.0, 0.5, 0.5, 0.0]
    uneven = spread(case([{"op": "quantize", "scale": [0.3]}]), np.zeros_like(y), y, y)
    assert (uneven[y != 0.75] > 0).all()
    assert (uneven[y == 1.0] < 1e-6).all()


def test_what_is_beyond_the_bound_fails():
    given = case(STEPS["both"])
    golden = lambda c, index: reference(c)  # noqa: E731

    class Wrong(NumpyTarget):
        """Adds the addend twice."""

        name = "wrong"

        def build(self, case):
            steps = (case.epilogue[0], *case.epilogue)
            return super().build(case.model_copy(update={"epilogue": steps}))

    right = check_forward(Subject(given, Engines(NumpyTarget()), golden))
    wrong = check_forward(Subject(given, Engines(Wrong()), golden))
    assert (right.status, wrong.status) == ("pass", "fail")


def test_the_addend_has_the_type_of_the_case():
    assert addend_of(case(STEPS["add"], "bf16")).dtype == ml_dtypes.bfloat16
    assert addend_of(make_case()) is None


def test_an_output_with_an_addend_is_not_compared_in_pieces():
    given = case(STEPS["add"], "fp32")
    with pytest.raises(NotRun, match="reads more than one piece"):
        cut_to_fit(given, given.input.shape, 1, 1)
