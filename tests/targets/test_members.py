"""Every public member of the layer's class is used by a case, and those of Q and DQ that a convolution needs."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.suite import suite_catalog
from trt_conformance.core.attributes import ATTRIBUTE_FIELDS
from trt_conformance.core.case import Case
from trt_conformance.targets.errors import Refused, Unsupported
from trt_conformance.targets.tensorrt.api import Api
from trt_conformance.targets.tensorrt.network import define

LAYERS = {
    "add_convolution_nd": "IConvolutionLayer",
    "add_quantize": "IQuantizeLayer",
    "add_dequantize": "IDequantizeLayer",
}
FILES = ("cases/statements/", "cases/convolution/", "cases/routes/bias_tensor")

# Of Q and DQ, what other layers have too is checked of the convolution layer.
INHERITED = {"get_input", "get_output_type", "metadata", "name", "num_inputs", "num_outputs", "num_ranks", "type"}
NOT_USED = INHERITED | {
    "to_type",  # the constructor gives it
}

# Members of TensorRT 8.6 that TensorRT-RTX does not have, and the cases of them.
OLDER = {
    "stride": "old_names",
    "padding": "old_names",
    "dilation": "old_names",
    "kernel_size": "old_names",
}


class Noting:
    """Passes everything on to an object of TensorRT, and notes the names that are used."""

    def __init__(self, whole: Any, names: set[str]) -> None:
        object.__setattr__(self, "_whole", whole)
        object.__setattr__(self, "_names", names)

    def __getattr__(self, name: str) -> Any:
        self._names.add(name)
        return getattr(self._whole, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._names.add(name)
        setattr(self._whole, name, value)


class NotingNetwork:
    def __init__(self, network: Any, used: dict[str, set[str]]) -> None:
        self._network, self._used = network, used

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._network, name)
        if name not in LAYERS:
            return value

        def add(*arguments: Any) -> Any:
            layer = value(*arguments)
            return None if layer is None else Noting(layer, self._used[LAYERS[name]])

        return add


def chosen() -> Iterator[Case]:
    """One case for each entry of the files, in the first of its precisions."""
    seen = set()
    for case in suite_catalog().cases:
        if case.deprecated is None and case.file.startswith(FILES) and case.base_id not in seen:
            seen.add(case.base_id)
            yield case


@pytest.fixture(scope="module")
def used() -> dict[str, set[str]]:
    try:
        api = Api("tensorrt_rtx", has_gpu=False)
    except ImportError as fault:
        pytest.skip(str(fault))
    found: dict[str, set[str]] = {name: set() for name in LAYERS.values()}
    create = api.create_network
    api.create_network = lambda *typing: NotingNetwork(create(*typing), found)  # type: ignore[method-assign]
    for case in chosen():
        if api.lacks_typing(case) is not None:
            continue
        try:
            define(api, case)
        except (Refused, Unsupported):
            continue
    return found


def public(name: str) -> set[str]:
    from tensorrt_rtx import IConvolutionLayer, IDequantizeLayer, IQuantizeLayer

    classes = {kind.__name__: kind for kind in (IConvolutionLayer, IQuantizeLayer, IDequantizeLayer)}
    return {member for member in dir(classes[name]) if not member.startswith("_")}


def test_every_member_of_the_convolution_layer_is_used(used: dict[str, set[str]]) -> None:
    assert public("IConvolutionLayer") - used["IConvolutionLayer"] == set()


@pytest.mark.parametrize("name", ["IQuantizeLayer", "IDequantizeLayer"])
def test_the_members_of_q_and_dq_are_used_that_a_convolution_network_needs(
    name: str, used: dict[str, set[str]]
) -> None:
    assert public(name) - used[name] == NOT_USED


def test_a_member_that_nothing_uses_is_noticed(used: dict[str, set[str]]) -> None:
    assert (public("IConvolutionLayer") | {"new_member"}) - used["IConvolutionLayer"] == {"new_member"}


@pytest.mark.parametrize(("member", "file"), OLDER.items())
def test_members_that_were_removed_have_a_case(member: str, file: str) -> None:
    cases = [case for case in suite_catalog().cases if case.base_id.startswith(f"{file}/")]
    names = {case.deprecated.name for case in cases if case.deprecated is not None}
    assert member in names
    assert member == "kernel_size" or member in ATTRIBUTE_FIELDS
