"""Malformed models are refused, or parts of them left out, with a reason: no other exception leaves the importer."""

import random

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from tests.support.onnx_models import kernel, node, save_model
from trt_conformance.catalog.imports.case_files import Choices, case_file
from trt_conformance.catalog.imports.onnx_file import read_model
from trt_conformance.catalog.imports.onnx_layers import read_layers
from trt_conformance.core.errors import ConformanceError

FLOAT_NODES = [
    node("Shape", ["x"], "s"),
    node("Gather", ["s", "i"], "g"),
    node("Range", ["zero", "one", "one"], "r"),
    node("Concat", ["o", "g"], "p", axis=0),
    node("Pad", ["x", "p"], "xp"),
    node("Conv", ["xp", "w", "b"], "y", "c", strides=[2, 1], pads=[1, 1, 1, 1], group=2, dilations=[1, 2]),
    node("Clip", ["y", "lo", "hi"], "z"),
    node("ConvTranspose", ["z", "w"], "zz"),
]
FLOAT_WEIGHTS = {
    "w": kernel(6, 2, 3, 3), "b": kernel(6), "i": np.asarray([0]), "o": np.zeros(7, np.int64), "lo": np.float32(0),
    "hi": np.float32(6), "zero": np.int64(0), "one": np.int64(1),
}  # fmt: skip
INT8_NODES = [
    node("QLinearConv", ["x", "sx", "zero", "w", "sw", "zeros", "sy", "zero", "b"], "y"),
    node("DequantizeLinear", ["y", "sx", "zero"], "xf"),
    node("DequantizeLinear", ["w", "sw", "zeros"], "wf", axis=0),
    node("Conv", ["xf", "wf"], "c"),
    node("QuantizeLinear", ["c", "sy", "zero"], "q"),
    node("ConvInteger", ["x", "w", "zero"], "ci"),
]
INT8_WEIGHTS = {
    "w": kernel(6, 4, 3, 3, dtype=np.int8), "sx": np.float32(0.1), "sw": np.full(6, 0.2, np.float32),
    "sy": np.float32(0.3), "zero": np.int8(0), "zeros": np.zeros(6, np.int8), "b": kernel(6, dtype=np.int32),
}  # fmt: skip
SIZES = (0, -1, 1, 5, 2**40, -(2**63))


def mutated(model, rng):
    """The model with one to three things changed, as bytes."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    nodes, tensors = changed.graph.node, changed.graph.initializer
    for _ in range(rng.choice([1, 2, 3])):
        some, tensor = rng.choice(nodes), rng.choice(tensors)
        match rng.randrange(8):
            case 0 if some.input:
                del some.input[rng.randrange(len(some.input))]
            case 1 if some.input:
                some.input[rng.randrange(len(some.input))] = rng.choice(["", "x", "w", "nothing", "y", "c"])
            case 2:
                some.op_type = rng.choice(["Conv", "QLinearConv", "ConvInteger", "Clip", "If", "Concat", "Constant"])
            case 3 if some.attribute:
                attribute = rng.choice(some.attribute)
                if attribute.ints:
                    attribute.ints[rng.randrange(len(attribute.ints))] = rng.choice(SIZES)
                else:
                    attribute.i = rng.choice(SIZES)
            case 4 if tensor.dims:
                tensor.dims[rng.randrange(len(tensor.dims))] = rng.choice(SIZES)
            case 5:
                tensor.data_type = rng.randrange(25)
            case 6 if some.output:
                some.output[0] = rng.choice(["", "x", "y", "c"])
            case _:
                raw = bytearray(changed.SerializeToString())
                raw[rng.randrange(len(raw))] = rng.randrange(256)
                return bytes(raw)
    return changed.SerializeToString()


@pytest.mark.parametrize(
    ("nodes", "weights", "output", "element"),
    [(FLOAT_NODES, FLOAT_WEIGHTS, "zz", TensorProto.FLOAT), (INT8_NODES, INT8_WEIGHTS, "q", TensorProto.INT8)],
)
def test_malformed_models_cause_no_other_exception(tmp_path, nodes, weights, output, element):
    path = save_model(tmp_path / "m.onnx", nodes, {"x": ["n", 4, 9, 8]}, weights, output, element=element)
    model, rng = onnx.load(path), random.Random(20)
    ends = {"refused": 0, "imported": 0}
    for _ in range(100):
        path.write_bytes(mutated(model, rng))
        for with_weights in (False, True):
            try:
                case_file(read_layers(read_model(path, {}), with_weights), "m", Choices())
                ends["imported"] += 1
            except ConformanceError:
                ends["refused"] += 1
    assert min(ends.values()) > 10, ends


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dims": [2**40]}, r'the tensor "w" cannot have the shape \[1099511627776\]'),
        ({"dims": [-1, 2, 3, 3]}, r"cannot have the shape \[-1, 2, 3, 3\]"),
        ({"dims": [600, 2, 3, 3]}, r"has less data than the shape \[600, 2, 3, 3\]"),
    ],
)
def test_tensors_that_are_not_as_large_as_they_say_are_refused(tmp_path, change, message):
    nodes = [node("Conv", ["x", "w"], "y")]
    path = save_model(tmp_path / "m.onnx", nodes, {"x": [1, 2, 9, 8]}, {"w": kernel(6, 2, 3, 3)}, "y")
    model = onnx.load(path)
    model.graph.initializer[0].dims[:] = change["dims"]
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ConformanceError, match=f"is malformed: .*{message}"):
        read_model(path, {})
