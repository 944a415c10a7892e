"""What a layer says of itself is read where a case states it, and a layer that says otherwise fails."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.support.suite import suite_case
from trt_conformance.checks.network import check_network
from trt_conformance.checks.subject import Subject
from trt_conformance.core.case import Case
from trt_conformance.core.tensors import parameters
from trt_conformance.targets.engines import Engines
from trt_conformance.targets.tensorrt import network
from trt_conformance.targets.tensorrt.api import Api
from trt_conformance.targets.tensorrt.facts import READ_BACK, asked_of, read_facts


class Lying:
    """A layer of TensorRT-RTX that gives another answer to one question."""

    def __init__(self, layer: Any, **answers: Any) -> None:
        object.__setattr__(self, "_layer", layer)
        object.__setattr__(self, "_answers", answers)

    def __getattr__(self, name: str) -> Any:
        return self._answers[name] if name in self._answers else getattr(self._layer, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._layer, name, value)


def named(name: str) -> Any:
    return SimpleNamespace(name=name)


LIES: dict[str, tuple[str, dict[str, Any], str]] = {
    "type": ("layer_facts/plain-fp32", {"type": named("SCALE")}, "type reads back as SCALE, but should be CONVOLUTION"),
    "outputs": ("layer_facts/plain-fp32", {"num_outputs": 2}, "num_outputs reads back as 2, but should be 1"),
    "inputs": ("layer_facts/one_input-fp32", {"num_inputs": 2}, "num_inputs reads back as 2, but should be 1"),
    "no None": (
        "layer_facts/two_inputs-fp32",
        {"get_input": lambda index: named("x")},
        "no_input reads back as None, but should be 2",
    ),
    "other kernel": (
        "layer_facts/weights_read_back-fp32",
        {"kernel": np.zeros(54, np.float32)},
        "but should be as given",
    ),
    "a bias left": (
        "layer_facts/no_weights_read_back-fp32",
        {"bias": np.ones(3, np.float32)},
        "bias reads back as [1.0, 1.0, 1.0], but should be empty",
    ),
}


def verdict_on(case: Case, monkeypatch: pytest.MonkeyPatch, **answers: Any) -> Any:
    """The verdict of the check of networks on a TensorRT-RTX whose layer gives these answers."""
    try:
        api = Api("tensorrt_rtx", has_gpu=False)
    except ImportError as fault:
        pytest.skip(str(fault))
    convolution = network._Draft.convolution
    monkeypatch.setattr(network._Draft, "convolution", lambda self: Lying(convolution(self), **answers))
    target = SimpleNamespace(
        name="tensorrt_rtx", supports=lambda case: None, define=lambda case: network.define(api, case).facts
    )
    return check_network(Subject(case, Engines(target), lambda case, index: None))  # type: ignore[arg-type,return-value]


@pytest.mark.parametrize(("case_id", "answers", "text"), LIES.values(), ids=LIES)
def test_a_layer_that_says_otherwise_fails(
    case_id: str, answers: dict[str, Any], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    verdict = verdict_on(suite_case(case_id), monkeypatch, **answers)
    assert (verdict.status, text in verdict.message) == ("fail", True), verdict.message


@pytest.mark.parametrize("case_id", sorted({case_id for case_id, _, _ in LIES.values()}))
def test_the_layer_itself_passes(case_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    verdict = verdict_on(suite_case(case_id), monkeypatch)
    assert verdict.status == "pass", verdict.message


def test_only_what_a_case_states_is_read() -> None:
    plain = suite_case("stride_nd/h2_w2-fp32")
    asking = suite_case("layer_facts/plain-fp32")
    assert asked_of(plain) == []
    assert asked_of(asking) == ["metadata", "name", "num_outputs", "type"]
    silent = SimpleNamespace(**dict.fromkeys(READ_BACK, 1))  # has none of the other members
    assert set(read_facts(plain, silent, parameters(plain))) == set(READ_BACK)
