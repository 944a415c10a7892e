"""What an engine says of itself is compared with what the case states: one that says otherwise fails."""

import copy
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.suite import suite_catalog
from trt_conformance.checks.engine_report import check_engine
from trt_conformance.checks.subject import Subject
from trt_conformance.core.case import Case, Formats
from trt_conformance.core.verdict import Verdict
from trt_conformance.targets.engines import Engines
from trt_conformance.targets.tensorrt.api import Api
from trt_conformance.targets.tensorrt.reporting import laid_out, reported

LINEAR: dict[str, Any] = {
    "input": {"format": "LINEAR", "dtype": "FLOAT", "shape": [1, 4, 6, 9], "vectorized_dim": -1},
    "output": {"format": "LINEAR", "dtype": "FLOAT", "shape": [1, 8, 4, 7], "vectorized_dim": -1},
    "num_optimization_profiles": 1,
    "refittable": False,
    "context_shapes": [[[1, 4, 6, 9], [1, 8, 4, 7]]],
    "parameters": {},
}
PARAMETERS: dict[str, Any] = {
    "Kernel": [2, 3],
    "PaddingMode": "kEXPLICIT_ROUND_DOWN",
    "PrePadding": [1, 2],
    "PostPadding": [2, 1],
    "Stride": [1, 2],
    "Dilation": [3, 1],
    "OutMaps": 8,
    "Groups": 2,
    "Activation": "RELU",
}
INSPECTED = LINEAR | {"context_shapes": [[[1, 4, 12, 19], [1, 8, 12, 10]]], "parameters": PARAMETERS}


def case_of(case_id: str) -> Case:
    found = suite_catalog().find(case_id)
    assert found is not None, case_id
    return found


def verdict_on(case_id: str, said: dict[str, Any], ran_in: Any = None, **origin: Any) -> Verdict:
    """The verdict of the check on an engine that says this of itself, and whose inspector gives these facts."""
    engine = SimpleNamespace(reports=lambda: said, origin=origin, describe=lambda: ran_in, run=None, close=lambda: None)
    target = SimpleNamespace(name="tensorrt-9.9", supports=lambda case: None, build=lambda case: engine)
    return check_engine(Subject(case_of(case_id), Engines(target), lambda case, index: None))  # type: ignore[arg-type,return-value]


def changed(said: dict[str, Any], *place: Any, to: Any) -> dict[str, Any]:
    whole = copy.deepcopy(said)
    part = whole
    for key in place[:-1]:
        part = part[key]
    part[place[-1]] = to
    return whole


def test_an_engine_that_says_what_the_case_states_passes() -> None:
    assert verdict_on("engine_facts/linear-fp32", LINEAR).status == "pass"
    assert verdict_on("engine_facts/inspector-fp32", INSPECTED).status == "pass"


@pytest.mark.parametrize(
    ("place", "value", "text"),
    [
        (("input", "format"), "CHW4", "format of the input is CHW4, but should be LINEAR"),
        (("output", "dtype"), "HALF", "dtype of the output is HALF, but should be FLOAT"),
        (("input", "shape"), [-1, 4, 6, 9], "shape of the input is [-1, 4, 6, 9], but should be [1, 4, 6, 9]"),
        (("refittable",), True, "refittable is True, but should be False"),
        (("num_optimization_profiles",), 2, "num_optimization_profiles is 2, but should be 1"),
        (("context_shapes", 0, 1), [-1, 8, 4, 7], "the context reports the shapes [1, 4, 6, 9] and [-1, 8, 4, 7]"),
    ],
)
def test_an_engine_that_says_otherwise_fails(place: tuple[Any, ...], value: Any, text: str) -> None:
    verdict = verdict_on("engine_facts/linear-fp32", changed(LINEAR, *place, to=value))
    assert (verdict.status, text in verdict.message) == ("fail", True), verdict.message


@pytest.mark.parametrize("name", PARAMETERS)
def test_an_inspector_that_gives_another_parameter_fails(name: str) -> None:
    verdict = verdict_on("engine_facts/inspector-fp32", changed(INSPECTED, "parameters", name, to=None))
    assert (verdict.status, f"the inspector's {name} is None" in verdict.message) == ("fail", True), verdict.message


def test_an_inspector_without_the_layer_fails() -> None:
    verdict = verdict_on("engine_facts/inspector-fp32", changed(INSPECTED, "parameters", to={}))
    assert "the inspector has no convolution with parameters" in verdict.message


SPARSE_SHAPES = LINEAR | {"context_shapes": [[[1, 32, 8, 10], [1, 64, 6, 8]]]}


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ({"sparse_eligible_layers": 1, "sparse_layers": 0}, "pass"),
        ({"sparse_eligible_layers": 0, "sparse_layers": 0}, "fail"),
        ({}, "unsupported"),
    ],
)
def test_whether_the_builder_lists_the_layer_as_sparse(origin: dict[str, int], status: str) -> None:
    verdict = verdict_on("builder_options/sparse_eligible-fp16", SPARSE_SHAPES, **origin)
    assert verdict.status == status, verdict.message
    assert verdict.figures.get("sparse_layers") == (origin.get("sparse_layers") if status != "unsupported" else None)


THREE_D = LINEAR | {"context_shapes": [[[1, 1, 4, 6, 9], [1, 1, 4, 4, 7]]]}


@pytest.mark.parametrize(
    ("origin", "ran_in", "status"),
    [
        ({"constraints_not_obeyed": 1}, "fp32", "pass"),
        ({}, "fp32", "fail"),
        ({}, "int8", "unsupported"),
    ],
)
def test_a_fallback_must_come_with_a_warning(origin: dict[str, int], ran_in: str, status: str) -> None:
    facts = SimpleNamespace(precision=ran_in)
    verdict = verdict_on("precision/prefer_int8-int8", THREE_D, ran_in=facts, **origin)
    assert verdict.status == status, verdict.message


def test_what_the_builder_logs_of_sparsity_is_counted() -> None:
    try:
        api = Api("tensorrt_rtx", has_gpu=False)
    except ImportError as fault:
        pytest.skip(str(fault))
    api.take_memory()
    info = api.trt.ILogger.Severity.INFO
    api.logger.log(info, "(Sparsity) Layers eligible for sparse math: convolution, another")
    api.logger.log(info, "(Sparsity) TRT inference plan picked sparse implementation for layers: ")
    assert api.take_memory() == {"sparse_eligible_layers": 2, "sparse_layers": 0}
    warning = api.trt.ILogger.Severity.WARNING
    api.logger.log(warning, "No implementation of layer convolution obeys the requested constraints in strict mode.")
    assert api.take_memory() == {"constraints_not_obeyed": 1}


class LoadedEngine:
    """A loaded engine with one layer, in TensorRT's own words."""

    num_optimization_profiles, refittable = 1, False

    def get_tensor_format(self, name: str) -> Any:
        return SimpleNamespace(name={"input": "CHW4", "output": "HWC8"}[name])

    def get_tensor_dtype(self, name: str) -> Any:
        return SimpleNamespace(name="INT8")

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return (-1, 4, 6, 9)

    def get_tensor_vectorized_dim(self, name: str) -> int:
        return 1

    def get_tensor_components_per_element(self, name: str) -> int:
        return 4

    def create_engine_inspector(self) -> Any:
        text = '{"Layers": ["a name", {"ParameterType": "Reformat"}, {"ParameterType": "Convolution", "Groups": 2}]}'
        return SimpleNamespace(get_engine_information=lambda form: text)


def test_a_loaded_engine_is_read_in_json_values() -> None:
    shapes: dict[str, Any] = {}
    context = SimpleNamespace(set_input_shape=shapes.__setitem__, get_tensor_shape=lambda name: shapes["input"])
    api = SimpleNamespace(trt=SimpleNamespace(LayerInformationFormat=SimpleNamespace(JSON=1)))
    found = reported(api, LoadedEngine(), context, case_of("engine_facts/batch_minus_one-fp32"))  # type: ignore[arg-type]
    assert found["input"] == {
        "format": "CHW4", "dtype": "INT8", "shape": [-1, 4, 6, 9], "vectorized_dim": 1, "components_per_element": 4,
    }  # fmt: skip
    assert found["context_shapes"] == [[[1, 4, 6, 9]] * 2, [[4, 4, 6, 9]] * 2]
    assert found["parameters"] == {"ParameterType": "Convolution", "Groups": 2}


def test_tensors_are_packed_in_the_layouts_that_the_builder_chose() -> None:
    assert laid_out(LoadedEngine(), Formats(input="CHW2")) == Formats(input="CHW2")
    chosen = laid_out(LoadedEngine(), Formats(also=("CHW4", "HWC8")))
    assert (chosen.input, chosen.output) == ("CHW4", "HWC8")
