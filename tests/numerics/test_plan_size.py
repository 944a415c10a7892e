"""The most bytes that weights may take, and the zeros that pad channels, against numbers counted by hand."""

import pytest

from tests.support.helpers import make_case
from trt_conformance.core.tensors import weights_bytes
from trt_conformance.numerics.plan_size import (
    CODE_BYTES,
    CONSTANT_BYTES,
    VECTOR,
    code_limit,
    paddings,
    weights_limit,
)


def case(precision="fp16", shape=(2, 3, 10, 12), kernel=(5, 3, 3, 3), groups=1, **more):
    fills = {"input": {"shape": list(shape), "fill": "ones"}, "kernel": {"shape": list(kernel), "fill": "ones"}}
    quantize = {"quantize": {"input": 1.0, "kernel": [1.0]}} if precision in ("int8", "fp8") else {}
    attributes = {"set": {"num_groups": groups}} if groups > 1 else {}
    return make_case(precision=precision, **fills, **quantize, **attributes, **more)


@pytest.mark.parametrize(
    ("given", "texts"),
    [
        (case(), ["input: 1 channel x 240 positions x 2 bytes = 480 bytes"]),
        (case("bf16", (1, 1, 4, 4), (1, 1, 1, 1)), ["input: 1 channel x 16 positions x 2 bytes = 32 bytes"]),
        (case("int8", (1, 5, 4, 4), (1, 5, 1, 1)), ["input: 3 channels x 16 positions x 1 byte = 48 bytes"]),
        (
            case("int8", (1, 8, 4, 4), (8, 1, 1, 1), groups=8),
            ["input: 8 groups x 3 channels x 16 positions x 1 byte = 384 bytes"],
        ),
        (
            case("fp16", (1, 3, 2, 30, 40), (4, 3, 1, 1, 1)),
            ["input: 1 channel x 2,400 positions x 2 bytes = 4,800 bytes"],
        ),
        (case("fp32"), []),
        (case("tf32"), []),
        (case("fp8"), []),
        (case("fp16", kernel=(5, 4, 3, 3), shape=(2, 4, 10, 12)), []),
        (
            case("fp16", kernel=(5, 4, 3, 3), shape=(2, 4, 10, 12), formats={"output": "HWC8"}),
            ["output: 3 channels x 160 positions x 2 bytes = 960 bytes"],
        ),
        (
            case("fp32", kernel=(33, 4, 3, 3), shape=(2, 4, 10, 12), formats={"output": "CHW32"}),
            ["output: 31 channels x 160 positions x 4 bytes = 19,840 bytes"],
        ),
        (case("fp16", kernel=(5, 4, 3, 3), shape=(2, 4, 10, 12), formats={"input": "HWC8"}), []),
    ],
)
def test_zeros_pad_channels_to_four_bytes_or_to_the_vector_of_the_output(given, texts):
    found = paddings(given)
    assert [padding.text() for padding in found] == texts


@pytest.mark.parametrize(
    ("given", "zeros"),
    [
        (case(), 5 * 240 * 2),
        (case(shape=(2, 8, 10, 12), kernel=(5, 8, 3, 3)), 0),
        (case("int8"), 1 * 240 * 4),
        (case("bf16"), 0),
        (case("fp32"), 0),
    ],
    ids=["fp16", "eight channels", "int8", "bf16, which it does not have", "fp32"],
)
def test_turing_has_wider_vectors_and_zeros(given, zeros):
    assert sum(padding.bytes for padding in paddings(given, on_turing=True)) == zeros


def test_operations_behind_the_layer_have_constants_too():
    plain, scaled = case(), case(epilogue=[{"op": "relu"}])
    maps = 5
    assert weights_limit(scaled) - weights_limit(plain) == 2 * 4 * maps * 4 + 3 * CONSTANT_BYTES


def test_a_plan_with_a_runtime_has_no_limit_of_code():
    assert code_limit(case()) == CODE_BYTES
    assert code_limit(case(builder={"flags": ["VERSION_COMPATIBLE"]})) is None


def test_they_are_stored_only_where_the_shape_is_known():
    dynamic = {"shape": [-1, 3, 10, 12], "min": [2, 3, 10, 12], "opt": [2, 3, 10, 12], "run": [[2, 3, 10, 12]]}
    assert paddings(case(dynamic=dynamic | {"max": [3, 3, 10, 12]})) == ()
    (padding,) = paddings(case(dynamic=dynamic | {"max": [2, 3, 10, 12]}))
    assert padding.bytes == 480


def test_twice_the_weights_of_full_vectors_are_their_limit():
    full = case("fp32", (1, 64, 8, 8), (64, 64, 3, 3))
    assert weights_limit(full) == 2 * weights_bytes(full) + 2 * CONSTANT_BYTES
    assert weights_limit(case("fp16", (1, 64, 8, 8), (64, 64, 3, 3))) == 2 * 2 * 64 * 64 * 9 + 2 * CONSTANT_BYTES


def test_maps_and_channels_may_be_padded_to_the_widest_vector():
    assert VECTOR == 32
    assert weights_limit(case("fp32", (1, 1, 4, 4), (33, 1, 1, 1))) == 2 * 4 * 64 * 32 + 2 * CONSTANT_BYTES


def test_scales_are_constants_as_well():
    quantized = case("int8", (1, 32, 4, 4), (32, 32, 1, 1), bias={"fill": "ones"})
    assert weights_limit(quantized) == 2 * (32 * 32 + 4 * 32) + 8 * CONSTANT_BYTES


def test_wider_arithmetic_and_transforms_have_more():
    quantized = case("int8", (1, 32, 4, 4), (32, 32, 3, 3))
    assert weights_limit(quantized, "fp32") == 2 * 4 * 9 * 32 * 32 + 8 * CONSTANT_BYTES
    half = case("fp16", (1, 32, 4, 4), (32, 32, 3, 3))
    assert weights_limit(half, "fp16", "winograd") == 2 * 2 * 16 * 32 * 32 + 2 * CONSTANT_BYTES
    assert weights_limit(half, "fp16", "fft") == weights_limit(half)
