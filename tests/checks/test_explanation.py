"""Nothing that goes wrong while a wrong output is explained changes the verdict, and a NaN of any kind is a fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.support.helpers import make_case
from trt_conformance.catalog.expectations import Expectation, Expectations
from trt_conformance.checks import explanation
from trt_conformance.checks.finding import Finding
from trt_conformance.checks.forward import check_forward
from trt_conformance.checks.second_input import check_inputs
from trt_conformance.checks.subject import Diagnose, Subject
from trt_conformance.core.arrays import Array
from trt_conformance.core.case import Case
from trt_conformance.core.tensors import NUMPY_TYPE, OUTPUT
from trt_conformance.core.verdict import Verdict
from trt_conformance.golden.computed import computed_reference
from trt_conformance.mutants.diagnosis import diagnosis
from trt_conformance.targets.engines import Engines
from trt_conformance.targets.errors import NotRun, Refused, Unsupported
from trt_conformance.targets.numpy import NumpyTarget

LAYER = {
    "input": {"shape": [2, 4, 6, 6], "fill": "uniform_20_bits"},
    "kernel": {"shape": [4, 4, 3, 3], "fill": "uniform_20_bits"},
    "set": {"padding_nd": [1, 1]},
}
EPILOGUES = {"none": (), "add": ({"op": "add"},), "concat": ({"op": "concat"},), "relu": ({"op": "relu"},)}


class Changed(NumpyTarget):
    """NumPy's target with its outputs changed."""

    def __init__(self, change: Callable[[Array], Array]) -> None:
        self._change = change

    def build(self, case: Case) -> Any:
        engine = super().build(case)
        right = engine.run
        engine.run = lambda feeds: {OUTPUT: self._change(right(feeds)[OUTPUT].copy())}
        return engine


def off_by_one(y: Array) -> Array:
    y.flat[0] += 1
    return y


def judged(check: Any, case: Case, change: Callable[[Array], Array], diagnose: Diagnose = diagnosis) -> Verdict:
    return check(Subject(case, Engines(Changed(change)), computed_reference, diagnose))


def raising(fault: BaseException) -> Diagnose:
    def diagnose(*_: Any) -> Any:
        raise fault

    return diagnose


class Nameless:
    doc = "a suspect without a name"


MISBEHAVING: dict[str, Diagnose] = {
    "value": raising(ValueError("operands could not be broadcast together")),
    "key": raising(KeyError("input")),
    "memory": raising(MemoryError()),
    "recursion": raising(RecursionError("too deep")),
    "warning": raising(RuntimeWarning("invalid value")),
    "assertion": raising(AssertionError()),
    "refused": raising(Refused("build", "no")),
    "unsupported": raising(Unsupported("no")),
    "not_run": raising(NotRun("no")),
    "nothing": lambda *_: None,  # type: ignore[return-value]
    "nameless": lambda *_: [Nameless()],  # type: ignore[list-item]
    "number": lambda *_: [5],  # type: ignore[list-item]
}


@pytest.mark.parametrize("check", [check_forward, check_inputs])
@pytest.mark.parametrize("kind", MISBEHAVING)
def test_a_diagnosis_that_breaks_down_leaves_the_fail_with_its_values(check: Any, kind: str) -> None:
    case = make_case(**LAYER)
    plain = judged(check, case, off_by_one, lambda *_: ())
    found = judged(check, case, off_by_one, MISBEHAVING[kind])
    assert (found.phase, found.status) == ("compare", "fail")
    assert found.figures == plain.figures
    assert "elements beyond the bound" in found.message
    assert "(the diagnosis failed: " in found.message
    assert "failed" not in plain.message


@pytest.mark.parametrize("value", [0.0, 0.25])
def test_an_output_that_does_not_depend_on_the_input_has_a_symptom_and_no_name(value: float) -> None:
    """A padding of twice the width, a window past the input and more would give zeros."""
    case = make_case(
        input={"shape": [2, 2, 3, 3], "fill": "uniform_20_bits"},
        kernel={"shape": [2, 2, 1, 1], "fill": "uniform_20_bits"},
        set={"stride_nd": [3, 3], "padding_nd": [1, 1]},
    )
    wrong = np.full(computed_reference(case, 0).output.shape, value, np.float32)
    suspects = diagnosis(case, 0, wrong, computed_reference(case, 0))
    found = judged(check_forward, case, lambda y: wrong.copy())
    assert found.status == "fail"
    assert found.figures["as_if"] == []
    assert ("symptom: a second input of other values gives the same output" in found.message) == bool(suspects)
    assert bool(suspects) == (value == 0)


def test_evidence_that_breaks_down_leaves_the_fail_with_its_values(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise IndexError("out of bounds")

    monkeypatch.setattr(explanation, "evidence", broken)
    found = judged(check_forward, make_case(**LAYER), off_by_one)
    assert (found.status, found.figures["beyond"]) == ("fail", 1)
    assert "evidence" not in found.figures
    assert "(the evidence for the report failed: IndexError: out of bounds)" in found.message


@pytest.mark.parametrize("epilogue", EPILOGUES)
def test_a_wrong_output_is_a_fail_whatever_follows_the_layer(epilogue: str) -> None:
    case = make_case(**LAYER, epilogue=EPILOGUES[epilogue])
    assert judged(check_forward, case, lambda y: y).status == "pass"
    found = judged(check_forward, case, off_by_one)
    assert (found.phase, found.status, found.figures["beyond"]) == ("compare", "fail", 1)
    assert "failed" not in found.message


@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16"])
@pytest.mark.parametrize("check", [check_forward, check_inputs])
def test_a_signalling_nan_in_an_output_is_a_fail(check: Any, precision: str) -> None:
    bits = {"fp32": (np.uint32, 0x7FA00000), "fp16": (np.uint16, 0x7D00), "bf16": (np.uint16, 0x7FA0)}
    unsigned, pattern = bits[precision]

    def signaling(y: Array) -> Array:
        y.view(unsigned).flat[0] = pattern
        return y

    case = make_case(**LAYER, precision=precision)
    assert NUMPY_TYPE[case.data_type].itemsize == np.dtype(unsigned).itemsize
    found = judged(check, case, signaling)
    assert (found.phase, found.status) == ("compare", "fail")
    assert "actual nan" in found.message


def test_a_finding_passes_unless_it_has_a_fault() -> None:
    from trt_conformance.checks.finding import finding

    assert finding([], a=1) == Finding("pass", [], {"a": 1})
    assert finding(["wrong"]).status == "fail"


@pytest.mark.parametrize(
    ("zeros_too", "named"), [(False, []), (True, ["bias_skips_zeros"])], ids=["in_the_padding", "wherever"]
)
def test_a_name_also_holds_where_the_input_has_zeros(zeros_too: bool, named: list[str]) -> None:
    """Without zeros in the input, sums of zero are those of the padding."""
    case = make_case(
        input={"shape": [1, 1, 5, 6], "fill": "tiled_1_to_9"},
        kernel={"shape": [1, 1, 1, 1], "values": [2]},
        bias={"values": [7]},
        set={"padding_nd": [1, 1]},
    )

    def without_bias(y: Array) -> Array:
        ring = np.ones(y.shape, bool)
        ring[..., 1:-1, 1:-1] = False
        return np.where((y == 7) & (ring | zeros_too), np.float32(0), y)

    verdict = judged(check_forward, case, without_bias)
    assert verdict.status == "fail"
    assert verdict.figures["as_if"] == named


@pytest.mark.parametrize("check", [check_forward, check_inputs], ids=["forward", "inputs"])
@pytest.mark.parametrize(
    ("difference", "diagnosed"),
    [("elements beyond the bound", False), ("as if: the kernel is flipped", True), ("refused", True)],
    ids=["described", "by_its_diagnosis", "otherwise"],
)  # fmt: skip
def test_a_known_difference_is_diagnosed_only_if_the_diagnosis_describes_it(
    check: Any, difference: str, diagnosed: bool
) -> None:
    case = make_case(**LAYER)
    expectation = Expectation(
        id="known", cause="deviation", doc="a known difference", targets=("*",), cases=("*",),
        checks=("forward", "inputs"), phase="compare", difference=difference,
    )  # fmt: skip
    expectations, asked = Expectations([expectation]), []

    def flipped(*wrong: Any) -> list[FlippedKernel]:
        asked.append(wrong)
        return [FlippedKernel()]

    subject = Subject(
        case, Engines(Changed(off_by_one)), computed_reference, flipped,
        knows=lambda fault: bool(expectations.apply(fault).known),
    )  # fmt: skip
    found = check(subject)
    assert found.status == "fail"
    assert bool(asked) == diagnosed
    assert ("as if: the kernel is flipped" in found.message) == diagnosed
    applied = expectations.apply(replace(found, check=check.__name__.removeprefix("check_")))
    assert applied.known == ("" if difference == "refused" else "known")


class FlippedKernel:
    name, doc, symptom = "kernel_flipped", "the kernel is flipped", False


def test_a_bias_that_windows_of_padding_lack_is_not_one_that_every_sum_of_zero_lacks() -> None:
    """No other window of the second input is all zeros; every window of the third is."""
    case = make_case(
        input={"shape": [1, 1, 5, 6], "fill": "tiled_1_to_9"},
        kernel={"shape": [1, 1, 2, 2], "values": [2, 3, 5, 7]},
        bias={"values": [7]},
        set={"padding_nd": [2, 2]},
    )

    def without_bias(everywhere: bool) -> Callable[[Array], Array]:
        ring = np.ones((1, 1, 8, 9), bool)
        ring[..., 1:-1, 1:-1] = False
        return lambda y: np.where((y == 7) & (ring | everywhere), np.float32(0), y)

    assert judged(check_forward, case, without_bias(False)).figures["as_if"] == []
    assert judged(check_forward, case, without_bias(True)).figures["as_if"] == ["bias_skips_zeros"]
