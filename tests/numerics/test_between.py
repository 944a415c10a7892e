"""Q and DQ between half tensors: what may be rounded to the half type, and what not."""

from __future__ import annotations

from dataclasses import replace

import ml_dtypes
import numpy as np
import pytest

from tests.support.helpers import make_case
from trt_conformance.checks.forward import check_forward
from trt_conformance.checks.subject import Subject
from trt_conformance.core.tensors import case_data
from trt_conformance.mutants import MUTANTS, MutantTarget
from trt_conformance.numerics.bounds.elementwise import arithmetic_of, bound
from trt_conformance.numerics.compare import compare
from trt_conformance.numerics.reference.convolution import convolution
from trt_conformance.numerics.reference.quantization import dequantize, grid_of, quantize, scales
from trt_conformance.numerics.reference.result import reference
from trt_conformance.targets.engines import Engines
from trt_conformance.targets.numpy import NumpyTarget

HALF = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16}
UNIT = {"float16": 2.0**-11, "bfloat16": 2.0**-8}


def case(between, precision="int8", scale=0.01171875, output=None, **fields):
    return make_case(
        input={"shape": [2, 3, 6, 7], "fill": "uniform", "seed": 1},
        kernel={"shape": [4, 3, 3, 3], "fill": "uniform", "seed": 2},
        quantize={"input": scale, "kernel": [0.0078125], "between": between, "output": output},
        precision=precision,
        weights="set_input",
        **fields,
    )


def unfused(given):
    """The layer as the network states it: every tensor between Q and DQ in the half type, the sum in float32."""
    half, grid, data = HALF[given.quantize.between], grid_of(given.precision), case_data(given)

    def through(values, scale):
        factors = scales(scale, values.ndim)
        q = quantize(values.astype(np.float64), factors, grid)
        return dequantize(q, factors).astype(half)

    x, w = through(data.input, given.quantize.input), through(data.kernel, given.quantize.kernel)
    y = convolution(x.astype(np.float64), w.astype(np.float64), None, given.attributes).astype(np.float32).astype(half)
    return y if given.quantize.output is None else through(y, given.quantize.output)


@pytest.mark.parametrize("output", [None, 0.03125, 0.0234375])
@pytest.mark.parametrize("precision", ["int8", "fp8"])
@pytest.mark.parametrize("between", HALF)
def test_fused_and_unfused_layers_are_within_the_bound(between, precision, output):
    given = case(between, precision, output=output)
    result = reference(given)
    allowed = bound(given, result)
    fused = NumpyTarget().build(given).run({"input": case_data(given).input})["output"]
    for actual in (unfused(given), fused):
        assert actual.dtype == HALF[between]
        assert compare(actual, result.output, allowed).passed


@pytest.mark.parametrize("between", HALF)
def test_the_bound_is_that_of_the_half_type(between):
    given = case(between, scale=0.0078125)  # a power of two: no operand is rounded
    result = reference(given)
    allowed = bound(given, result)
    assert (allowed <= 1.01 * UNIT[between] * np.abs(result.output) + 1e-6).all()
    assert arithmetic_of(given).write == UNIT[between]
    assert arithmetic_of(given).read_bits == {"float16": 11, "bfloat16": 8}[between]
    assert arithmetic_of(given, "int32").read == 0  # a fused layer reads integers
    plain = given.model_copy(update={"quantize": given.quantize.model_copy(update={"between": None})})
    assert arithmetic_of(plain) == replace(arithmetic_of(plain), write=0.0)


def test_a_quantized_output_of_an_exact_sum_is_exact():
    given = make_case(
        input={"shape": [1, 1, 4, 4], "fill": "exact_integers", "seed": 1},
        kernel={"shape": [2, 1, 1, 1], "values": [1.0, 2.0]},
        quantize={"input": 1.0, "kernel": [1.0], "output": 0.5, "between": "float16"},
        precision="int8",
        weights="set_input",
    )
    assert not bound(given, reference(given)).any()


@pytest.mark.parametrize("name", [m.name for m in MUTANTS if m.name.startswith("between_")])
def test_a_wrong_rounding_fails(name):
    mutant = next(mutant for mutant in MUTANTS if mutant.name == name)
    given = case("bfloat16" if "_bfloat16_" in name else "float16", scale=0.0078125)
    assert mutant.applies(given)
    golden = lambda c, index: reference(c)  # noqa: E731
    assert check_forward(Subject(given, Engines(NumpyTarget()), golden)).status == "pass"
    assert check_forward(Subject(given, Engines(MutantTarget(mutant)), golden)).status == "fail"
