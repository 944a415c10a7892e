"""The precision of a layer, the type of its output, and dynamic ranges are set as the case states, or refused."""

from types import MethodType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.support.helpers import make_case
from tests.support.suite import suite_catalog
from trt_conformance.catalog.lint.network import lint_network
from trt_conformance.catalog.lint.quantization import lint_quantization
from trt_conformance.core.case import Case
from trt_conformance.numerics.reference.quantization import quantize, scales
from trt_conformance.targets.errors import Refused, Unsupported
from trt_conformance.targets.tensorrt.api import Api
from trt_conformance.targets.tensorrt.build import weak_flags
from trt_conformance.targets.tensorrt.network import _Draft


def case_of(case_id: str) -> Case:
    found = suite_catalog().find(case_id)
    assert found is not None, case_id
    return found


class Tensor:
    def __init__(self, takes: bool = True) -> None:
        self.takes, self.ends = takes, ()

    def set_dynamic_range(self, low: float, high: float) -> bool:
        self.ends = (low, high)  # type: ignore[assignment]
        return self.takes


class Layer:
    precision, types = SimpleNamespace(name="HALF"), None

    def set_output_type(self, index: int, dtype: str) -> None:
        self.types = {index: dtype}  # type: ignore[assignment]


def draft(case: Case, errors: tuple[str, ...] = ()) -> Any:
    """A draft of a network of a TensorRT 8, whose setters log these errors."""
    logged = [*errors]

    def take() -> tuple[str, ...]:
        return tuple(logged.pop() for _ in range(len(logged)))

    made = object.__new__(_Draft)
    made.api = SimpleNamespace(  # type: ignore[assignment]
        flavor="tensorrt",
        version="8.6.1",
        take_errors=take,
        required_member=lambda enum, name: SimpleNamespace(name=name),
    )
    made.api.require_attribute = MethodType(Api.require_attribute, made.api)
    made.case, made.strong, made.errors, made.inputs = case, False, [], {"input": Tensor()}
    return made


def test_input_and_output_get_ranges() -> None:
    made, output = draft(case_of("precision/lower_end-int8")), Tensor()
    made._set_ranges(output)
    assert made.inputs["input"].ends == (-127.0, 90.0)
    assert output.ends == (-127.0 * 127, 127.0 * 127)


def test_the_kernel_is_the_layers_own_where_a_range_quantizes() -> None:
    """A kernel that is a tensor would need a range of its own."""
    assert case_of("precision/obey_int8-int8").weights == "constructor"
    assert case_of("precision/obey_int8_tensor-int8").weights == "set_input"
    assert case_of("scales/plain-int8").weights == "set_input"


def test_a_network_with_q_and_dq_gets_no_ranges() -> None:
    made, output = draft(case_of("scales/plain-int8")), Tensor()
    made._set_ranges(output)
    assert made.inputs["input"].ends == output.ends == ()


def test_a_range_that_is_refused_and_a_version_without_ranges() -> None:
    made = draft(case_of("precision/lower_end-int8"), ("the range is wrong",))
    made.inputs["input"] = Tensor(takes=False)
    with pytest.raises(Refused, match="the range is wrong"):
        made._set_ranges(Tensor())
    made.inputs["input"] = object()
    with pytest.raises(Unsupported, match=r"`set_dynamic_range` does not exist in tensorrt 8\.6\.1"):
        made._set_ranges(Tensor())


def test_the_layer_gets_the_stated_precision_and_type() -> None:
    layer = Layer()
    draft(case_of("precision/obey_int8-int8"))._type(layer)
    assert (layer.precision.name, layer.types) == ("INT8", {0: SimpleNamespace(name="FLOAT")})


def test_a_type_that_is_refused_is_refused_where_it_is_set() -> None:
    with pytest.raises(Refused, match="strongly typed") as caught:
        draft(case_of("precision/strong_output_type-fp16"), ("strongly typed",))._type(Layer())
    assert caught.value.phase == "set"


def test_a_layer_without_precision_is_unsupported() -> None:
    with pytest.raises(Unsupported, match=r"`precision` does not exist in tensorrt 8\.6\.1"):
        draft(case_of("precision/strong_precision-fp16"))._type(object())
    with pytest.raises(Unsupported, match=r"`set_output_type` does not exist in tensorrt 8\.6\.1"):
        draft(case_of("precision/strong_output_type-fp16"))._type(object())


def test_what_must_be_obeyed_is_not_only_preferred() -> None:
    assert weak_flags(case_of("precision/unconstrained-fp16")) == ("FP16", "PREFER_PRECISION_CONSTRAINTS")
    assert weak_flags(case_of("precision/obey_half-fp16")) == ("FP16",)
    assert weak_flags(case_of("precision/obey_int8-int8")) == ("INT8",)


@pytest.mark.parametrize("case_id", ["precision/obey_half-fp16", "precision/lower_end-int8"])
def test_tensorrt_rtx_has_no_such_networks(case_id: str) -> None:
    try:
        api = Api("tensorrt_rtx", has_gpu=False)
    except ImportError as fault:
        pytest.skip(str(fault))
    assert api.lacks_typing(case_of(case_id)) == f"tensorrt_rtx {api.version} has no weakly typed networks"
    assert not api.is_strongly_typed(case_of("precision/lower_end-int8"))


def test_ties_of_an_implicitly_quantized_kernel_go_up() -> None:
    values = np.array([0.5, 1.5, -0.5, -1.5, 2.5, 2.4])
    one = scales(1.0, 1)
    np.testing.assert_array_equal(quantize(values, one, ties_up=True), [1, 2, 0, -1, 3, 2])
    np.testing.assert_array_equal(quantize(values, one), [0, 2, 0, -2, 2, 2])


def implicit(**fields: Any) -> list[str]:
    given = {"input": 1.0, "kernel": [1.0], "dynamic_range": [-100.0, 127.0]} | fields
    kernel = {"shape": [1, 1, 1, 3], "values": [127, 1, -3]}
    case = make_case(precision="int8", kernel=kernel, quantize=given, exact=True)
    return [text for _, text in lint_quantization(case)]


def test_a_dynamic_range_alone_makes_a_case_quantized_implicitly() -> None:
    scales_only = {"input": 1.0, "kernel": [1.0]}
    ranged = make_case(precision="int8", quantize=scales_only | {"dynamic_range": [-100.0, 127.0]})
    assert ranged.is_quantized_implicitly
    assert not make_case(precision="int8", quantize=scales_only).is_quantized_implicitly
    assert not make_case().is_quantized_implicitly


def test_scales_follow_from_the_range_and_the_kernel() -> None:
    assert implicit() == []
    assert implicit(input=2.0) == ["quantize.input: the range gives the scale 1, not 2"]
    assert implicit(kernel=[2.0]) == ["quantize.kernel: the largest weight of each map gives the scales 1"]
    assert implicit(dynamic_range=[1.0, 127.0]) == [
        "quantize.dynamic_range: expected a range around 0, got [1.0, 127.0]"
    ]
    (text,) = implicit(zero_point="constant")
    assert (
        text
        == "quantize.dynamic_range: needs precision int8, a weakly typed network, and no other settings of Q and DQ"
    )


def test_a_precision_needs_a_weakly_typed_network() -> None:
    problems = [text for _, text in lint_network(make_case(precision="fp16", network={"precision": "HALF"}))]
    assert problems == ['network.precision: needs typing = "weak", or reject, because other networks refuse it']
    assert not [*lint_network(make_case(precision="fp16", typing="weak", network={"precision": "HALF"}))]
