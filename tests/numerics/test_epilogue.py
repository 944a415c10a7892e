"""What stands behind the layer: its values, how far it lets an error grow, and what a wrong network shows."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.support.helpers import make_case
from trt_conformance.checks.forward import check_forward
from trt_conformance.checks.subject import Subject
from trt_conformance.core.tensors import case_data
from trt_conformance.mutants import MUTANTS, MutantTarget
from trt_conformance.numerics.bounds.epilogue import network_result, spread
from trt_conformance.numerics.compare import compare
from trt_conformance.numerics.reference.activations import ACTIVATIONS
from trt_conformance.numerics.reference.epilogue import apply, network_shape
from trt_conformance.numerics.reference.result import reference
from trt_conformance.targets.engines import Engines
from trt_conformance.targets.numpy import NumpyTarget

STEPS = {
    "relu": [{"op": "relu"}],
    "clip": [{"op": "clip", "low": -1.5, "high": 2.0}],
    "add": [{"op": "add"}],
    "concat": [{"op": "concat"}],
    "relu_add_concat": [{"op": "relu"}, {"op": "add"}, {"op": "concat"}],
    "min": [{"op": "min"}],
    "max": [{"op": "max"}],
    "leaky_relu": [{"op": "leaky_relu", "alpha": 0.25}],
    "leaky_relu_steep": [{"op": "leaky_relu", "alpha": 2.5}],
    "leaky_relu_falling": [{"op": "leaky_relu", "alpha": -1.5}],
    "scale": [{"op": "scale", "scale": [1.5], "shift": [-0.25]}],
    "scale_per_map": [{"op": "scale", "scale": [1.5, -0.5, 2.0]}],
    "shift_per_map": [{"op": "scale", "shift": [1.5, -0.5, 2.0]}],
    "sigmoid": [{"op": "sigmoid"}],
    "tanh": [{"op": "tanh"}],
    "silu": [{"op": "silu"}],
    "hard_swish": [{"op": "hard_swish"}],
    "gelu": [{"op": "gelu"}],
    "scale_silu_add": [{"op": "scale", "scale": [0.5, -2.0, 1.0]}, {"op": "silu"}, {"op": "add"}],
}
STEPS |= {name: [{"op": name}] for name in ("gelu_tanh", "elu", "selu", "softsign", "softplus", "hard_sigmoid")}
SMOOTH = tuple(ACTIVATIONS)
SELU = (1.6732632423543772, 1.0507009873554805)


def case(epilogue, **fields):
    return make_case(
        input={"shape": [2, 3, 5, 6], "fill": "uniform", "seed": 1},
        kernel={"shape": [3, 3, 3, 3], "fill": "uniform", "seed": 2},
        set={"padding_nd": [1, 1]},
        epilogue=epilogue,
        **fields,
    )


PLAINLY = {
    "sigmoid": lambda v: 1 / (1 + math.exp(-v)),
    "tanh": math.tanh,
    "silu": lambda v: v / (1 + math.exp(-v)),
    "hard_swish": lambda v: v * min(max(v / 6 + 0.5, 0), 1),
    "gelu": lambda v: v * 0.5 * (1 + math.erf(v / math.sqrt(2))),
    "gelu_tanh": lambda v: v * 0.5 * (1 + math.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v**3))),
    "elu": lambda v: v if v > 0 else math.expm1(v),
    "selu": lambda v: SELU[1] * (v if v > 0 else SELU[0] * math.expm1(v)),
    "softsign": lambda v: v / (1 + abs(v)),
    "softplus": lambda v: math.log1p(math.exp(v)),
    "hard_sigmoid": lambda v: min(max(v / 5 + 0.5, 0), 1),
}


def plainly(steps, y, x):
    """The same over one pixel at a time."""
    for step in steps:
        images, maps, *size = y.shape
        joined = step["op"] == "concat"
        out = np.empty((images, maps + joined * x.shape[1], *size))
        for n, k, *at in np.ndindex(*out.shape):
            value = float(y[(n, k, *at)]) if k < maps else float(x[(n, k - maps, *at)])
            if step["op"] == "relu":
                value = value if value > 0 else 0.0
            elif step["op"] == "clip":
                value = sorted((step["low"], value, step["high"]))[1]
            elif step["op"] == "add":
                value += float(x[(n, k, *at)])
            elif step["op"] in ("min", "max"):
                value = {"min": min, "max": max}[step["op"]](value, float(x[(n, k, *at)]))
            elif step["op"] == "leaky_relu":
                value = value if value >= 0 else value * step["alpha"]
            elif step["op"] == "scale":
                scale, shift = step.get("scale", [1.0]), step.get("shift", [0.0])
                value = value * scale[k % len(scale)] + shift[k % len(shift)]
            elif step["op"] in SMOOTH:
                value = PLAINLY[step["op"]](value)
            out[(n, k, *at)] = value
        y = out
    return y


@pytest.mark.parametrize("name", STEPS)
def test_values_and_shape(name):
    given = case(STEPS[name])
    result, x = reference(given), case_data(given).input.astype(np.float64)
    output = apply(given, result.output, x)
    assert output == pytest.approx(plainly(STEPS[name], result.output, x), rel=1e-12, abs=1e-15)
    assert output.shape == network_shape(given, result.output.shape, x.shape)


def test_nothing_behind_the_layer_changes_nothing():
    given = case([])
    result = reference(given)
    limits = np.ones_like(result.output)
    assert network_result(given, result, limits, given.input.shape) == (result.output, limits)


@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16"])
@pytest.mark.parametrize("name", STEPS)
def test_a_layer_at_its_bound_stays_within_the_networks(name, precision):
    """Every output of the layer as wrong as it may be, and each later operation rounded to the type."""
    given = case(STEPS[name], precision=precision)
    data, result = case_data(given), reference(given)
    dtype = data.input.dtype
    limits = 0.01 * (1 + np.abs(result.output))
    expected, allowed = network_result(given, result, limits, given.input.shape)
    steepest = max(abs(factor) for step in given.epilogue for factor in step.scale or (1.5,))
    for sign in (-1, 1):
        off = result.output + 0.99 * sign * limits
        rounded = apply(given, off.astype(dtype), data.input)
        slack = max(1.0, steepest) ** 2 * np.abs(off.astype(dtype).astype(np.float64) - off).max()
        assert compare(rounded, expected, allowed + slack).passed


@pytest.mark.parametrize("name", ["add", "concat", "relu_add_concat"])
def test_what_is_beyond_the_layers_bound_is_beyond_the_networks(name):
    given = case(STEPS[name])
    result, x = reference(given), case_data(given).input.astype(np.float64)
    limits = np.full(result.output.shape, 1e-4)
    expected, allowed = network_result(given, result, limits, given.input.shape)
    wrong = apply(given, np.maximum(result.output, 0) + 2e-4, x)
    assert not compare(wrong.astype(np.float32), expected, allowed).passed


@pytest.mark.parametrize("name", SMOOTH)
def test_the_slope_of_an_activation_is_its_steepest(name):
    given, y = ACTIVATIONS[name], np.linspace(-8, 8, 200_001)
    slopes = np.abs(np.diff(given.values(y)) / np.diff(y))
    assert slopes.max() <= given.slope * (1 + 1e-9)
    assert slopes.max() > 0.99 * given.slope


@pytest.mark.parametrize("name", SMOOTH)
def test_float32_evaluates_an_activation_within_its_error(name):
    y = np.linspace(-20, 20, 100_001).astype(np.float32)
    one, half, sixth, cubic = np.float32(1), np.float32(0.5), np.float32(1 / 6), np.float32(0.044715)
    gate = one / (one + np.exp(-y))
    erf = np.vectorize(math.erf, otypes=[np.float64])(y.astype(np.float64) / math.sqrt(2)).astype(np.float32)
    found = {
        "sigmoid": gate,
        "tanh": one - 2 / (np.exp(2 * y) + one),
        "silu": y * gate,
        "hard_swish": y * np.clip(y * sixth + half, 0, one),
        "gelu": y * (one + erf) * half,
        "gelu_tanh": y * (one + np.tanh(np.float32(math.sqrt(2 / math.pi)) * (y + cubic * y * y * y))) * half,
        "elu": np.where(y > 0, y, np.exp(y) - one),
        "selu": np.where(y > 0, y, np.float32(SELU[0]) * (np.exp(y) - one)) * np.float32(SELU[1]),
        "softsign": y / (one + np.abs(y)),
        "softplus": np.log(one + np.exp(y)),
        "hard_sigmoid": np.clip(y * np.float32(0.2) + half, 0, one),
    }[name]
    wide = y.astype(np.float64)
    values = ACTIVATIONS[name].values(wide)
    allowed = ACTIVATIONS[name].error(wide) + 2.0**-24 * np.abs(values)
    assert found.dtype == np.float32
    assert (np.abs(found - values) <= allowed).all()
    assert (allowed <= 2.0**-17 * (1 + np.abs(wide))).all()  # a bound that everything fits would show nothing


@pytest.mark.parametrize("name", ["leaky_relu", "scale", *SMOOTH])
def test_what_is_beyond_the_bound_of_an_activation_fails(name):
    given = case(STEPS[name])
    result, x = reference(given), case_data(given).input.astype(np.float64)
    limits = np.full(result.output.shape, 1e-7)
    expected, allowed = network_result(given, result, limits, given.input.shape)
    wrong = apply(given, result.output + 1e-3, x)
    assert not compare(wrong.astype(np.float32), expected, allowed).passed


@pytest.mark.parametrize(("window", "shape"), [((2, 3), (2, 2)), ((1, 1), (5, 6)), ((5, 6), (1, 1))])
def test_pooling_takes_the_largest_of_each_whole_window(window, shape):
    given = case([{"op": "max_pool", "window": list(window)}])
    result, x = reference(given), case_data(given).input.astype(np.float64)
    output = apply(given, result.output, x)
    assert output.shape == network_shape(given, result.output.shape, x.shape) == (2, 3, *shape)
    for n, k, i, j in np.ndindex(*output.shape):
        rows, columns = slice(i * window[0], (i + 1) * window[0]), slice(j * window[1], (j + 1) * window[1])
        assert output[n, k, i, j] == result.output[n, k, rows, columns].max()


def test_the_error_of_a_pooled_element_is_the_largest_of_its_window():
    given = case([{"op": "max_pool", "window": [5, 6]}])
    y = np.zeros((2, 3, 5, 6))
    limits = np.arange(y.size, dtype=np.float64).reshape(y.shape)
    assert spread(given, limits, y, y).ravel().tolist() == [29.0 + 30 * index for index in range(6)]


def test_an_exact_sum_may_not_be_rounded_and_a_copy_not_at_all():
    given = case([{"op": "add"}, {"op": "concat"}], precision="fp16")
    y, x = np.full((2, 3, 5, 6), 1.0), np.full((2, 3, 5, 6), 2.0)
    assert not spread(given, np.zeros_like(y), y, x).any()
    # 2048 + 1 is no float16: half a unit may be lost, and the copied input stays exact.
    rounding = spread(given, np.zeros_like(y), np.full_like(y, 2048.0), np.ones_like(x))
    assert (rounding[:, :3] >= 1.0).all()
    assert (rounding[:, :3] < 1.1).all()
    assert not rounding[:, 3:].any()


def test_a_wrong_copy_behind_the_layers_maps_fails_with_evidence():
    given = case(STEPS["concat"])
    mutant = next(mutant for mutant in MUTANTS if mutant.name == "concat_from_first_image")
    verdict = check_forward(Subject(given, Engines(MutantTarget(mutant)), lambda c, index: reference(c)))
    assert verdict.status == "fail"
    assert verdict.figures["worst"][1] >= 3
    assert verdict.figures["evidence"]["terms"] == []


class Without(NumpyTarget):
    """Leaves out what stands behind the layer."""

    name = "without"

    def build(self, given):
        return super().build(given.model_copy(update={"epilogue": ()}))


@pytest.mark.parametrize("name", STEPS)
def test_a_network_without_it_fails(name):
    given = case(STEPS[name])
    golden = lambda c, index: reference(c)  # noqa: E731
    right = check_forward(Subject(given, Engines(NumpyTarget()), golden))
    wrong = check_forward(Subject(given, Engines(Without()), golden))
    assert (right.status, wrong.status) == ("pass", "fail"), right.message


@pytest.mark.parametrize(("window", "shape"), [((2, 3), (2, 2)), ((1, 1), (5, 6)), ((5, 6), (1, 1))])
def test_average_pooling_takes_the_mean_of_each_whole_window(window, shape):
    given = case([{"op": "average_pool", "window": list(window)}])
    result, x = reference(given), case_data(given).input.astype(np.float64)
    output = apply(given, result.output, x)
    assert output.shape == network_shape(given, result.output.shape, x.shape) == (2, 3, *shape)
    for n, k, i, j in np.ndindex(*output.shape):
        rows, columns = slice(i * window[0], (i + 1) * window[0]), slice(j * window[1], (j + 1) * window[1])
        assert output[n, k, i, j] == pytest.approx(result.output[n, k, rows, columns].mean(), rel=1e-12)


def test_the_error_of_a_mean_is_the_mean_error_and_that_of_its_sum():
    given = case([{"op": "average_pool", "window": [5, 6]}])
    y = np.zeros((2, 3, 5, 6))
    limits = np.arange(y.size, dtype=np.float64).reshape(y.shape)
    means = limits.mean(axis=(2, 3), keepdims=True)
    assert spread(given, limits, y, y) == pytest.approx(means, rel=1e-5)
    ones = np.ones_like(y)
    assert spread(given, np.zeros_like(y), ones, y).max() == pytest.approx(31 * 2.0**-24, rel=1e-3)
    sums = (ones.astype(np.float32) * np.float32(1.1)).sum(axis=(2, 3), keepdims=True) / np.float32(30)
    expected, allowed = (ones * np.float32(1.1)).mean(axis=(2, 3), keepdims=True), spread(given, 0 * y, ones * 1.1, y)
    assert (np.abs(sums - expected) <= allowed).all()
    assert (np.abs(1.1001 - expected) > allowed).all()
