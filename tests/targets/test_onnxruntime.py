"""ONNX Runtime as a second engine: it agrees with the reference, and infers shapes by ONNX's own rules."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings

from tests.numerics.test_reference import configurations
from tests.support.helpers import PADDING_MODES, make_case
from tests.support.suite import suite_case
from tests.targets.test_targets_numpy import CONFIGURATIONS, PRECISIONS, layer
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.tensors import INPUT, NUMPY_TYPE, OUTPUT, case_data
from trt_conformance.numerics.bounds.elementwise import bound
from trt_conformance.numerics.compare import compare, structure_faults
from trt_conformance.numerics.reference.result import reference
from trt_conformance.targets.errors import Refused
from trt_conformance.targets.onnxruntime import OnnxRuntimeEngine, OnnxRuntimeTarget, onnx_model
from trt_conformance.targets.protocols import Target, offers


@pytest.fixture(scope="module")
def target():
    return OnnxRuntimeTarget()


def judge(target, case, shape=None):
    result = reference(case, shape)
    outputs = target.build(case).run({INPUT: case_data(case, shape).input})
    assert not structure_faults(outputs, OUTPUT, result.output.shape, NUMPY_TYPE[case.data_type])
    return compare(outputs[OUTPUT], result.output, bound(case, result))


@pytest.mark.parametrize("precision", [p for p in PRECISIONS if p not in ("tf32", "bf16")])
@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_stays_within_the_bound(target, configuration, precision):
    case = layer(precision, **CONFIGURATIONS[configuration])
    assert target.supports(case) is None
    found = judge(target, case)
    assert found.passed, found


@given(configurations())
@settings(max_examples=100, deadline=None, derandomize=True)
def test_agrees_exactly_with_the_reference_on_integers(target, configuration):
    """A second implementation behind every padding mode, stride, dilation and group."""
    shape, kernel, attributes, with_bias = configuration
    batched = shape if len(shape) == len(kernel) else (shape[0] * shape[1], *shape[2:])
    case = make_case(
        input={"shape": batched, "fill": "exact_integers", "seed": 1},
        kernel={"shape": kernel, "fill": "exact_integers", "seed": 2},
        bias={"fill": "exact_integers", "seed": 3} if with_bias else "none",
        set={
            "stride_nd": attributes.stride,
            "pre_padding": attributes.pre,
            "post_padding": attributes.post,
            "dilation_nd": attributes.dilation,
            "num_groups": attributes.groups,
            "padding_mode": attributes.mode,
        },
    )
    found = judge(target, case)
    assert found.passed, found
    assert found.bound == 0
    assert target.define(case).output_shape == reference(case).output.shape


def test_a_scale_for_each_map(target):
    case = layer("int8", quantize={"input": 0.011, "kernel": [0.013, 0.1, 0.004], "output": 0.07})
    assert judge(target, case).passed


def test_a_bias_stays_in_floats(target):
    """Were it rounded to a multiple of both scales, half of each output would change."""
    case = make_case(
        precision="int8",
        input={"shape": [1, 1, 1, 1], "values": [0.0]},
        kernel={"shape": [1, 1, 1, 1], "values": [1.0]},
        bias={"values": [0.4]},
        quantize={"input": 1.0, "kernel": [1.0], "output": 0.125},
    )
    assert target.build(case).run({INPUT: case_data(case).input})[OUTPUT].item() == 0.375


# Input 6x9, window 3x3, stride 2, pads 1 before and 2 after; by hand.
BY_HAND = {
    "EXPLICIT_ROUND_DOWN": (4, 5),
    "EXPLICIT_ROUND_UP": (4, 6),
    "SAME_UPPER": (3, 5),
    "SAME_LOWER": (3, 5),
    "CAFFE_ROUND_DOWN": (3, 5),
    "CAFFE_ROUND_UP": (4, 5),
}


@pytest.mark.parametrize("mode", PADDING_MODES)
def test_infers_static_shapes(target, mode):
    case = make_case(set={"stride_nd": [2, 2], "pre_padding": [1, 1], "post_padding": [2, 2], "padding_mode": mode})
    assert target.define(case).output_shape == (1, 1, *BY_HAND[mode])


def test_infers_through_quantized_outputs(target):
    assert target.define(layer("int8 out")).output_shape == (2, 3, 5, 6)


def dynamic(shape, *runs, **fields):
    low, high = (tuple(f(sizes) for sizes in zip(*runs, strict=True)) for f in (min, max))
    return make_case(dynamic={"shape": shape, "min": low, "opt": low, "max": high, "run": runs}, **fields)


def test_leaves_dynamic_dimensions_open(target):
    case = dynamic([-1, 1, 6, -1], (1, 1, 6, 9), (2, 1, 6, 12))
    assert target.define(case).output_shape == (-1, 1, 4, -1)


def test_the_models_output_states_no_size():
    """Otherwise its shape would be ours, not ONNX's."""
    import onnx

    output = onnx.load_from_string(onnx_model(make_case())).graph.output[0]
    dims = output.type.tensor_type.shape.dim
    assert len(dims) == 4
    assert not any(dim.HasField("dim_value") or dim.HasField("dim_param") for dim in dims)


def test_inferred_shapes_follow_the_model_not_the_formula(target, monkeypatch):
    wrong = make_case(set={"padding_nd": [1, 1]})
    monkeypatch.setattr("trt_conformance.targets.onnxruntime.onnx_model", lambda case: onnx_model(wrong))
    assert target.define(make_case()).output_shape == (1, 1, 6, 9)


@pytest.mark.parametrize("mode", ["EXPLICIT_ROUND_DOWN", "CAFFE_ROUND_DOWN"])
def test_pads_do_not_depend_on_which_shape_runs(target, mode):
    """With stride 2 the windows use the last zeros of one size and not of the other."""
    settings = {"stride_nd": [2, 2], "padding_nd": [1, 1], "padding_mode": mode}
    case = dynamic([1, 1, -1, 9], (1, 1, 5, 9), (1, 1, 6, 9), set=settings)
    assert target.supports(case) is None
    for shape in case.run_shapes:
        assert judge(target, case, shape).passed


@pytest.mark.parametrize("mode", [mode for mode in PADDING_MODES if not mode.endswith("ROUND_DOWN")])
def test_cannot_say_paddings_that_depend_on_the_size(target, mode):
    case = dynamic([1, 1, -1, 9], (1, 1, 5, 9), (1, 1, 6, 9), set={"padding_mode": mode})
    assert "depends on the input's size" in target.supports(case)
    assert target.supports(make_case(set={"padding_mode": mode})) is None


@pytest.mark.parametrize("precision", ["tf32", "bf16"])
def test_has_no_such_convolution(target, precision):
    assert target.supports(make_case(precision=precision)) == f"the CPU provider has no {precision} convolution"


def test_leaves_tensorrts_rules_and_names_to_tensorrt(target):
    refused = make_case(reject={"phase": "network", "error": "smaller than filter"})
    assert target.supports(refused) == "the rule under test applies to TensorRT only"
    old = make_case(deprecated={"name": "stride", "new": "stride_nd", "warning": "Use stride_nd instead"})
    assert "`stride` is a name of TensorRT's API" in target.supports(old)


def test_refuses_what_is_no_convolution(target):
    case = make_case(kernel={"shape": [1, 1, 7, 3], "fill": "ones"})
    for step in (target.define, target.build):
        with pytest.raises(Refused, match="image size is smaller than filter size") as refusal:
            step(case)
        assert refusal.value.phase == "network"


def test_a_model_it_cannot_load_is_refused_in_the_build():
    with pytest.raises(Refused) as refusal:
        OnnxRuntimeEngine(make_case(), b"no model")
    assert refusal.value.phase == "build"
    assert refusal.value.message


def test_is_a_target_that_defines_networks(target):
    import onnxruntime

    assert isinstance(target, Target)
    assert offers(target, "define")
    assert offers(target, "environment")
    assert target.environment()["onnxruntime"] == onnxruntime.__version__
    major, minor = onnxruntime.__version__.split(".")[:2]
    assert target.name == f"onnxruntime-{major}.{minor}-cpu"


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_says_which_package_is_missing(monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConformanceError, match="needs the packages onnxruntime and onnx"):
        OnnxRuntimeTarget()


def test_a_wrong_output_is_seen(target):
    """The comparison of this file says no where the engine's input is another."""
    case = layer("fp32")
    result = reference(case)
    outputs = target.build(case).run({INPUT: np.roll(case_data(case).input, 1)})
    assert not compare(outputs[OUTPUT], result.output, bound(case, result)).passed


@pytest.mark.parametrize(("precision", "operators", "version"), [("fp16", {"Gelu"}, 20), ("fp32", {"Erf"}, 17)])
def test_gelu_of_halves_is_one_operator_so_that_nothing_between_rounds(precision, operators, version):
    onnx = pytest.importorskip("onnx")
    model = onnx.load_from_string(onnx_model(suite_case(f"fused_ranges/gelu-{precision}")))
    assert {node.op_type for node in model.graph.node} & {"Gelu", "Erf"} == operators
    assert model.opset_import[0].version == version
