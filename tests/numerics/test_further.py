"""Convolutions behind the layer: their values, and how far an error of the layer goes through them."""

from __future__ import annotations

from dataclasses import replace

import ml_dtypes
import numpy as np
import pytest

from tests.support.helpers import brute_force, make_case
from tests.support.right import winograd
from tests.support.suite import suite_catalog
from trt_conformance.checks.engine_facts import further_bases
from trt_conformance.checks.forward import check_forward
from trt_conformance.checks.subject import Subject
from trt_conformance.core.fills import content
from trt_conformance.core.tensors import case_data, weights_bytes
from trt_conformance.numerics.bounds.basis import bound_on
from trt_conformance.numerics.bounds.epilogue import network_result, spread
from trt_conformance.numerics.bounds.transforms import winograd_growth
from trt_conformance.numerics.compare import compare
from trt_conformance.numerics.reference.epilogue import apply, further_operands, network_shape, setting_of
from trt_conformance.numerics.reference.result import reference
from trt_conformance.targets.engines import Engines
from trt_conformance.targets.numpy import NumpyTarget
from trt_conformance.targets.protocols import EngineFacts, LayerFacts

LAYERS = {
    "pointwise": {"shape": [5, 4, 1, 1]},
    "window": {"shape": [5, 4, 3, 3], "padding_nd": [1, 1], "bias": "uniform"},
    "strided": {"shape": [5, 4, 2, 3], "stride_nd": [2, 1], "dilation_nd": [1, 2]},
    "depthwise": {"shape": [4, 1, 3, 3], "num_groups": 4, "bias": "uniform"},
}


def case(name, precision="fp32", scale=None, **fields):
    layer = {"fill": "uniform", "seed": 7} | LAYERS[name] | ({} if scale is None else {"scale": scale})
    return make_case(
        input={"shape": [2, 3, 6, 7], "fill": "uniform", "seed": 1},
        kernel={"shape": [4, 3, 3, 3], "fill": "uniform", "seed": 2},
        set={"padding_nd": [1, 1]},
        epilogue=[{"op": "relu"}, {"op": "convolution", "layer": layer}],
        precision=precision,
        **fields,
    )


def int8(name, scale):
    return case(name, "int8", scale, quantize={"input": 0.0078125, "kernel": [0.0078125]}, weights="set_input")


def weights(given):
    layer = given.epilogue[1].layer
    bias = None if layer.bias is None else content(layer.shape[:1], layer.bias, None, layer.seed + 1)
    return content(layer.shape, layer.fill, None, layer.seed), bias


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize(("precision", "dtype"), [("fp32", np.float32), ("bf16", ml_dtypes.bfloat16)])
def test_values_and_shape(name, precision, dtype):
    given = case(name, precision)
    y, x = reference(given).output, case_data(given).input.astype(np.float64)
    kernel, bias = (None if t is None else t.astype(dtype).astype(np.float64) for t in weights(given))
    expected = brute_force(np.maximum(y, 0), kernel, bias, given.epilogue[1].layer.attributes)
    output = apply(given, y, x)
    assert output == pytest.approx(expected, rel=1e-12, abs=1e-14)
    assert output.shape == network_shape(given, y.shape, x.shape)


def test_a_kernel_behind_q_and_dq():
    given = int8("pointwise", [0.0625, 0.03125, 0.015625, 0.5, 0.25])
    y, x = reference(given).output, case_data(given).input.astype(np.float64)
    kernel, _ = weights(given)
    scale = np.asarray(given.epilogue[1].layer.scale).reshape(-1, 1, 1, 1)
    rescaled = np.clip(np.rint(kernel.astype(np.float32) / scale), -128, 127) * scale
    expected = brute_force(np.maximum(y, 0), rescaled, None, given.epilogue[1].layer.attributes)
    assert apply(given, y, x) == pytest.approx(expected, rel=1e-12, abs=1e-14)


@pytest.mark.parametrize("precision", ["fp32", "tf32", "fp16", "bf16"])
@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_at_its_bound_stays_within_the_networks(name, precision):
    """Every output of the layer as wrong as it may be, and the further layer rounded as the precision is."""
    given = case(name, precision)
    data, result = case_data(given), reference(given)
    limits = 0.01 * (1 + np.abs(result.output))
    expected, allowed = network_result(given, result, limits, given.input.shape)
    for sign in (-1, 1):
        off = (result.output + 0.9 * sign * limits).astype(data.input.dtype)
        assert compare(apply(given, off, data.input), expected, allowed).passed


def test_the_error_of_a_further_layer_is_that_of_its_sums():
    given = case("pointwise")
    result = reference(given)
    kernel, _ = weights(given)
    limits = np.full(result.output.shape, 1e-3)
    limits[:, 1:] = 0
    _, allowed = network_result(given, result, limits, given.input.shape)
    alone = network_result(given, result, np.zeros_like(limits), given.input.shape)[1]
    through = 1e-3 * np.abs(kernel[:, 0]).reshape(1, -1, 1, 1)
    assert allowed - alone == pytest.approx(np.broadcast_to(through, allowed.shape), rel=1e-4)
    assert (alone < 1e-5).all()


def test_a_window_may_be_transformed_and_a_point_may_not():
    sizes = {}
    for name in ("pointwise", "window"):
        given = case(name)
        result = reference(given)
        magnitude = network_result(given, result, np.zeros_like(result.output), given.input.shape)[1].max()
        sizes[name] = magnitude
    assert winograd_growth(6, 3).factor > 10
    assert sizes["window"] > 20 * sizes["pointwise"]


def test_what_is_beyond_the_bound_fails():
    given = case("window")
    golden = lambda c, index: reference(c)  # noqa: E731

    class Wrong(NumpyTarget):
        """Leaves out the bias of the further layer."""

        name = "wrong"

        def build(self, case):
            relu, further = case.epilogue
            layer = further.layer.model_copy(update={"bias": None})
            return super().build(
                case.model_copy(update={"epilogue": (relu, further.model_copy(update={"layer": layer}))})
            )

    right = check_forward(Subject(given, Engines(NumpyTarget()), golden))
    wrong = check_forward(Subject(given, Engines(Wrong()), golden))
    assert (right.status, wrong.status) == ("pass", "fail")


def test_the_weights_of_further_layers_count():
    alone = 4 * 4 * 27
    assert weights_bytes(make_case(kernel={"shape": [4, 3, 3, 3], "fill": "ones"})) == alone
    assert weights_bytes(case("window")) == alone + 4 * (5 * 4 * 9 + 5)
    assert weights_bytes(int8("pointwise", [1.0])) == 4 * 27 + 5 * 4


def facts(*kernels, others=()):
    """What an engine with layers of these kernels reports."""
    layers = [LayerFacts(f"layer {n}", "CaskConvolution", name, (), ()) for n, name in enumerate(kernels)]
    layers += [LayerFacts("another", name, "", (), ()) for name in others]
    return EngineFacts(tuple(layers), layers[0], "fp16")


DIRECT = "sm80_xmma_fprop_implicit_gemm_f16f32_f16f32_f16"
HALF = "sm80_xmma_fprop_implicit_gemm_f16f16_f16f16_f16"
WINOGRAD = "sm80_xmma_fprop_wngd_f32f32_f32_f32"
INTEGER = "sm80_xmma_fprop_implicit_gemm_interleaved_i8i8_i8i32_f32"
IMAGE_FIRST = "sm80_xmma_fprop_image_first_layer_f16f32_f32_f16_nhwckrsc_nhwc"


@pytest.mark.parametrize(
    ("found", "bases"),
    [
        (facts(DIRECT, DIRECT), ["fp32"]),
        (facts(DIRECT, HALF), ["fp16"]),
        (facts(HALF, DIRECT), ["fp32"]),
        (facts(DIRECT, IMAGE_FIRST), ["fp32_rounded"]),
        (facts(WINOGRAD, DIRECT, others=["Reformat"]), ["fp32"]),
        (facts(HALF, DIRECT, DIRECT), ["fp16"]),
        (facts(DIRECT, DIRECT, WINOGRAD, HALF), ["winograd"]),
        (facts(DIRECT), None),
        (facts(DIRECT, DIRECT, others=["ForeignNode"]), None),
        (None, ["fp32"]),
    ],
)
def test_each_layer_has_its_kernel_and_the_widest_where_there_are_more(found, bases):
    assert further_bases(case("window", "fp16"), found) == (None if bases is None else tuple(bases))


@pytest.mark.parametrize(
    ("found", "bases"),
    [
        (facts(INTEGER, WINOGRAD), ("winograd",)),
        (facts(INTEGER, INTEGER, WINOGRAD), ("winograd",)),
        (facts(WINOGRAD, INTEGER), ("int32",)),
        (facts(INTEGER, WINOGRAD, others=["ForeignNode"]), None),
        (facts(INTEGER), None),
    ],
)
def test_a_quantized_layer_has_the_transform_of_its_kernel(found, bases):
    found = None if found is None else replace(found, precision="int8")
    assert further_bases(int8("window", [0.01]), found) == bases


def test_several_further_layers_have_their_kernels_in_order():
    given = suite_catalog().find("in_a_row/bottleneck-fp16")
    assert further_bases(given, facts(HALF, DIRECT, IMAGE_FIRST)) == ("fp32", "fp32_rounded")
    assert further_bases(given, facts(HALF, DIRECT, DIRECT, DIRECT)) == ("fp16", "fp16")


def largest_bound(given, *further):
    """The largest bound where the first layer accumulates in fp32, and further ones as given: all alike, if one is."""
    bases = further * sum(step.layer is not None for step in given.epilogue) if len(further) == 1 else further
    result = reference(given)
    bases = None if None in bases else bases
    return network_result(given, result, bound_on(given, result, "fp32"), given.run_shapes[0], bases)[1].max()


def test_the_bound_of_each_layer_is_that_of_its_kernel():
    given = suite_catalog().find("in_a_row/bottleneck-fp16")
    narrow, last, both = (largest_bound(given, *one) for one in (("fp32",), ("fp32", "fp16"), ("fp16",)))
    assert narrow < last / 2 < both / 20
    assert largest_bound(given, "fp16", "fp32") < both


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_a_further_sum_may_be_rounded_before_its_bias_where_its_kernel_does(precision):
    """An image_first_layer kernel writes the sum as a half, adds the bias, and writes that: once more, and no more."""
    given = case("window", precision)
    y = np.random.default_rng(3).integers(0, 5, reference(given).output.shape).astype(np.float64)
    none, x = np.zeros_like(y), case_data(given).input.astype(np.float64)
    half = case_data(given).input.dtype
    kernel, bias = (t.astype(half).astype(np.float64) for t in weights(given))
    sums = brute_force(y, kernel, None, given.epilogue[1].layer.attributes).astype(np.float64)
    bias = bias.reshape(1, -1, 1, 1)
    rounded = (sums.astype(half).astype(np.float64) + bias).astype(half)
    once, twice = (spread(given, none, y, x, [basis]) for basis in ("fp32", "fp32_rounded"))
    assert not compare(rounded, sums + bias, once).passed
    assert compare(rounded, sums + bias, twice).passed
    assert not compare((rounded + np.sign(rounded - sums - bias) * twice).astype(half), sums + bias, twice).passed
    assert (twice <= spread(given, none, y, x)).all()


def test_sums_that_are_exact_are_rounded_before_the_bias_too():
    given = case("pointwise", "fp16")
    layer = given.epilogue[1].layer.model_copy(update={"bias": "ternary", "fill": "ones"})
    given = given.model_copy(update={"epilogue": (given.epilogue[1].model_copy(update={"layer": layer}),)})
    y = np.full((1, 4, 1, 1), 1023.0)  # the sum, 4092, needs 10 bits; 4 * 1023 + 1 needs 12
    assert spread(given, np.zeros_like(y), y, y, ["fp32_rounded"]).max() == spread(given, 0 * y, y, y, ["fp32"]).max()
    y[0, 0] = 1024.0  # 4093 is not a half
    once, twice = (spread(given, np.zeros_like(y), y, y, [basis]).max() for basis in ("fp32", "fp32_rounded"))
    assert 0 < once < twice


@pytest.mark.parametrize("further", [None, "fft"])
def test_a_window_too_wide_for_winograd_may_be_an_fft(further):
    given = case("window")
    layer = given.epilogue[1].layer.model_copy(update={"shape": (5, 4, 9, 9), "padding_nd": (4, 4)})
    wide = given.model_copy(update={"epilogue": (given.epilogue[1].model_copy(update={"layer": layer}),)})
    assert largest_bound(wide, further) > 2 * largest_bound(wide, "fp32")


def test_floats_that_a_flag_lets_be_halves_may_be_summed_in_halves():
    given = case("pointwise", builder={"flags": ["FP16"]}, typing="weak")
    assert largest_bound(given, None) == largest_bound(given, "fp16") > 2 * largest_bound(given, "fp32")


def test_kernels_that_are_known_have_narrower_bounds():
    given = case("window", "fp16")
    narrow, half, wide = (largest_bound(given, further) for further in ("fp32", "fp16", None))
    assert narrow < half / 4 < wide / 4
    assert largest_bound(given, "winograd") == wide


@pytest.mark.parametrize("name", ["two_layers_ternary", "bottleneck_ternary"])
@pytest.mark.parametrize("precision", ["fp32", "tf32", "fp16", "bf16"])
def test_sums_that_every_accumulator_holds_have_no_error(name, precision):
    given = suite_catalog().find(f"in_a_row/{name}-{precision}")
    assert largest_bound(given, "fp16" if precision == "fp16" else "fp32") == 0
    assert largest_bound(given, None) > 0 or precision == "bf16"


def test_sums_beyond_the_accumulator_have_an_error():
    given = suite_catalog().find("in_a_row/two_layers_ternary-fp16")
    (step,) = given.epilogue
    layer = step.layer.model_copy(update={"shape": (5, 8, 3, 3), "fill": "int8_full_range"})
    wide = given.model_copy(update={"epilogue": (step.model_copy(update={"layer": layer}),)})
    assert largest_bound(wide, "fp16") > largest_bound(given, "fp16")


def quantized(precision):
    """A case with a further layer between Q and DQ, and values that it reads: one of them large, none on a grid.

    Where a tap of 0 reads the large value, the products are small, and a transform still adds and subtracts it.
    """
    scales = {"input": 0.0078125, "kernel": [0.0078125]}
    given = case("window", precision, [0.01], quantize=scales, weights="set_input")
    further = given.epilogue[1]
    sparse = further.layer.model_copy(update={"fill": "sparse_ternary"})
    given = given.model_copy(update={"epilogue": (further.model_copy(update={"layer": sparse}),)})
    y = np.random.default_rng(5).standard_normal((2, 4, 8, 8)).astype(np.float32)
    y[0, 1, 3, 3] = 1000.0
    return given, y


def transformed(given, y, tile, kernel=lambda kernel: kernel, bias=1.0):
    """The further layer by Winograd's F(tile, 3) in float32, with a changed kernel or bias."""
    weights, biases = further_operands(given.epilogue[0].layer, setting_of(given))
    padded = np.pad(y.astype(np.float32), ((0, 0), (0, 0), (1, 1), (1, 1)))
    sums = winograd(tile)(padded, kernel(weights).astype(np.float32), given.epilogue[0].layer.attributes, given)
    return sums + (bias * biases).astype(np.float32).reshape(-1, 1, 1)


@pytest.mark.parametrize("precision", ["int8", "fp8"])
@pytest.mark.parametrize("tile", [2, 4, 6])
def test_a_quantized_layer_may_be_transformed_where_its_kernel_says_so(precision, tile):
    """Near a large value a transform errs where its own products are small: beyond the bound of any other kernel."""
    given, y = quantized(precision)
    exact, none = y.astype(np.float64), np.zeros(y.shape)
    expected = apply(given, exact, exact)
    allowed = {basis: spread(given, none, exact, exact, basis and [basis]) for basis in ("winograd", "int32", None)}
    right = transformed(given, y, tile)
    assert compare(right, expected, allowed["winograd"]).passed
    assert np.array_equal(allowed["int32"], allowed[None])
    if precision == "int8":
        assert not compare(right, expected, allowed[None]).passed
    for wrong in (
        transformed(given, y, tile, kernel=lambda w: np.roll(w, 1, axis=-1)),
        transformed(given, y, tile, kernel=lambda w: w * (np.arange(3) < 2)),
        transformed(given, y, tile, kernel=lambda w: w * (np.arange(4) < 3).reshape(-1, 1, 1)),
        transformed(given, y, tile, bias=0.0),
    ):
        assert not compare(wrong, expected, allowed["winograd"]).passed


@pytest.mark.parametrize("precision", ["int8", "fp8"])
def test_a_transformed_layer_reads_the_error_of_the_layer_before_it(precision):
    given, y = quantized(precision)
    exact = y.astype(np.float64)
    limits = 0.1 * (1 + np.abs(exact))
    expected, allowed = apply(given, exact, exact), spread(given, limits, exact, exact, ["winograd"])
    for sign in (-1, 1):
        assert compare(transformed(given, y + 0.9 * sign * limits, 2), expected, allowed).passed
    without = spread(given, 0 * limits, exact, exact, ["winograd"])
    assert not compare(transformed(given, y + 0.9 * limits, 2), expected, without).passed


def test_the_type_between_q_and_dq_is_that_of_the_transform():
    given, y = quantized("int8")
    exact, none = y.astype(np.float64), np.zeros(y.shape)
    sizes = {}
    for between in (None, "float16"):
        changed = given.model_copy(update={"quantize": given.quantize.model_copy(update={"between": between})})
        sizes[between] = spread(changed, none, exact, exact, ["winograd"]).max()
    # Roundings of 2^-11, in tiles of two; in float32 of 2^-24, in tiles of six.
    growth = (winograd_growth(2, 3).factor / winograd_growth(6, 3).factor) ** 2
    assert sizes["float16"] > 1000 * growth * sizes[None]


class OtherWeights(NumpyTarget):
    """Computes the last further layer with other weights."""

    def build(self, given):
        step = given.epilogue[-2] if given.epilogue[-1].layer is None else given.epilogue[-1]
        assert step.layer is not None
        other = step.layer.model_copy(update={"seed": step.layer.seed + 1})
        steps = tuple(one.model_copy(update={"layer": other}) if one is step else one for one in given.epilogue)
        return super().build(given.model_copy(update={"epilogue": steps}))


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_other_weights_of_the_last_layer_are_found(precision):
    given = suite_catalog().find(f"in_a_row/bottleneck_ternary-{precision}")
    verdict = check_forward(Subject(given, Engines(OtherWeights()), lambda c, index: reference(c)))
    assert verdict.status == "fail"
    right = check_forward(Subject(given, Engines(NumpyTarget()), lambda c, index: reference(c)))
    assert (right.status, right.figures["further_bound_for"], right.figures["fraction"]) == ("pass", ["fp32"] * 2, 0)
