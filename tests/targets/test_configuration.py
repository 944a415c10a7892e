"""The builder options of a case reach the configuration, and those that a machine or a version lacks say so."""

from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.suite import suite_case
from trt_conformance.targets.errors import NotRun, Refused, Unsupported
from trt_conformance.targets.options import Options
from trt_conformance.targets.tensorrt.build import PlanBuilder, check_lean_runtime
from trt_conformance.targets.tensorrt.configuration import configure


def fake_api(members: dict[str, set[str]], **builder: Any) -> Any:
    """A version of TensorRT that has these members of enumerations."""

    def required(enum: str, name: str) -> str:
        if name not in members.get(enum, ()):
            raise Unsupported(f"{enum}.{name} does not exist")
        return name

    return SimpleNamespace(
        flavour="tensorrt", version="9.9", builder=SimpleNamespace(**builder), required_member=required
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


@pytest.mark.parametrize("flavour", ["tensorrt", "tensorrt_rtx"])
def test_a_lean_runtime_that_is_not_installed_is_no_refusal(flavour):
    errors = ["6: Internal Error (Unable to load library: libnvinfer_lean.so.8.6.0)"]
    check_lean_runtime(flavour, ["another error"])
    if flavour == "tensorrt":
        with pytest.raises(NotRun, match="tensorrt_lean"):
            check_lean_runtime(flavour, errors)
    else:
        check_lean_runtime(flavour, errors)


@pytest.mark.parametrize(("stated", "kind"), [(False, Unsupported), (True, Refused)])
def test_a_layout_that_a_document_states_is_refused_and_not_missing(stated: bool, kind: type[Exception]) -> None:
    case = suite_case("formats_stated/hwc_input-int8")
    case = case.model_copy(update={"formats": case.formats.model_copy(update={"stated": stated})})
    errors = ("input: has dataType Int8 unsupported by tensor's allowed TensorFormats.",)
    builder = PlanBuilder(
        SimpleNamespace(flavour="tensorrt", take_errors=lambda: errors, take_shortages=tuple),  # type: ignore[arg-type]
        None, Options(), None,
    )  # fmt: skip
    with pytest.raises(kind, match="has dataType Int8"):
        builder._content(None, case)
