"""The builder options of a case reach the configuration, and those that a machine or a version lacks say so."""

from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.suite import suite_case
from trt_conformance.targets.errors import NotRun, Refused, Unsupported
from trt_conformance.targets.options import Options
from trt_conformance.targets.tensorrt.build import PlanBuilder, check_lean_runtime
from trt_conformance.targets.tensorrt.configuration import configure
from trt_conformance.targets.tensorrt.loading import load


def fake_api(members: dict[str, set[str]], **builder: Any) -> Any:
    """A version of TensorRT that has these members of enumerations."""

    def required(enum: str, name: str) -> str:
        if name not in members.get(enum, ()):
            raise Unsupported(f"{enum}.{name} does not exist")
        return name

    return SimpleNamespace(
        flavor="tensorrt", version="9.9", builder=SimpleNamespace(**builder), required_member=required
    )


def test_every_layer_is_for_the_dla_where_there_is_one() -> None:
    config = SimpleNamespace()
    configure(fake_api({"DeviceType": {"DLA"}}, num_DLA_cores=2), config, suite_case("dla/plain-fp16"))
    assert config == SimpleNamespace(default_device_type="DLA", DLA_core=0)


def test_a_case_of_a_dla_is_not_run_without_one() -> None:
    with pytest.raises(NotRun, match=r"tensorrt 9\.9 finds no DLA on this machine"):
        configure(fake_api({"DeviceType": {"DLA"}}, num_DLA_cores=0), SimpleNamespace(), suite_case("dla/plain-fp16"))


def test_a_version_without_the_device_does_not_support_the_case() -> None:
    with pytest.raises(Unsupported, match=r"DeviceType\.DLA"):
        configure(fake_api({}, num_DLA_cores=1), SimpleNamespace(), suite_case("dla/plain-fp16"))


@pytest.mark.parametrize("flavor", ["tensorrt", "tensorrt_rtx"])
def test_a_lean_runtime_that_is_not_installed_is_no_refusal(flavor):
    errors = ["6: Internal Error (Unable to load library: libnvinfer_lean.so.8.6.0)"]
    check_lean_runtime(flavor, ["another error"])
    if flavor == "tensorrt":
        with pytest.raises(NotRun, match="tensorrt_lean"):
            check_lean_runtime(flavor, errors)
    else:
        check_lean_runtime(flavor, errors)


@pytest.mark.parametrize(("stated", "kind"), [(False, Unsupported), (True, Refused)])
def test_a_layout_that_a_document_states_is_refused_and_not_missing(stated: bool, kind: type[Exception]) -> None:
    case = suite_case("formats_stated/hwc_input-int8")
    case = case.model_copy(update={"formats": case.formats.model_copy(update={"stated": stated})})
    errors = ("input: has dataType Int8 unsupported by tensor's allowed TensorFormats.",)
    builder = PlanBuilder(
        SimpleNamespace(flavor="tensorrt", take_errors=lambda: errors, take_shortages=tuple),  # type: ignore[arg-type]
        None, Options(), None,
    )  # fmt: skip
    with pytest.raises(kind, match="has dataType Int8"):
        builder._content(None, case)


class Context:
    pass


@pytest.mark.parametrize("name", ["weight_streaming_budget_v2", "weight_streaming_budget"])
def test_the_budget_of_streamed_weights_is_set_before_there_is_a_context(name: str) -> None:
    order: list[str] = []

    class Engine:
        device_memory_size = 0

        def create_execution_context(self) -> Context:
            order.append("context")
            return Context()

    setattr(Engine, name, property(lambda self: 0, lambda self, budget: order.append(f"{name} = {budget}")))
    load(_loads(Engine), b"", suite_case("builder_options/weight_streaming_of_all-fp32"))
    assert order == [f"{name} = 0", "context"]


def test_a_budget_that_is_refused_and_a_version_that_streams_no_weights() -> None:
    class Engine:
        weight_streaming_budget_v2 = 0

    case = suite_case("builder_options/weight_streaming_of_all-fp32")
    errors = [(), ("the budget is too small",)]
    with pytest.raises(Refused, match="the budget is too small"):
        load(_loads(Engine, lambda: errors.pop(0)), b"", case)
    with pytest.raises(Unsupported, match="does not stream weights"):
        load(_loads(object), b"", case)


def _loads(engine: type, take: Any = tuple) -> Any:
    """A TensorRT that loads an engine of this class."""
    return SimpleNamespace(
        flavor="tensorrt",
        version="9.9",
        trt=SimpleNamespace(ICudaEngine=engine),
        runtime=SimpleNamespace(deserialize_cuda_engine=lambda plan: engine()),
        take_errors=take,
        member=lambda enum, name: None,
    )
