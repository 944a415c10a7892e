"""The order in which a network is defined: nothing that TensorRT may inspect early is incomplete."""

import pytest

from tests.support.suite import suite_catalog
from trt_conformance.targets.errors import Unsupported
from trt_conformance.targets.tensorrt.api import Api
from trt_conformance.targets.tensorrt.network import define


class Noted:
    """A network of TensorRT-RTX that notes which layers are added, and when a layer gets an input."""

    def __init__(self, network, calls):
        self._network, self._calls = network, calls

    def __getattr__(self, name):
        value = getattr(self._network, name)
        if not name.startswith("add_"):
            return value

        def add(*arguments):
            self._calls.append(name)
            layer = value(*arguments)
            return NotedLayer(layer, self._calls) if name == "add_convolution_nd" else layer

        return add


class NotedLayer:
    def __init__(self, layer, calls):
        object.__setattr__(self, "_layer", layer)
        object.__setattr__(self, "_calls", calls)

    def __getattr__(self, name):
        return getattr(self._layer, name)

    def __setattr__(self, name, value):
        setattr(self._layer, name, value)

    def set_input(self, index, tensor):
        self._calls.append(f"set_input {index}")
        self._layer.set_input(index, tensor)


def calls_of(case_id, monkeypatch):
    (case,) = [case for case in suite_catalog().cases if case.id == case_id]
    try:
        api = Api("tensorrt_rtx", has_gpu=False)
    except ImportError as fault:
        pytest.skip(str(fault))
    calls: list[str] = []
    create = api.create_network
    monkeypatch.setattr(api, "create_network", lambda *typing: Noted(create(*typing), calls))
    assert define(api, case).facts.errors == ()
    return calls


@pytest.mark.parametrize(
    "case_id", ["set_input/values-int8", "bias_tensor/kernel_as_tensor-fp32", "bias_tensor/quantised-int8"]
)
def test_inputs_of_the_convolution_are_complete_before_it_is_added(case_id, monkeypatch):
    calls = calls_of(case_id, monkeypatch)
    at = calls.index("add_convolution_nd")
    inputs = [call for call in calls if call.startswith("set_input")]
    assert inputs
    assert calls[at + 1 : at + 1 + len(inputs)] == inputs
    assert "add_constant" not in calls[at:]
    if case_id.endswith("int8"):
        assert calls[:at].count("add_quantize") == calls[:at].count("add_dequantize") == 2


class Without:
    """TensorRT-RTX without one of its names, as an older version."""

    def __init__(self, trt, name):
        self._trt, self._name = trt, name

    def __getattr__(self, name):
        if name == self._name:
            raise AttributeError(name)
        return getattr(self._trt, name)


def test_a_type_that_a_version_lacks_is_unsupported():
    """TensorRT 8.6 has no int64."""
    (case,) = [case for case in suite_catalog().cases if case.id == "layer_tensors/input_of_int64-fp32"]
    try:
        api = Api("tensorrt_rtx", has_gpu=False)
    except ImportError as fault:
        pytest.skip(str(fault))
    api.trt = Without(api.trt, "int64")
    with pytest.raises(Unsupported, match="`int64` does not exist in tensorrt_rtx"):
        define(api, case)
