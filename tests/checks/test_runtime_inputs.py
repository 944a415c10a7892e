"""A kernel and a bias that the network reads as inputs are fed with the activation, in every check."""

from types import SimpleNamespace

import numpy as np

from tests.support.suite import suite_catalog
from trt_conformance.checks.subject import Subject
from trt_conformance.core.tensors import feeds_of, parameters, runtime_feeds
from trt_conformance.targets.engines import Engines


def case_of(case_id):
    case = suite_catalog().find(case_id)
    assert case is not None
    return case


def test_the_activation_is_first_and_the_parameters_follow():
    case = case_of("layer_inputs/runtime_kernel_and_bias-fp32")
    given = parameters(case)
    feeds = feeds_of(case)
    assert list(feeds) == ["input", "kernel", "bias"]
    assert np.array_equal(feeds["kernel"], given.kernel)
    assert np.array_equal(feeds["bias"], given.bias)


def test_constants_are_not_fed():
    assert runtime_feeds(case_of("bias_tensor/kernel_as_tensor-fp32")) == {}
    assert list(runtime_feeds(case_of("layer_inputs/runtime_kernel-fp16"))) == ["kernel"]


def test_other_inputs_of_a_case_come_with_its_parameters():
    case, seen = case_of("layer_inputs/runtime_bias-fp32"), []
    engine = SimpleNamespace(run=lambda feeds: seen.append(feeds) or {}, close=lambda: None)
    target = SimpleNamespace(name="seeing", supports=lambda case: None, build=lambda case: engine)
    subject = Subject(case, Engines(target), lambda case, index: None)
    subject.feed(case, {"input": np.zeros(case.input.shape, np.float32)})
    assert [list(feeds) for feeds in seen] == [["input", "bias"]]
    assert not seen[0]["input"].any()
