"""Convolutions of ONNX models become layers, with shapes that inference finds, and bad models are refused."""

import hashlib
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.support.onnx_models import kernel, node, save_model
from trt_conformance.catalog.imports.case_files import Choices, case_file
from trt_conformance.catalog.imports.onnx_file import read_model
from trt_conformance.catalog.imports.onnx_layers import read_layers
from trt_conformance.core.errors import ConformanceError


def listing(path, **shapes):
    return read_layers(read_model(path, shapes))


def only(path, **shapes):
    found = listing(path, **shapes)
    assert found.left_out == []
    (layer,) = found.layers
    return layer


def one_conv(tmp_path, *after, shape=(1, 4, 9, 8), weights=None, output="y", **attributes):
    nodes = [node("Conv", ["x", "w", "b"], "y", "the conv", **attributes), *after]
    given = {"w": kernel(6, 4, 3, 3), "b": kernel(6), **(weights or {})}
    return save_model(tmp_path / "model.onnx", nodes, {"x": shape}, given, output)


def test_attributes_are_read(tmp_path):
    path = one_conv(
        tmp_path, weights={"w": kernel(6, 2, 3, 2)}, group=2, strides=[2, 1], pads=[1, 0, 2, 1], dilations=[1, 2]
    )
    layer = only(path)
    assert (layer.name, layer.where, layer.text) == ("the conv", 'node "the conv"', "Conv")
    assert (layer.input, layer.kernel, layer.groups) == ((1, 4, 9, 8), (6, 2, 3, 2), 2)
    assert (layer.stride, layer.pre, layer.post, layer.dilation) == ((2, 1), (1, 0), (2, 1), (1, 2))
    assert (layer.has_bias, layer.precision, layer.output) == (True, "fp32", (5, 7))


@pytest.mark.parametrize(("mode", "expected"), [("SAME_UPPER", (5, 4)), ("SAME_LOWER", (5, 4)), ("VALID", (4, 3))])
def test_automatic_padding_is_a_padding_mode(tmp_path, mode, expected):
    layer = only(one_conv(tmp_path, auto_pad=mode, strides=[2, 2]))
    assert layer.output == expected
    assert layer.padding_mode == (mode if mode != "VALID" else "EXPLICIT_ROUND_DOWN")
    assert case_file(listing(tmp_path / "model.onnx"), "m", Choices()).imported == 1


def test_one_and_three_axes(tmp_path):
    one = save_model(tmp_path / "a.onnx", [node("Conv", "xw", "y")], {"x": [2, 3, 9]}, {"w": kernel(4, 3, 3)}, "y")
    assert (only(one).input, only(one).has_bias) == ((2, 3, 9), False)
    weights = {"w": kernel(4, 3, 3, 1, 2)}
    three = save_model(tmp_path / "b.onnx", [node("Conv", "xw", "y")], {"x": [2, 3, 9, 8, 7]}, weights, "y")
    assert only(three).output == (7, 8, 6)


@pytest.mark.parametrize(
    ("after", "weights", "expected"),
    [
        ([node("Relu", ["y"], "z")], {}, ["relu"]),
        ([node("Clip", ["y", "lo", "hi"], "z")], {"lo": np.float32(0), "hi": np.float32(6)}, ["clip"]),
        ([node("Relu", ["y"], "a"), node("Clip", ["a", "lo", "hi"], "z")], {"lo": np.float32(1), "hi": np.float32(6)},
         ["relu", "clip"]),
        ([node("Clip", ["y", "", "hi"], "z")], {"hi": np.float32(6)}, []),
        ([node("Sigmoid", ["y"], "z")], {}, ["sigmoid"]),
        ([node("Tanh", ["y"], "z")], {}, ["tanh"]),
        ([node("LeakyRelu", ["y"], "z", alpha=0.125)], {}, ["leaky_relu"]),
        ([node("LeakyRelu", ["y"], "z", alpha=2.0)], {}, ["leaky_relu"]),
        ([node("LeakyRelu", ["y"], "z", alpha=1.0)], {}, []),
        ([node("HardSwish", ["y"], "z")], {}, ["hard_swish"]),
        ([node("Sigmoid", ["y"], "s"), node("Mul", ["s", "y"], "z")], {}, ["silu"]),
        ([node("HardSigmoid", ["y"], "s", alpha=1 / 6), node("Mul", ["y", "s"], "z")], {}, ["hard_swish"]),
        ([node("HardSigmoid", ["y"], "s"), node("Mul", ["y", "s"], "z")], {}, []),
        # the gate is read by another node, too
        ([node("Sigmoid", ["y"], "s"), node("Mul", ["s", "y"], "m"), node("Add", ["m", "s"], "z")], {}, []),
        ([node("Softplus", ["y"], "z")], {}, []),
        # two nodes read the output, so that it must be written without the activation
        ([node("Relu", ["y"], "a"), node("Add", ["a", "y"], "z")], {}, []),
    ],
)  # fmt: skip
def test_what_follows_is_an_epilogue_where_a_case_knows_it(tmp_path, after, weights, expected):
    layer = only(one_conv(tmp_path, *after, weights=weights, output="z"))
    assert [step.op for step in layer.epilogue] == expected


def test_an_epilogue_ends_before_constants_that_a_precision_does_not_have(tmp_path):
    after = node("Relu", ["y"], "a"), node("LeakyRelu", ["a"], "z", alpha=0.01)
    listed = listing(one_conv(tmp_path, *after, output="z"))
    assert 'op = "leaky_relu"' in case_file(listed, "m", Choices()).text
    text = case_file(listed, "m", Choices(precisions=("fp32", "fp16"))).text
    assert 'epilogue = [{ op = "relu" }]' in text
    assert "(ends before leaky_relu: float16 cannot represent its constants)" in text


def test_the_input_is_added_or_concatenated(tmp_path):
    weights = {"w": kernel(4, 4, 3, 3), "b": kernel(4)}
    add = one_conv(tmp_path, node("Add", ["x", "y"], "z"), weights=weights, output="z", pads=[1, 1, 1, 1])
    assert [step.op for step in only(add).epilogue] == ["add"]
    concat = one_conv(tmp_path, node("Concat", ["y", "x"], "z", axis=1), weights=weights, output="z", pads=[1, 1, 1, 1])
    assert [step.op for step in only(concat).epilogue] == ["concat"]
    other = one_conv(tmp_path, node("Concat", ["x", "y"], "z", axis=1), weights=weights, output="z", pads=[1] * 4)
    assert only(other).epilogue == ()


def test_half_precision_is_that_of_the_model(tmp_path):
    weights = {"w": kernel(4, 4, 3, 3, dtype=np.float16)}
    path = save_model(
        tmp_path / "m.onnx", [node("Conv", "xw", "y")], {"x": [1, 4, 9, 9]}, weights, "y", element=TensorProto.FLOAT16
    )
    assert only(path).precision == "fp16"


QUANTIZED = {
    "w": kernel(6, 4, 3, 3, dtype=np.int8),
    "sx": np.float32(0.1),
    "sw": np.full(6, 0.2, np.float32),
    "sy": np.float32(0.3),
    "zero": np.int8(0),
    "zeros": np.zeros(6, np.int8),
}


def quantized(tmp_path, nodes, **changed):
    return save_model(
        tmp_path / "q.onnx", nodes, {"x": [1, 4, 9, 8]}, QUANTIZED | changed, "y", element=TensorProto.INT8
    )


QLINEAR = [node("QLinearConv", ["x", "sx", "zero", "w", "sw", "zeros", "sy", "zero"], "y")]
Q_DQ = [
    node("DequantizeLinear", ["x", "sx", "zero"], "xf"),
    node("DequantizeLinear", ["w", "sw", "zeros"], "wf", axis=0),
    node("Conv", ["xf", "wf"], "c"),
    node("QuantizeLinear", ["c", "sy", "zero"], "y"),
]


@pytest.mark.parametrize(("nodes", "io_quantization"), [(QLINEAR, True), (Q_DQ, False)])
def test_quantized_convolutions_are_int8(tmp_path, nodes, io_quantization):
    layer = only(quantized(tmp_path, nodes))
    assert (layer.precision, layer.input, layer.kernel) == ("int8", (1, 4, 9, 8), (6, 4, 3, 3))
    assert layer.quantize is not None
    assert (len(layer.quantize.kernel), layer.quantize.io_quantization) == (6, io_quantization)
    assert layer.quantize.output is not None
    assert case_file(listing(tmp_path / "q.onnx"), "q", Choices()).imported == 1


def test_convolution_of_integers_is_int8_without_a_quantized_output(tmp_path):
    layer = only(quantized(tmp_path, [node("ConvInteger", ["x", "w"], "y")]))
    assert layer.precision == "int8"
    assert layer.quantize is not None
    assert layer.quantize.output is None


@pytest.mark.parametrize(
    ("nodes", "changed", "reason"),
    [
        (QLINEAR, {"zero": np.int8(3)}, "the zero point of its input is 3"),
        (Q_DQ, {"zeros": np.full(6, 1, np.int8)}, "the zero point of its kernel is 1"),
        (QLINEAR, {"sw": np.full(4, 0.1, np.float32)}, "its kernel has 4 scales, expected 1 or 6"),
        ([node("Identity", ["zero"], "z"), node("ConvInteger", ["x", "w", "zz"], "y"), node("Relu", ["x"], "zz")], {},
         "the zero point of its input is computed by the model"),
        (QLINEAR, {"zero": np.uint8(0)}, "its input is uint8"),
    ],
)  # fmt: skip
def test_quantization_that_tensorrt_does_not_have_is_left_out(tmp_path, nodes, changed, reason):
    found = listing(quantized(tmp_path, nodes, **changed))
    assert [reason in each.reason for each in found.left_out] == [True], found.left_out


@pytest.mark.parametrize(
    ("nodes", "reason"),
    [
        ([node("ConvTranspose", ["x", "w"], "y")], "a transposed convolution"),
        ([node("FusedConv", ["x", "w"], "y", domain="com.microsoft")], "domain com.microsoft"),
        ([node("Relu", ["x"], "v"), node("Conv", ["x", "v"], "y")], "its kernel is computed by the model"),
        ([node("Conv", ["x", "w"], "y", pads=[-1, 0, 0, 0])], "its padding is negative"),
        ([node("Conv", ["x", "w"], "y", strides=[1, 1, 1])], "its attribute strides has 3 values, expected 2"),
        ([node("Conv", ["x", "w"], "y", kernel_shape=[5, 5])], "its attribute kernel_shape is [5, 5]"),
        ([node("Conv", ["x", "w"], "y", activation="Relu")], "Conv has no attribute activation"),
        ([node("NonZero", ["x"], "n"), node("Reshape", ["x", "n"], "r"), node("Conv", ["r", "w"], "y")],
         "the shape of its input is not known"),
    ],
)  # fmt: skip
def test_what_no_case_can_state_is_left_out(tmp_path, nodes, reason):
    weights = {"w": kernel(4, 4, 3, 3)}
    path = save_model(tmp_path / "m.onnx", nodes, {"x": [4, 4, 3, 3]}, weights, "y", domains=["com.microsoft"])
    (left,) = listing(path).left_out
    assert reason in left.reason


def test_the_top_of_the_file_says_which_model_it_is(tmp_path):
    path = one_conv(tmp_path, shape=("N", 4, 9, "W\n"))
    model = onnx.load(path)
    model.producer_name, model.producer_version = "an exporter\n[[case]]", "2.4"
    onnx.save(model, path)
    (opset,) = (entry.version for entry in model.opset_import if not entry.domain)
    text = case_file(listing(path, x=(2, 4, 9, 8)), "m", Choices()).text
    assert text.splitlines()[1:5] == [
        f"# ONNX model {path.name}:",
        f"#   opset {opset}, written by an exporter\\n[[case]] 2.4",
        f"#   SHA-256 {hashlib.sha256(path.read_bytes()).hexdigest()}",
        "#   input x: [2, 4, 9, 8], in the model [N, 4, 9, W\\n]",
    ]


def test_a_model_of_many_inputs_names_the_first(tmp_path):
    inputs = {"x": (1, 4, 9, 8)} | {f"other{n}": (1,) for n in range(9)}
    path = save_model(tmp_path / "m.onnx", [node("Conv", ["x", "w"], "y")], inputs, {"w": kernel(4, 4, 3, 3)}, "y")
    about = listing(path).about
    assert about[0].endswith("written by an unnamed program")
    assert about[2:] == ("input x: [1, 4, 9, 8]", *(f"input other{n}: [1]" for n in range(7)), "and 2 more inputs")


def test_shapes_that_the_model_computes_are_found(tmp_path):
    nodes = [
        node("Shape", ["x"], "s"),
        node("Gather", ["s", "last"], "width"),
        node("Mod", ["width", "five"], "more"),
        node("Concat", ["none", "more"], "pads", axis=0),
        node("Pad", ["x", "pads"], "p", mode="reflect"),
        node("Conv", ["p", "w"], "y"),
    ]
    weights = {
        "last": np.asarray([3]),
        "five": np.asarray([5]),
        "none": np.zeros(7, np.int64),
        "w": kernel(2, 4, 3, 3),
    }
    path = save_model(tmp_path / "m.onnx", nodes, {"x": ["batch", 4, 9, "wide"]}, weights, "y")
    assert only(path, x=(1, 4, 9, 8)).input == (1, 4, 9, 11)


def branches(condition_is_constant):
    def graph(name, shape):
        weight = numpy_helper.from_array(kernel(*shape), f"w_{name}")
        made = [node("Conv", ["x", f"w_{name}"], f"y_{name}")]
        return helper.make_graph(
            made, name, [], [helper.make_tensor_value_info(f"y_{name}", TensorProto.FLOAT, None)], [weight]
        )

    made = node(
        "If", ["c" if condition_is_constant else "computed"], "y", "choose",
        then_branch=graph("then", (2, 4, 3, 3)), else_branch=graph("else", (5, 4, 1, 1)),
    )  # fmt: skip
    computed = [node("ReduceMax", ["x"], "top", keepdims=0), node("Greater", ["top", "one"], "computed")]
    return [*computed, made]


@pytest.mark.parametrize(("constant", "expected"), [(True, [(2, 4, 3, 3)]), (False, [(2, 4, 3, 3), (5, 4, 1, 1)])])
def test_the_branches_that_may_run_are_read(tmp_path, constant, expected):
    weights = {"c": np.asarray(True), "one": np.float32(1)}
    path = save_model(tmp_path / "m.onnx", branches(constant), {"x": [1, 4, 8, 8]}, weights, "y")
    found = listing(path)
    assert sorted(layer.kernel for layer in found.layers) == expected
    assert all(' in If "choose"' in layer.where for layer in found.layers) != constant


def test_functions_of_the_model_are_read(tmp_path):
    function = helper.make_function(
        "mine", "Block", ["a", "b"], ["c"], [node("Conv", ["a", "b"], "c")], [helper.make_opsetid("", 17)]
    )
    path = tmp_path / "m.onnx"
    graph = helper.make_graph(
        [node("Block", ["x", "w"], "y", domain="mine")],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(kernel(2, 4, 3, 3), "w")],
    )
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("mine", 1)]
    path.write_bytes(
        helper.make_model(graph, functions=[function], opset_imports=imports, ir_version=8).SerializeToString()
    )
    assert only(path).kernel == (2, 4, 3, 3)


def test_dimensions_of_one_name_have_one_size(tmp_path):
    path = one_conv(tmp_path, shape=("n", 4, "h", "h"))
    assert only(path, x=(2, 4, 9, 9)).input == (2, 4, 9, 9)
    with pytest.raises(ConformanceError, match="the model's dimension h has two sizes"):
        listing(path, x=(2, 4, 9, 8))


def test_another_batch_is_refused_to_layers_that_do_not_have_the_models(tmp_path):
    nodes = [node("Reshape", ["x", "two"], "r"), node("Conv", ["r", "w"], "a"), node("Conv", ["x", "w"], "b")]
    weights = {"two": np.asarray([2, 4, 9, 4]), "w": kernel(2, 4, 3, 3)}
    path = save_model(tmp_path / "m.onnx", nodes, {"x": ["n", 4, 9, 8]}, weights, "b")
    file = case_file(listing(path), "m", Choices(batches=(1, 8)))
    assert (file.found, file.imported) == (2, 1)
    assert "its first dimension is 2, not the model's batch of 1" in file.left_out[0].reason


@pytest.mark.parametrize(
    ("shape", "given", "message"),
    [
        (("n", 4, "h", 8), {}, "has inputs with dynamic dimensions: x: give their sizes, such as --shape x:1x4xNx8"),
        (None, {}, "such as --shape x:1x3x224x224"),
        ((1, 4, 9, 8), {"z": (1,)}, "--shape z: has no such input: its inputs are x"),
        ((1, 4, 9, 8), {"x": (1, 4, 9, 9)}, "--shape x: 1x4x9x9 does not fit the input, which is 1x4x9x8"),
        (("n", 4, "h", 8), {"x": (1, 4, 9)}, "1x4x9 does not fit the input, which is \\?x4x\\?x8"),
    ],
)
def test_shapes_must_be_known(tmp_path, shape, given, message):
    with pytest.raises(ConformanceError, match=message):
        listing(one_conv(tmp_path, shape=shape), **given)


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x00" * 100, b"\x08\x07\x12\xff\xff\xff\xff\x0f"])
def test_what_is_no_model_is_refused(tmp_path, content):
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(ConformanceError, match=r"m\.onnx: is not an ONNX model"):
        listing(tmp_path / "m.onnx")


def test_files_that_cannot_be_models_are_refused(tmp_path):
    with pytest.raises(ConformanceError, match=r"absent\.onnx: cannot be read: No such file"):
        listing(tmp_path / "absent.onnx")
    (tmp_path / "folder.onnx").mkdir()
    with pytest.raises(ConformanceError, match=r"folder\.onnx: is not a regular file"):
        listing(tmp_path / "folder.onnx")
    with (tmp_path / "large.onnx").open("wb") as file:
        file.truncate(2**31 + 1)
    with pytest.raises(
        ConformanceError, match=r"has 2\.1 GB, but an ONNX file can have at most 2: save the model with"
    ):
        listing(tmp_path / "large.onnx")


def test_an_unknown_opset_is_named(tmp_path):
    path = save_model(tmp_path / "m.onnx", [node("Conv", "xw", "y")], {"x": [1]}, {"w": kernel(1)}, "y", opset=999)
    with pytest.raises(ConformanceError, match="uses opset 999, but the installed onnx supports opsets up to"):
        listing(path)


def test_a_model_that_contradicts_itself_is_refused(tmp_path):
    unknown = [node("FusedConv", ["x", "w"], "y", domain="com.microsoft")]
    path = save_model(tmp_path / "m.onnx", unknown, {"x": [4, 4, 3, 3]}, {"w": kernel(4, 4, 3, 3)}, "y")
    with pytest.raises(ConformanceError, match=r"m.*\.onnx: ONNX cannot infer its shapes"):
        listing(path)


def test_without_the_package_it_is_named(tmp_path, monkeypatch):
    path = one_conv(tmp_path)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ConformanceError, match=r"needs the package onnx: \S*pip install -e '.\[cpu\]'"):
        listing(path)


def test_a_model_cannot_ask_for_huge_tensors(tmp_path):
    nodes = [
        node("ConstantOfShape", ["huge"], "a", value=numpy_helper.from_array(np.asarray([1]))),
        node("Reshape", ["x", "a"], "r"),
        node("Conv", ["r", "w"], "y"),
    ]
    weights = {"huge": np.asarray([2**40]), "w": kernel(2, 4, 3, 3)}
    path = save_model(tmp_path / "m.onnx", nodes, {"x": [1, 4, 8, 8]}, weights, "y")
    assert "the shape of its input is not known" in listing(path).left_out[0].reason


def test_external_weights_are_not_needed(tmp_path):
    path = one_conv(tmp_path)
    import onnx

    model = onnx.load(path)
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    (tmp_path / "weights.bin").unlink()
    assert only(path).kernel == (6, 4, 3, 3)


@pytest.fixture
def sizes_beside(tmp_path):
    """A model that reshapes its input to sizes in a file beside it."""
    nodes = [node("Reshape", ["x", "sizes"], "r"), node("Conv", ["r", "w"], "y")]
    weights = {"sizes": np.asarray([1, 4, 8, 8]), "w": kernel(2, 4, 3, 3)}
    path = save_model(tmp_path / "m.onnx", nodes, {"x": [1, 256]}, weights, "y")
    import onnx

    onnx.save(onnx.load(path), path, save_as_external_data=True, location="sizes.bin", size_threshold=0)
    return path


def test_sizes_in_a_file_beside_the_model_are_read(sizes_beside):
    assert only(sizes_beside).input == (1, 4, 8, 8)


@pytest.mark.parametrize(
    ("change", "message"), [("unlink", 'in the file "sizes.bin", which is missing'), ("touch", "cannot be read")]
)
def test_a_missing_or_short_file_of_sizes_is_named(sizes_beside, change, message):
    file = sizes_beside.parent / "sizes.bin"
    file.unlink()
    if change == "touch":
        file.touch()
    with pytest.raises(ConformanceError, match=rf'm\.onnx: the weights "sizes" .*{message}'):
        listing(sizes_beside)
