"""Floats that a flag allows to be computed in halves: either type is within the bound, and less is not."""

import ml_dtypes
import numpy as np
import pytest

from tests.support.helpers import make_case
from trt_conformance.core.tensors import case_data
from trt_conformance.numerics.bounds.elementwise import bound, narrowest
from trt_conformance.numerics.bounds.transforms import normwise_bound
from trt_conformance.numerics.compare import compare
from trt_conformance.numerics.exactness import inexact
from trt_conformance.numerics.reference.convolution import convolution
from trt_conformance.numerics.reference.result import reference

HALF = {"FP16": np.float16, "BF16": ml_dtypes.bfloat16}


def case(*flags, **fields):
    tensors = {
        "input": {"shape": [1, 4, 6, 7], "fill": "uniform", "seed": 1},
        "kernel": {"shape": [3, 4, 3, 3], "fill": "uniform", "seed": 2},
    }
    return make_case(**(tensors | fields), typing="weak", builder={"flags": list(flags)})


def computed(given, dtype):
    """The layer with operands and output rounded to a type, and the sum in float32."""
    data = case_data(given)
    x, w = (tensor.astype(dtype).astype(np.float32) for tensor in (data.input, data.kernel))
    return convolution(x, w, None, given.attributes).astype(np.float32).astype(dtype).astype(np.float32)


@pytest.mark.parametrize("flag", HALF)
def test_either_type_is_within_the_bound_and_floats_without_the_flag_are_not_halves(flag):
    given = case(flag)
    result = reference(given)
    for dtype in (np.float32, HALF[flag]):
        assert compare(computed(given, dtype), result.output, bound(given, result)).passed
    plain = case()
    assert compare(computed(plain, np.float32), result.output, bound(plain, result)).passed
    assert not compare(computed(plain, HALF[flag]), result.output, bound(plain, result)).passed


def test_a_type_narrower_than_the_flags_is_beyond_the_bound():
    given = case("FP16")
    result = reference(given)
    assert not compare(computed(given, ml_dtypes.float8_e4m3fn), result.output, bound(given, result)).passed


def test_transforms_round_as_the_flag_allows():
    given, plain = case("FP16"), case()
    result = reference(given)
    assert (normwise_bound(given, result) > 10 * normwise_bound(plain, result)).all()


def test_exact_data_are_those_that_halves_sum_exactly():
    few = {"input": {"shape": [1, 1, 4, 4], "fill": "ternary", "seed": 3}}
    assert inexact(case("FP16", **few, kernel={"shape": [1, 1, 1, 1], "values": [1000.0]})) is None
    assert inexact(case(**few, kernel={"shape": [1, 1, 1, 1], "values": [2049.0]})) is None
    assert inexact(case("FP16", **few, kernel={"shape": [1, 1, 1, 1], "values": [2049.0]})) is not None


def test_the_narrower_of_two_flags_counts_and_other_precisions_have_none():
    assert narrowest(case("FP16", "BF16")) == "bf16"
    assert narrowest(case()) == "fp32"
    assert narrowest(make_case(precision="tf32")) == "tf32"
