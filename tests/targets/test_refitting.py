"""An engine is refitted with the weights of its case, in each way that TensorRT has, and refusals are told apart."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.support.suite import suite_case, suite_catalog
from trt_conformance.checks.build import check_build
from trt_conformance.checks.subject import Subject
from trt_conformance.core.case import Case
from trt_conformance.core.tensors import built_with, parameters
from trt_conformance.targets.engines import Engines
from trt_conformance.targets.errors import Refused
from trt_conformance.targets.tensorrt.refitting import refit


class Refitter:
    """A refitter of one convolution by the rules of the header; `combined` weights must all be given at once."""

    combined = False
    lenient = False

    def __init__(self, engine: dict[str, Any], logger: Any) -> None:
        if not engine["refittable"]:
            raise TypeError("factory function returned nullptr")
        self.engine, self.given = engine, {}

    def set_weights(self, layer: str, role: Any, weights: np.ndarray) -> bool:
        name = {("convolution", "KERNEL"): "kernel", ("convolution", "BIAS"): "bias"}.get((layer, role.name))
        return self._set(name, weights)

    def set_named_weights(self, name: str, weights: np.ndarray) -> bool:
        return self._set(name, weights)

    def _set(self, name: str | None, weights: np.ndarray) -> bool:
        held = self.engine["weights"].get(name)
        if held is None or held.size != weights.size or held.dtype != weights.dtype:
            return False
        self.given[name] = weights
        return True

    def get_missing_weights(self) -> list[str]:
        return [name for name in self.engine["weights"] if self.combined and self.given and name not in self.given]

    def get_missing(self) -> tuple[list[str], list[Any]]:
        names = self.get_missing_weights()
        return ["convolution"] * len(names), [SimpleNamespace(name=name.upper()) for name in names]

    def refit_cuda_engine(self) -> bool:
        if self.get_missing_weights() and not self.lenient:
            return False
        self.engine["weights"] |= {name: np.array(values) for name, values in self.given.items()}
        return True


class Combined(Refitter):
    combined = True


class Lenient(Combined):
    lenient = True


def api_with(kind: type[Refitter]) -> Any:
    return SimpleNamespace(
        trt=SimpleNamespace(Refitter=kind),
        logger=None,
        take_errors=tuple,
        weights=lambda array: array,
        required_member=lambda enum, name: SimpleNamespace(name=name),
    )


def engine_of(case: Case, refittable: bool = True) -> dict[str, Any]:
    built = built_with(case)
    assert built.bias is not None
    return {"refittable": refittable, "weights": {"kernel": built.kernel.ravel(), "bias": built.bias}}


@pytest.mark.parametrize("kind", [Refitter, Combined])
@pytest.mark.parametrize("name", ["both-fp32", "both-bf16", "kernel-fp32", "bias-fp32", "by_name-fp16"])
def test_the_engine_ends_with_the_weights_of_the_case(name: str, kind: type[Refitter]) -> None:
    case = suite_case(f"refit/{name}")
    engine, wanted = engine_of(case), parameters(case)
    assert wanted.bias is not None
    built = built_with(case)
    assert not (np.array_equal(built.kernel, wanted.kernel) and np.array_equal(built.bias, wanted.bias))  # type: ignore[arg-type]
    refit(api_with(kind), engine, case)
    np.testing.assert_array_equal(engine["weights"]["kernel"], wanted.kernel.ravel())
    np.testing.assert_array_equal(engine["weights"]["bias"], wanted.bias)


def test_refitting_without_weights_that_are_listed_as_missing_is_an_error() -> None:
    case = suite_case("refit/kernel-fp32")
    with pytest.raises(RuntimeError, match="although these weights are missing: bias"):
        refit(api_with(Lenient), engine_of(case), case)


@pytest.mark.parametrize("name", [case.base_id for case in suite_catalog().cases if case.id.startswith("refit_table/")])
def test_each_wrong_cell_of_the_table_is_refused_by_the_rules_of_the_header(name: str) -> None:
    case = suite_case(f"{name}-fp32")
    with pytest.raises(Refused, match=r"weights for [A-Z]+ of convolution were refused"):
        refit(api_with(Refitter), engine_of(case), case)


@pytest.mark.parametrize("name", ["another_name", "another_layer"])
def test_weights_of_another_name_or_layer_are_refused(name: str) -> None:
    case = suite_case(f"refit/{name}-fp32")
    with pytest.raises(Refused, match=r"of another were refused"):
        refit(api_with(Refitter), engine_of(case), case)


def test_an_engine_that_cannot_be_refitted_is_refused() -> None:
    case = suite_case("refit/not_refittable-fp32")
    with pytest.raises(Refused, match="no refitter was made: factory function returned nullptr"):
        refit(api_with(Refitter), engine_of(case, refittable=False), case)


def test_tensorrt_rtx_asks_for_a_gpu_to_build_an_engine_that_is_refitted() -> None:
    pytest.importorskip("tensorrt_rtx", reason="TensorRT-RTX is not installed")
    from trt_conformance.targets.tensorrt.target import TensorRTTarget

    target = TensorRTTarget("tensorrt_rtx")
    if not target.name.endswith("aot"):
        pytest.skip("this machine has a GPU")
    verdict = check_build(Subject(suite_case("refit/both-fp32"), Engines(target), lambda case, index: None))  # type: ignore[arg-type,return-value]
    assert (verdict.status, "needs a GPU to build this" in verdict.message) == ("not run", True), verdict.message
