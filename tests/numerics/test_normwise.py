"""Bounds for Winograd and FFT kernels: the transforms, what they may err, and what is wrong."""

from fractions import Fraction

import numpy as np
import pytest

from tests.support.helpers import make_case
from trt_conformance.core.tensors import case_data
from trt_conformance.numerics.bounds.basis import basis, bound_on
from trt_conformance.numerics.bounds.elementwise import bound
from trt_conformance.numerics.bounds.transforms import normwise_bound, transforms, winograd_growth
from trt_conformance.numerics.compare import compare
from trt_conformance.numerics.reference.blocked import convolve
from trt_conformance.numerics.reference.result import reference

TILES = [(m, r) for r in range(2, 8) for m in range(1, 10 - r)]


def case(outputs=12, channels=5, precision="fp32", **fields):
    given = {
        "input": {"shape": [2, channels, outputs + 2, outputs + 2], "fill": "uniform", "seed": 1},
        "kernel": {"shape": [3, channels, 3, 3], "fill": "uniform", "seed": 2},
        "bias": {"fill": "uniform", "seed": 3},
    }
    return make_case(precision=precision, **(given | fields))


def exactly(matrix):
    return np.asarray(matrix, dtype=object)


@pytest.mark.parametrize(("tile", "window"), TILES)
def test_transforms_convolve_exactly(tile, window):
    output, kernel, inputs = (exactly(m) for m in transforms(tile, window))
    x = np.asarray([Fraction(3 * i - 7, i + 2) for i in range(tile + window - 1)], dtype=object)
    w = np.asarray([Fraction(i - 2, 2 * i + 1) for i in range(window)], dtype=object)
    direct = [sum(w * x[i : i + window]) for i in range(tile)]
    assert (output @ ((kernel @ w) * (inputs @ x))).tolist() == direct


def test_transforms_are_those_lavin_and_gray_print():
    """F(2, 3) and F(4, 3), but for a sign or a power of two shared between G and B^T."""
    output, kernel, inputs = transforms(4, 3)
    assert exactly(output).tolist() == [
        [1, 1, 1, 1, 1, 0],
        [0, 1, -1, 2, -2, 0],
        [0, 1, 1, 4, 4, 0],
        [0, 1, -1, 8, -8, 1],
    ]
    assert (24 * exactly(kernel)).tolist() == [[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]
    assert exactly(inputs).tolist() == [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
    assert np.abs(exactly(transforms(2, 3).input)).tolist() == [[1, 0, 1, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 1, 0, 1]]


def test_transforms_end_where_their_points_do():
    with pytest.raises(ValueError, match=r"F\(7, 3\) needs 8 points, there are 7"):
        transforms(7, 3)


@pytest.mark.parametrize(("tile", "factor"), [(2, 8), (4, 48), (6, 67 + 2 / 3)])
def test_growth_of_a_three_wide_window(tile, factor):
    assert winograd_growth(tile, 3).factor == pytest.approx(factor)


def test_growth_bounds_what_a_transform_can_reach():
    rng = np.random.default_rng(0)
    for tile, window in TILES:
        output, kernel, inputs = (np.asarray(m, dtype=np.float64) for m in transforms(tile, window))
        x, w = rng.choice([-1.0, 1.0], (tile + window - 1, 500)), rng.choice([-1.0, 1.0], (window, 500))
        largest = (np.abs(output) @ (np.abs(kernel @ w) * np.abs(inputs @ x))).max()
        factor = winograd_growth(tile, window).factor
        assert 0.3 * factor < largest <= factor * (1 + 1e-12)


def test_steps_count_entries_and_inexact_constants():
    """F(2, 3): three, three and two entries. F(4, 3): five, three and a sixth rounded, four."""
    assert winograd_growth(2, 3).steps == 3 + 3 + 2
    assert winograd_growth(4, 3).steps == 5 + (3 + 1) + 4


def test_a_window_of_one_is_not_transformed():
    assert winograd_growth(6, 1) == (1.0, 0)


def winograd(case, tile, dtype):
    """The case by Winograd tiles of ``tile`` x ``tile`` outputs, every operation in ``dtype``."""
    data = case_data(case)
    output, kernel, inputs = (np.asarray(m, dtype=np.float64).astype(dtype) for m in transforms(tile, 3))

    def both(matrix, tensor):
        """Along rows, then along columns; sums one term after the other."""
        for axis in (-2, -1):
            moved = np.moveaxis(tensor, axis, 0)
            rows = [np.zeros(moved.shape[1:], dtype) for _ in matrix]
            for i, row in enumerate(matrix):
                for entry, term in zip(row, moved, strict=True):
                    rows[i] = rows[i] + entry * term
            tensor = np.moveaxis(np.stack(rows), 0, axis)
        return tensor

    weights = both(kernel, data.kernel.astype(dtype))
    outputs = data.input.shape[-1] - 2
    result = np.zeros((len(data.input), len(data.kernel), outputs, outputs), dtype)
    for y in range(0, outputs, tile):
        for x in range(0, outputs, tile):
            seen = both(inputs, data.input[:, :, y : y + tile + 2, x : x + tile + 2].astype(dtype))
            total = np.zeros((len(seen), len(weights), *seen.shape[-2:]), np.float32)
            for c in range(weights.shape[1]):
                total = total + seen[:, None, c].astype(np.float32) * weights[None, :, c].astype(np.float32)
            result[:, :, y : y + tile, x : x + tile] = both(output, total.astype(dtype))
    return result + data.bias.astype(dtype).reshape(-1, 1, 1)


@pytest.mark.parametrize("tile", [2, 3, 4, 5, 6])
@pytest.mark.parametrize("channels", [1, 16])
def test_winograd_in_float32_stays_inside(tile, channels):
    layer = case(outputs=2 * tile, channels=channels)
    result = reference(layer)
    actual = winograd(layer, tile, np.float32)
    for largest in (tile, 6):
        found = compare(actual, result.output, normwise_bound(layer, result, tile=largest))
        assert found.passed
    assert compare(actual, result.output, normwise_bound(layer, result, tile=tile)).fraction > 1e-4


def test_winograd_in_float16_stays_inside():
    layer = case(precision="fp16")
    result = reference(layer)
    found = compare(winograd(layer, 2, np.float16), result.output, normwise_bound(layer, result))
    assert found.passed
    assert found.fraction > 1e-3


def test_winograd_leaves_the_elementwise_bound():
    """The reason for a bound of its own."""
    layer = case(channels=1)
    result = reference(layer)
    actual = winograd(layer, 6, np.float32)
    assert not compare(actual, result.output, bound(layer, result)).passed
    assert compare(actual, result.output, normwise_bound(layer, result)).passed


def fft(case):
    """The case by FFT over the whole image, in complex64 where NumPy has such transforms."""
    data = case_data(case)
    size = [n + 2 for n in data.input.shape[-2:]]
    x = np.fft.rfft2(data.input, s=size).astype(np.complex64)
    w = np.fft.rfft2(data.kernel[..., ::-1, ::-1], s=size).astype(np.complex64)
    y = np.fft.irfft2(np.einsum("nchw,kchw->nkhw", x, w), s=size).astype(np.float32)
    return y[..., 2:-2, 2:-2]


def test_fft_stays_inside():
    layer = case(outputs=30, channels=16, bias="none")
    result = reference(layer)
    found = compare(fft(layer), result.output, normwise_bound(layer, result, "fft"))
    assert found.passed
    assert found.fraction > 1e-6


@pytest.mark.parametrize("algorithm", ["winograd", "fft"])
@pytest.mark.parametrize("channels", [1, 16])
def test_a_dropped_tap_leaves_it(algorithm, channels):
    layer = case(channels=channels)
    result, data = reference(layer), case_data(layer)
    kernel = data.kernel.astype(np.float64)
    kernel[:, 0, 2, 2] = 0
    wrong = convolve(data.input.astype(np.float64), kernel, data.bias.astype(np.float64), layer.attributes)
    limits = normwise_bound(layer, result, algorithm)
    assert not compare(wrong.astype(np.float32), result.output, limits).passed
    assert compare(result.output.astype(np.float32), result.output, limits).passed


def test_a_dropped_channel_leaves_the_float16_bound():
    layer = case(precision="fp16", channels=2)
    result, data = reference(layer), case_data(layer)
    wrong = convolve(
        data.input[:, :1].astype(np.float64), data.kernel[:, :1].astype(np.float64), None, layer.attributes
    )
    assert not compare(wrong.astype(np.float16), result.output, normwise_bound(layer, result)).passed


@pytest.mark.parametrize("algorithm", ["winograd", "fft"])
def test_each_image_has_its_own(algorithm):
    x = {"shape": [2, 1, 5, 5], "values": [0.001] * 25 + [1.0] * 25}
    layer = case(input=x, channels=1, bias="none")
    limits = normwise_bound(layer, reference(layer), algorithm)
    np.testing.assert_allclose(limits[1], 1000 * limits[0], rtol=1e-4)


def test_batches_of_any_rank_are_images():
    x = {"shape": [2, 3, 1, 5, 5], "fill": "uniform"}
    layer = case(input=x, channels=1)
    assert normwise_bound(layer, reference(layer)).shape == (2, 3, 3, 3, 3)


def test_each_output_map_has_its_own():
    layer = case(kernel={"shape": [2, 1, 3, 3], "values": [0.001] * 9 + [1.0] * 9}, channels=1, bias="none")
    limits = normwise_bound(layer, reference(layer))
    assert limits.shape == (2, 2, 12, 12)
    np.testing.assert_allclose(limits[:, 1], 1000 * limits[:, 0], rtol=1e-4)


def test_groups_sum_their_own_channels():
    x = {"shape": [1, 2, 5, 5], "values": [0.001] * 25 + [1.0] * 25}
    layer = case(input=x, kernel={"shape": [2, 1, 3, 3], "fill": "ones"}, bias="none", set={"num_groups": 2})
    limits = normwise_bound(layer, reference(layer))
    np.testing.assert_allclose(limits[:, 1], 1000 * limits[:, 0], rtol=1e-4)


def test_three_dimensions_grow_in_each():
    flat = case(channels=1, bias="none")
    deep = case(
        input={"shape": [1, 1, 5, 5, 5], "fill": "ones"}, kernel={"shape": [1, 1, 3, 3, 3], "fill": "ones"}, bias="none"
    )
    assert normwise_bound(deep, reference(deep)).max() > 50 * normwise_bound(flat, reference(flat)).max()


@pytest.mark.parametrize("algorithm", ["winograd", "fft"])
@pytest.mark.parametrize("operand", ["input", "kernel"])
def test_a_value_that_is_quantized_near_a_tie_may_be_its_neighbor(algorithm, operand):
    """2.5 steps of 0.1, the only value, is 2 steps or 3. The sums of either are within the bound, of 3.5 are not."""
    scales = {"input": 0.1, "kernel": [0.1]}
    near = float(np.float32(2.5) * np.float32(0.1))
    fills = {name: {"values": [near if name == operand else 0.5] * 25} for name in scales}
    layer = case(
        precision="int8",
        input={"shape": [1, 1, 5, 5], **fills["input"]},
        kernel={"shape": [1, 1, 3, 3], "values": fills["kernel"]["values"][:9]},
        bias="none",
        quantize=scales,
    )
    result = reference(layer)
    limits = normwise_bound(layer, result, algorithm)
    per_step = 9 * 0.1 * 0.5
    (steps,) = {round(float(v) / per_step) for v in result.output.ravel()}
    assert steps in (2, 3)
    outputs = [np.full_like(result.output, n * per_step).astype(np.float32) for n in (2, 3, 4)]
    assert [compare(y, result.output, limits).passed for y in outputs] == [True, True, steps == 3]


def test_refuses_what_no_such_kernel_does():
    wide = make_case(input={"shape": [1, 1, 9, 9], "fill": "ones"}, kernel={"shape": [1, 1, 9, 9], "fill": "ones"})
    with pytest.raises(ValueError, match="no Winograd transform has a window of 9"):
        normwise_bound(wide, reference(wide))
    assert normwise_bound(wide, reference(wide), "fft").shape == (1, 1, 1, 1)


@pytest.mark.parametrize(
    ("precision", "kernel", "ran", "expected"),
    [
        ("fp32", "ampere_scudnn_winograd_128x128_ldg1_ldg4_relu_tile148t_nt_v1", "fp32", "winograd"),
        ("fp32", "fft2d_r2c_32x32", "fp32", "fft"),
        ("fp32", "sm80_xmma_fprop_implicit_gemm_f32f32_f32f32_f32_nhwckrsc_nhwc", "fp32", "fp32"),
        ("fp16", "sm80_xmma_fprop_implicit_gemm_f16f16_f16f16_f16_nhwckrsc_nhwc", "fp16", "fp16"),
        ("fp16", "sm50_xmma_fprop_conv2d_c1_k1_f16f16_f16_f16_nchwkcrs_nchw_tilesize10x40x8", "fp16", "fp16"),
        ("fp16", "turing_h1688cudnn_256x64_sliced1x2_ldg8_relu_exp_small_nhwc_tn_v1", "fp16", "fp16"),
        ("fp16", "sm80_xmma_fprop_implicit_gemm_f16f16_f16f32_f32_nhwckrsc_nhwc", "fp16", "fp32"),
        ("fp16", "sm90_xmma_fprop_image_first_layer_f16f16_f32_f16_nhwckrsc_nhwc_tensor1688", "fp16", "fp32_rounded"),
        ("fp32", "sm80_xmma_fprop_image_first_layer_f32f32", "fp32", "fp32"),
        ("int8", "sm80_xmma_fprop_implicit_gemm_i8f32_i8i32_f32_nhwckrsc_nhwc", "int8", "int32"),
        ("int8", "sm80_xmma_fprop_implicit_gemm_f32f32_f32f32_f32", "fp32", "fp32"),
        ("int8", "", "", "fp32"),
        ("int8", "fft2d_r2c_32x32", "int8", "fft"),
        ("int8", "sm75_winograd_i8i8_i8i32", "int8", "winograd"),
        ("fp8", "sm90_fft_e4m3", "fp8", "fft"),
    ],
)
def test_the_kernel_decides_the_bound(precision, kernel, ran, expected):
    scale = {"quantize": {"input": 0.01, "kernel": [0.01]}} if precision in ("int8", "fp8") else {}
    layer = case(precision=precision, channels=2, outputs=4, **scale)
    result = reference(layer)
    if expected in ("winograd", "fft"):
        wanted = normwise_bound(layer, result, expected)
    else:
        wanted = bound(layer, result, expected)
    assert basis(layer, kernel, ran) == expected
    assert (bound_on(layer, result, expected) == wanted).all()
    assert (wanted > 0).all()
