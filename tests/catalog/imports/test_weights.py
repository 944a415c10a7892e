"""With the model's weights, an imported case computes what ONNX Runtime computes with the model itself."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from tests.support.onnx_models import kernel, node, save_model
from trt_conformance.catalog.catalog import load_catalog
from trt_conformance.catalog.imports.case_files import Choices, case_file
from trt_conformance.catalog.imports.folder import write_all
from trt_conformance.catalog.imports.onnx_file import read_model
from trt_conformance.catalog.imports.onnx_layers import read_layers
from trt_conformance.catalog.source import CaseFileError
from trt_conformance.core import stored
from trt_conformance.core.case_folder import CaseFolder
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.tensors import case_data
from trt_conformance.numerics.reference.epilogue import apply
from trt_conformance.numerics.reference.result import reference

onnxruntime = pytest.importorskip("onnxruntime")


def imported(path, folder, **choices):
    file = case_file(read_layers(read_model(path, {}), with_weights=True), "net", Choices(**choices))
    assert file.left_out == []
    write_all(folder, file.files)
    return load_catalog(CaseFolder.at(folder)).cases


def run(path, x):
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]


def conv(tmp_path, shape, weights, *after, **attributes):
    inputs = ["x", "w", "b"] if "b" in weights else ["x", "w"]
    nodes = [node("Conv", inputs, "y", **attributes), *after]
    output = after[-1].output[0] if after else "y"
    return save_model(tmp_path / "m.onnx", nodes, {"x": shape}, weights, output)


FLOATS = {
    "attributes": (
        (2, 4, 9, 8),
        {"w": kernel(6, 2, 3, 2) / 50, "b": kernel(6, seed=1) / 50},
        (),
        {"group": 2, "strides": [2, 1], "pads": [1, 0, 2, 1], "dilations": [1, 2]},
    ),
    "same upper": ((1, 3, 8, 9), {"w": kernel(5, 3, 4, 4)}, (), {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    "same lower": ((1, 3, 8, 9), {"w": kernel(5, 3, 4, 4)}, (), {"auto_pad": "SAME_LOWER", "strides": [2, 2]}),
    "one axis": ((2, 3, 20), {"w": kernel(5, 3, 4)}, (), {"strides": [3], "pads": [2, 1], "dilations": [2]}),
    "three axes": ((1, 2, 5, 6, 7), {"w": kernel(4, 2, 3, 2, 1)}, (), {"pads": [1, 0, 0, 0, 1, 0]}),
    "relu": ((1, 3, 8, 9), {"w": kernel(5, 3, 3, 3)}, (node("Relu", ["y"], "z"),), {}),
    "clip": (
        (1, 3, 8, 9),
        {"w": kernel(5, 3, 3, 3), "lo": np.float32(-20), "hi": np.float32(30)},
        (node("Clip", ["y", "lo", "hi"], "z"),),
        {},
    ),
    "silu": (
        (1, 3, 8, 9),
        {"w": kernel(5, 3, 3, 3) / 100},
        (node("Sigmoid", ["y"], "s"), node("Mul", ["y", "s"], "z")),
        {},
    ),
    "hard swish": (
        (1, 3, 8, 9),
        {"w": kernel(5, 3, 3, 3) / 100},
        (node("HardSigmoid", ["y"], "s", alpha=1 / 6), node("Mul", ["y", "s"], "z")),
        {},
    ),
    "leaky": ((1, 3, 8, 9), {"w": kernel(5, 3, 3, 3)}, (node("LeakyRelu", ["y"], "z", alpha=0.25),), {}),
    "add": ((1, 3, 8, 9), {"w": kernel(3, 3, 3, 3)}, (node("Add", ["y", "x"], "z"),), {"pads": [1, 1, 1, 1]}),
    "concat": ((1, 3, 8, 9), {"w": kernel(5, 3, 1, 1)}, (node("Concat", ["y", "x"], "z", axis=1),), {}),
}


@pytest.mark.parametrize("name", FLOATS)
def test_a_case_computes_what_the_model_computes(tmp_path, name):
    shape, weights, after, attributes = FLOATS[name]
    weights = {key: np.asarray(value, dtype=np.float32) for key, value in weights.items()}
    path = conv(tmp_path, shape, weights, *after, **attributes)
    (case,) = imported(path, tmp_path / "mine")
    x = case_data(case).input
    expected = run(path, x.reshape(shape))
    found = apply(case, reference(case).output, x.astype(np.float64))
    assert found.size == expected.size
    np.testing.assert_allclose(found.reshape(expected.shape), expected, rtol=1e-4, atol=1e-3)


INTEGERS = {
    "w": kernel(6, 4, 3, 3, dtype=np.int8),
    "sx": np.float32(0.1),
    "sw": np.linspace(0.01, 0.05, 6, dtype=np.float32),
    "sy": np.float32(0.4),
    "zero": np.int8(0),
    "zeros": np.zeros(6, np.int8),
    "b": kernel(6, dtype=np.int32, seed=1),
}


def test_quantized_convolutions_multiply_the_integers_of_the_model(tmp_path):
    nodes = [node("QLinearConv", ["x", "sx", "zero", "w", "sw", "zeros", "sy", "zero", "b"], "y")]
    path = save_model(tmp_path / "q.onnx", nodes, {"x": [1, 4, 9, 8]}, INTEGERS, "y", element=TensorProto.INT8)
    (case,) = imported(path, tmp_path / "mine")
    assert case.quantize is not None
    assert case.quantize.output is not None
    x = np.rint(case_data(case).input.astype(np.float64) / case.quantize.input).astype(np.int8)
    steps = np.rint(reference(case).output / case.quantize.output) - run(path, x)
    # Runtimes round a tie, or a sum next to one, to either side.
    assert abs(steps).max() <= 1
    assert (steps != 0).mean() < 0.02


def test_convolutions_between_q_and_dq_have_the_scales_of_the_model(tmp_path):
    nodes = [
        node("DequantizeLinear", ["x", "sx", "zero"], "xf"),
        node("DequantizeLinear", ["w", "sw", "zeros"], "wf", axis=0),
        node("Conv", ["xf", "wf", "bf"], "c"),
        node("QuantizeLinear", ["c", "sy", "zero"], "y"),
    ]
    weights = INTEGERS | {"bf": np.asarray(kernel(6, seed=1) / 100, np.float32)}
    path = save_model(tmp_path / "q.onnx", nodes, {"x": [1, 4, 9, 8]}, weights, "y", element=TensorProto.INT8)
    (case,) = imported(path, tmp_path / "mine")
    assert case.quantize is not None
    assert case.quantize.output is not None
    assert case.quantize.kernel == pytest.approx(INTEGERS["sw"].tolist())
    x = np.rint(case_data(case).input.astype(np.float64) / case.quantize.input).astype(np.int8)
    steps = np.rint(reference(case).output / case.quantize.output) - run(path, x)
    assert abs(steps).max() <= 1
    assert (steps != 0).mean() < 0.02


def test_equal_shapes_with_other_weights_are_other_cases(tmp_path):
    nodes = [node("Conv", ["x", "w"], "a"), node("Conv", ["x", "v"], "b"), node("Conv", ["x", "w"], "y")]
    weights = {"w": kernel(4, 4, 3, 3), "v": kernel(4, 4, 3, 3, seed=1)}
    path = save_model(tmp_path / "m.onnx", nodes, {"x": [1, 4, 9, 8]}, weights, "y")
    cases = imported(path, tmp_path / "mine")
    assert {case.name: case.occurrences for case in cases} == {"a": 2, "b": 1}
    # generated weights are those of one shape
    assert case_file(read_layers(read_model(path, {})), "net", Choices()).cases == 1


def test_half_precision_weights_are_kept_as_they_are(tmp_path):
    weights = {"w": kernel(4, 4, 3, 3, dtype=np.float16)}
    path = save_model(
        tmp_path / "m.onnx", [node("Conv", "xw", "y")], {"x": [1, 4, 9, 9]}, weights, "y", element=TensorProto.FLOAT16
    )
    (case,) = imported(path, tmp_path / "mine")
    assert case.precision == "fp16"
    assert np.load(tmp_path / "mine" / "net.weights" / "y.kernel.npy").dtype == np.float16


def test_weights_that_the_model_computes_of_constants_are_computed(tmp_path):
    nodes = [node("Transpose", ["w"], "t", perm=[1, 0, 2, 3]), node("Mul", ["t", "two"], "v"), node("Conv", "xv", "y")]
    weights = {"w": kernel(4, 6, 3, 3), "two": np.float32(2)}
    path = save_model(tmp_path / "m.onnx", nodes, {"x": [1, 4, 9, 8]}, weights, "y")
    (case,) = imported(path, tmp_path / "mine")
    assert (case_data(case).kernel == 2 * weights["w"].transpose(1, 0, 2, 3)).all()


def external(tmp_path, location="weights.bin"):
    path = conv(tmp_path, (1, 4, 9, 8), {"w": kernel(64, 4, 3, 3)})
    model = onnx.load(path)
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    if location != "weights.bin":
        model = onnx.load(path, load_external_data=False)
        model.graph.initializer[0].external_data[0].value = location
        path.write_bytes(model.SerializeToString())
    return path


def test_weights_in_a_file_beside_the_model_are_read(tmp_path):
    (case,) = imported(external(tmp_path), tmp_path / "mine")
    assert (case_data(case).kernel == kernel(64, 4, 3, 3)).all()


def test_a_missing_file_of_weights_is_named(tmp_path):
    path = external(tmp_path)
    (tmp_path / "weights.bin").unlink()
    message = r'm\.onnx: node "y": the weights "w" are in the file "weights\.bin", which is missing'
    with pytest.raises(ConformanceError, match=message):
        imported(path, tmp_path / "mine")
    assert not (tmp_path / "mine").exists()


def test_a_file_of_weights_that_is_too_short_is_named(tmp_path):
    path = external(tmp_path)
    (tmp_path / "weights.bin").write_bytes(b"short")
    with pytest.raises(ConformanceError, match=r'node "y": the weights "w" cannot be read'):
        imported(path, tmp_path / "mine")


@pytest.mark.parametrize("location", ["../secret", "/etc/passwd", "a/../../secret"])
def test_a_file_of_weights_elsewhere_is_refused(tmp_path, location):
    (tmp_path.parent / "secret").write_bytes(bytes(64 * 4 * 9 * 4))
    with pytest.raises(ConformanceError, match="which is not below the model's folder"):
        imported(external(tmp_path, location), tmp_path / "mine")


def test_lint_finds_a_changed_file(tmp_path):
    mine = tmp_path / "mine"
    imported(conv(tmp_path, (1, 4, 9, 8), {"w": kernel(6, 4, 3, 3)}), mine)
    (mine / "net.weights" / "y.kernel.npy").write_bytes(b"changed")
    stored._read.cache_clear()  # another process has read nothing
    with pytest.raises(CaseFileError, match=r"net\.toml:\d+: kernel\.stored: net\.weights/y\.kernel\.npy: is not the"):
        load_catalog(CaseFolder.at(mine))


def test_weights_beyond_the_precision_are_left_out(tmp_path):
    path = conv(tmp_path, (1, 4, 9, 8), {"w": kernel(6, 4, 3, 3) * np.float32(1e4)})
    file = case_file(read_layers(read_model(path, {}), with_weights=True), "net", Choices(precisions=("fp16",)))
    assert "is beyond the range of float16" in file.left_out[0].reason


def test_a_case_does_not_depend_on_where_its_weights_lie(tmp_path):
    path = conv(tmp_path, (1, 4, 9, 8), {"w": kernel(6, 4, 3, 3)})
    (one,), (two,) = imported(path, tmp_path / "one"), imported(path, tmp_path / "two")
    assert one.data_hash() == two.data_hash()
    assert str(tmp_path) not in one.kernel.model_dump_json()


def test_a_case_cannot_name_the_folder(tmp_path):
    mine = tmp_path / "mine"
    imported(conv(tmp_path, (1, 4, 9, 8), {"w": kernel(6, 4, 3, 3)}), mine)
    text = (mine / "net.toml").read_text()
    (mine / "net.toml").write_text(text.replace("kernel.stored = {", 'kernel.stored = { folder = "/",'))
    with pytest.raises(CaseFileError, match=r"unknown key kernel\.stored\.folder"):
        load_catalog(CaseFolder.at(mine))


def test_scales_fit_the_weights_of_a_model(tmp_path):
    weights = {"w": kernel(3, 4, 3, 3) * np.asarray([1e-3, 1, 50], np.float32).reshape(3, 1, 1, 1), "b": kernel(3)}
    weights["w"][1] = 0
    path = conv(tmp_path, (1, 4, 9, 8), {name: value.astype(np.float32) for name, value in weights.items()})
    (case,) = imported(path, tmp_path / "mine", precisions=("int8",))
    quantize = case.quantize
    assert quantize is not None
    assert quantize.output is not None
    largest = np.abs(weights["w"]).max(axis=(1, 2, 3))
    assert quantize.kernel == pytest.approx([largest[0] / 127, 1 / 127, largest[2] / 127])
    # no output is cut off, and the widest map uses a good part of the range
    assert 0.2 < np.abs(reference(case).real).max() / (127 * quantize.output) < 1
