"""Where the caller quantizes, networks read and write the quantized type, and results stay what they were."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.helpers import make_case
from trt_conformance.core.tensors import INPUT, NUMPY_TYPE, OUTPUT, case_data
from trt_conformance.targets.io_quantization import dequantized, quantized

SCALES = {"input": 0.5, "kernel": [1.0]}


def case_of(precision, **scales):
    return make_case(
        precision=precision,
        weights="set_input",
        input={"shape": [1, 4, 5, 6], "fill": "exact_integers"},
        kernel={"shape": [4, 4, 3, 3], "fill": "exact_integers"},
        quantize=SCALES | scales,
    )


def test_int8_rounds_half_to_even_and_saturates():
    case = case_of("int8", io_quantization=True)
    q = quantized(case, np.asarray([0.25, 0.75, -0.25, 1.0, 63.5, 64.0, -1000.0], np.float32))
    assert q.dtype == np.int8
    assert q.tolist() == [0, 2, 0, 2, 127, 127, -128]


def test_fp8_rounds_to_its_own_values():
    case = case_of("fp8", io_quantization=True)
    q = quantized(case, np.asarray([0.5, 8.5, 9.5, 1000.0], np.float32))
    assert q.dtype == NUMPY_TYPE["float8"]
    assert q.astype(np.float32).tolist() == [1, 16, 20, 448]


def test_an_output_is_its_integers_times_the_scale():
    case = case_of("int8", io_quantization=True, output=0.25)
    y = dequantized(case, np.asarray([-128, 0, 3], np.int8))
    assert y.dtype == np.float32
    assert y.tolist() == [-32, 0, 0.75]


def test_elsewhere_tensors_stay_as_they_are():
    x = np.ones(3, np.float32)
    assert quantized(case_of("int8"), x) is x
    assert dequantized(case_of("int8", output=1.0), x) is x
    assert dequantized(case_of("int8", io_quantization=True), x) is x


def test_a_reference_output_is_the_same_whoever_quantizes():
    assert case_of("int8", output=2.0).data_hash() == case_of("int8", output=2.0, io_quantization=True).data_hash()


@pytest.mark.parametrize("output", [None, 2.0])
@pytest.mark.parametrize("precision", ["int8", "fp8"])
def test_networks_read_and_write_the_quantized_type(precision, output):
    trt = pytest.importorskip("tensorrt_rtx")
    from trt_conformance.targets.tensorrt.api import Api
    from trt_conformance.targets.tensorrt.network import define

    narrow = trt.int8 if precision == "int8" else trt.fp8
    for io_quantization in (False, True):
        network = define(
            Api("tensorrt_rtx", has_gpu=False), case_of(precision, output=output, io_quantization=io_quantization)
        ).network
        assert network.get_input(0).dtype == (narrow if io_quantization else trt.float32)
        assert network.get_output(0).dtype == (narrow if io_quantization and output else trt.float32)
        kinds = [network.get_layer(i).type for i in range(network.num_layers)]
        assert kinds.count(trt.LayerType.QUANTIZE) == 1 + (not io_quantization) + bool(output)
        assert kinds.count(trt.LayerType.DEQUANTIZE) == 2 + (bool(output) and not io_quantization)


@pytest.mark.parametrize("output", [None, 2.0])
def test_onnx_models_read_and_write_int8_with_the_same_result(output):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from trt_conformance.targets.onnxruntime import OnnxRuntimeTarget, onnx_model

    results = []
    for io_quantization in (False, True):
        case = case_of("int8", output=output, io_quantization=io_quantization)
        graph = onnx.load_from_string(onnx_model(case)).graph
        held = [tensor.type.tensor_type.elem_type for tensor in (*graph.input, *graph.output)]
        int8, real = onnx.TensorProto.INT8, onnx.TensorProto.FLOAT
        assert held == [int8 if io_quantization else real, int8 if io_quantization and output else real]
        engine = OnnxRuntimeTarget().build(case)
        results.append(engine.run({INPUT: case_data(case).input})[OUTPUT])
    assert results[0].dtype == results[1].dtype == np.float32
    assert results[0].tobytes() == results[1].tobytes()
    assert np.unique(results[0]).size > 5


def test_onnx_runtime_leaves_fp8_arrays_alone():
    pytest.importorskip("onnxruntime")
    from trt_conformance.targets.onnxruntime import OnnxRuntimeTarget

    assert OnnxRuntimeTarget().supports(case_of("fp8")) is None
    assert "do not support FP8 arrays" in OnnxRuntimeTarget().supports(case_of("fp8", io_quantization=True))
