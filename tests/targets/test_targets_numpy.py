"""The reference as a target, in the arithmetic of each precision."""

import numpy as np
import pytest

from tests.support.helpers import make_case
from trt_conformance.core.tensors import INPUT, NUMPY_TYPE, OUTPUT, case_data
from trt_conformance.numerics.bounds.elementwise import bound
from trt_conformance.numerics.compare import compare, structure_faults
from trt_conformance.numerics.reference.result import reference
from trt_conformance.targets.errors import Refused
from trt_conformance.targets.numpy import NumpyTarget
from trt_conformance.targets.protocols import Target

CONFIGURATIONS = {
    "plain": {},
    "stride and padding": {"set": {"stride_nd": [2, 1], "padding_nd": [1, 2]}},
    "asymmetric": {"set": {"pre_padding": [0, 2], "post_padding": [1, 0], "padding_mode": "EXPLICIT_ROUND_UP"}},
    "same lower, dilated": {"set": {"dilation_nd": [2, 1], "padding_mode": "SAME_LOWER"}},
    "groups": {"kernel": {"shape": [6, 2, 3, 3], "fill": "uniform", "seed": 2}, "set": {"num_groups": 2}},
    "bias": {"bias": {"fill": "uniform", "seed": 3}},
    "3D": {
        "input": {"shape": [1, 2, 4, 5, 6], "fill": "uniform"},
        "kernel": {"shape": [3, 2, 2, 3, 3], "fill": "uniform", "seed": 2},
        "set": {"stride_nd": [1, 2, 1]},
    },
}
PRECISIONS = {
    "fp32": {},
    "tf32": {},
    "fp16": {},
    "bf16": {},
    "int8": {"quantize": {"input": 0.011, "kernel": [0.013]}},
    "int8 out": {"quantize": {"input": 0.011, "kernel": [0.013], "output": 0.07}},
}


def layer(precision, **fields):
    given = {
        "input": {"shape": [2, 4, 7, 8], "fill": "uniform", "seed": 1},
        "kernel": {"shape": [3, 4, 3, 3], "fill": "uniform", "seed": 2},
    }
    return make_case(precision=precision.partition(" ")[0], **(given | PRECISIONS[precision] | fields))


def ran(case):
    return NumpyTarget().build(case).run({INPUT: case_data(case).input})


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_stays_within_the_bound(configuration, precision):
    case = layer(precision, **CONFIGURATIONS[configuration])
    result, outputs = reference(case), ran(case)
    assert not structure_faults(outputs, OUTPUT, result.output.shape, NUMPY_TYPE[case.data_type])
    found = compare(outputs[OUTPUT], result.output, bound(case, result))
    assert found.passed, found


@pytest.mark.parametrize("precision", PRECISIONS)
def test_rounds_as_its_precision_does(precision):
    case = layer(precision)
    found = compare(ran(case)[OUTPUT], reference(case).output, np.full((2, 3, 5, 6), 1e9))
    assert found.error > 0


def test_tf32_is_not_fp32():
    assert (ran(layer("tf32"))[OUTPUT] != ran(layer("fp32"))[OUTPUT]).any()


def test_int8_sums_are_exact_and_scaled_once():
    case = layer("int8", bias={"fill": "uniform"})
    found = compare(ran(case)[OUTPUT], reference(case).output, bound(case, reference(case), "int32"))
    assert found.passed


def test_runs_every_shape_of_a_dynamic_case():
    shapes = {"min": [1, 1, 6, 9], "opt": [2, 1, 6, 9], "max": [4, 1, 8, 9]}
    case = make_case(dynamic={"shape": [-1, 1, -1, 9], **shapes, "run": [[1, 1, 6, 9], [3, 1, 8, 9]]})
    engine = NumpyTarget().build(case)
    for shape in case.run_shapes:
        result = reference(case, shape)
        actual = engine.run({INPUT: case_data(case, shape).input})[OUTPUT]
        assert compare(actual, result.output, bound(case, result)).passed
    engine.close()
    engine.close()


def test_is_a_target():
    target = NumpyTarget()
    assert isinstance(target, Target)
    assert target.name == "numpy"
    assert target.supports(make_case()) is None


def test_leaves_tensorrts_own_rules_to_tensorrt():
    ours = make_case(reject={"phase": "network", "error": "smaller than filter"})
    theirs = make_case(reject={"on": {"tensorrt*": {"phase": "network", "error": "kernelWeights"}}})
    assert NumpyTarget().supports(ours) is None
    assert NumpyTarget().supports(theirs) == "the rule under test applies to TensorRT only"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kernel": {"shape": [1, 1, 7, 3], "fill": "ones"}}, "image size is smaller than filter size"),
        ({"set": {"stride_nd": [0, 1]}}, "stride 0"),
        ({"set": {"num_groups": 2}}, "2 groups must divide the 1 input channels"),
        ({"kernel": {"shape": [1, 1, 3], "fill": "ones"}}, "2 or 3 window dimensions"),
    ],
)
def test_refuses_what_is_no_convolution(fields, message):
    with pytest.raises(Refused, match=message) as refusal:
        NumpyTarget().build(make_case(**fields))
    assert refusal.value.phase == "network"


def test_refuses_a_wildcard_of_channels():
    one = [1, 1, 6, 9]
    free = {"shape": [1, -1, 6, 9], "min": one, "opt": one, "max": one, "run": [one]}
    with pytest.raises(Refused, match="channel dimension must be a build-time constant"):
        NumpyTarget().build(make_case(dynamic=free))


def test_refuses_a_profile_with_a_shape_too_small():
    shapes = {"min": [1, 1, 2, 9], "opt": [1, 1, 6, 9], "max": [1, 1, 6, 9]}
    case = make_case(dynamic={"shape": [1, 1, -1, 9], **shapes, "run": [[1, 1, 6, 9], [1, 1, 2, 9]]})
    with pytest.raises(Refused, match="smaller than filter"):
        NumpyTarget().build(case)
