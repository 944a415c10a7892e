"""What stands before the layer: the values and the shape that the layer reads, and what is joined behind it."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from tests.support.helpers import brute_force, make_case
from trt_conformance.checks.forward import check_forward
from trt_conformance.checks.other_input import other_input, with_input
from trt_conformance.checks.second_input import check_inputs
from trt_conformance.checks.subject import Subject
from trt_conformance.core.tensors import case_data, feeds_of
from trt_conformance.numerics.exactness import inexact
from trt_conformance.numerics.reference.result import exact, reference
from trt_conformance.numerics.reference.shape import layer_output
from trt_conformance.targets.engines import Engines
from trt_conformance.targets.io_quantization import quantized
from trt_conformance.targets.numpy import NumpyTarget

PAD = {"op": "pad", "pre_padding": [1, 2], "post_padding": [0, 3]}
SLICE = {"op": "slice", "start": [0, 1, 1, 0], "shape": [2, 2, 3, 3], "stride": [1, 1, 2, 3]}
STEPS = {
    "relu": [{"op": "relu"}],
    "pad": [PAD],
    "slice": [SLICE],
    "max_pool": [{"op": "max_pool", "window": [2, 3]}],
    "concat": [{"op": "concat"}],
    "slice_pad_relu": [SLICE, PAD, {"op": "relu"}],
}
CHANNELS = {"slice": 2, "slice_pad_relu": 2, "concat": 5}


def case(name, **fields):
    window = [1, 1] if name in ("slice", "max_pool") else [3, 3]
    addend = {"addend": {"shape": [2, 2, 6, 7], "fill": "exact_integers", "seed": 3}} if name == "concat" else {}
    return make_case(
        input={"shape": [2, 3, 6, 7], "fill": "exact_integers", "seed": 1},
        kernel={"shape": [4, CHANNELS.get(name, 3), *window], "fill": "exact_integers", "seed": 2},
        prologue=STEPS[name],
        **addend,
        **fields,
    )


def plainly(steps, x, addend):
    """The same, element by element."""
    for step in steps:
        images, channels, height, width = x.shape
        match step["op"]:
            case "relu":
                x = np.asarray([max(float(v), 0.0) for v in x.flat]).reshape(x.shape)
            case "pad":
                (top, left), (bottom, right) = step["pre_padding"], step["post_padding"]
                out = np.zeros((images, channels, height + top + bottom, width + left + right))
                for at in np.ndindex(*x.shape):
                    out[at[0], at[1], at[2] + top, at[3] + left] = x[at]
                x = out
            case "slice":
                out = np.empty(step["shape"])
                for at in np.ndindex(*out.shape):
                    out[at] = x[tuple(a + i * s for a, i, s in zip(step["start"], at, step["stride"], strict=True))]
                x = out
            case "max_pool":
                rows, columns = step["window"]
                out = np.empty((images, channels, height // rows, width // columns))
                for n, c, i, j in np.ndindex(*out.shape):
                    window = product(range(i * rows, (i + 1) * rows), range(j * columns, (j + 1) * columns))
                    out[n, c, i, j] = max(x[n, c, h, w] for h, w in window)
                x = out
            case "concat":
                out = np.empty((images, channels + addend.shape[1], height, width))
                for n, c, h, w in np.ndindex(*out.shape):
                    out[n, c, h, w] = x[n, c, h, w] if c < channels else addend[n, c - channels, h, w]
                x = out
    return x


@pytest.mark.parametrize("name", STEPS)
def test_the_layer_reads_what_the_operations_make_of_the_networks_input(name):
    given = case(name)
    feeds, data = feeds_of(given), case_data(given)
    read = plainly(STEPS[name], feeds["input"], feeds.get("addend"))
    assert np.array_equal(data.input, read)
    assert data.input.shape == given.layer_shape(given.input.shape) == read.shape
    assert data.input.dtype == feeds["input"].dtype
    expected = brute_force(read, data.kernel, data.bias, given.attributes)
    result = reference(given)
    assert np.array_equal(result.output, expected)
    assert result.output.shape == layer_output(given, given.input.shape)
    assert np.array_equal(exact(given).astype(np.float64), expected)


@pytest.mark.parametrize("name", STEPS)
def test_a_second_input_passes_through_the_operations_too(name):
    given = case(name, exact=True)
    second = other_input(given, given.input.shape)
    assert second.shape == given.input.shape
    assert np.array_equal(feeds_of(with_input(given, second))["input"], second)
    subject = Subject(given, Engines(NumpyTarget()), lambda c, index: reference(c))
    assert check_inputs(subject).status == "pass"
    assert inexact(given) is None


def test_what_is_added_behind_the_layer_is_the_networks_input_before_the_operations():
    given = case("relu", set={"padding_nd": [1, 1]}, epilogue=[{"op": "add"}])
    given = given.model_copy(update={"kernel": given.kernel.model_copy(update={"shape": (3, 3, 3, 3)})})
    golden = lambda c, index: reference(c)  # noqa: E731

    class AddsTheRectified(NumpyTarget):
        """Adds what the layer read."""

        name = "adds-the-rectified"

        def build(self, case):
            engine = super().build(case)
            run = engine.run
            engine.run = lambda feeds: {"output": run(feeds)["output"] - np.minimum(feeds["input"], 0)}
            return engine

    right = check_forward(Subject(given, Engines(NumpyTarget()), golden))
    wrong = check_forward(Subject(given, Engines(AddsTheRectified()), golden))
    assert (right.status, wrong.status) == ("pass", "fail")


def test_the_golden_of_a_layer_depends_on_the_operations_before_it():
    assert case("relu").data_hash() != case("pad").data_hash()
    plain = make_case()
    assert plain.data_hash() == plain.model_copy(update={"epilogue": case("relu").epilogue}).data_hash()


@pytest.mark.parametrize("fill", ["uint8_full_range", "ones"])
def test_a_network_that_reads_uint8_is_fed_uint8(fill):
    given = make_case(
        input={"shape": [1, 1, 6, 9], "fill": fill, "seed": 1}, precision="fp16", prologue=[{"op": "cast"}]
    )
    x = feeds_of(given)["input"]
    assert x.dtype == case_data(given).input.dtype == np.float16
    read = quantized(given, x)
    assert given.input_type == "uint8"
    assert read.dtype == np.uint8
    assert np.array_equal(read.astype(np.float16), x)
