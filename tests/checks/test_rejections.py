"""A refusal passes in the stated phase with the stated error; whoever accepts, or refuses elsewhere, fails."""

from __future__ import annotations

import pytest

from tests.support.helpers import make_case, run_pytest
from tests.support.suite import suite_case, suite_catalog
from trt_conformance.checks.forward import check_forward
from trt_conformance.checks.rejections import check_reject
from trt_conformance.checks.subject import Subject
from trt_conformance.core.case import Case
from trt_conformance.core.verdict import Verdict
from trt_conformance.golden.computed import computed_reference
from trt_conformance.numerics.reference.result import reference
from trt_conformance.targets.engines import Engines
from trt_conformance.targets.errors import NotRun, Refused, Unsupported
from trt_conformance.targets.isolation.proxy import open_target
from trt_conformance.targets.numpy import NumpyTarget
from trt_conformance.targets.registry import resolve

CASES = {case.base_id: case for case in suite_catalog().cases if case.file.startswith("cases/rejected/")}
RUNS = [name for name, case in CASES.items() if name.startswith("runs/") and case.reject is not None]
SETTERS = [
    name
    for name, case in CASES.items()
    if name.startswith("setters/") and case.reject is not None and case.reject.phase == "set"
]


def judged(case: Case, target: object) -> Verdict:
    return check_reject(Subject(case, Engines(target), lambda c, index: reference(c)))  # type: ignore[arg-type]


def target(name: str) -> object:
    return resolve(f"tests/doubles/refusing.py:{name}")


@pytest.mark.parametrize("name", RUNS)
def test_a_run_that_is_refused_passes_and_one_that_is_not_fails(name: str) -> None:
    right, wrong = judged(CASES[name], target("Refuses")), judged(CASES[name], target("Accepts"))
    assert (right.phase, right.status) == ("run", "pass"), right.message
    assert (wrong.phase, wrong.status) == ("run", "fail")
    assert "accepted, but should be refused in phase run" in wrong.message


# The targets here have setters that look at values, and not at how many there are.
@pytest.mark.parametrize("name", [name for name in SETTERS if "of_one_axis" not in name])
def test_a_setters_refusal_is_no_refusal_of_the_build(name: str) -> None:
    right, wrong = judged(CASES[name], target("Refuses")), judged(CASES[name], target("Accepts"))
    assert (right.phase, right.status) == ("network", "pass"), right.message
    assert wrong.status == "fail"
    assert "refused in phase build, but should be refused in phase set" in wrong.message


@pytest.mark.parametrize("name", RUNS)
def test_what_is_beside_a_refused_run_passes(name: str) -> None:
    reject = CASES[name].reject
    assert reject is not None and reject.neighbor is not None
    beside = CASES[reject.neighbor]
    assert check_forward(Subject(beside, Engines(target("Refuses")), computed_reference)).status == "pass"  # type: ignore[arg-type]


def test_another_error_than_stated_fails() -> None:
    case = CASES["runs/other_name"]
    assert case.reject is not None
    other = case.model_copy(update={"reject": case.reject.model_copy(update={"error": "something else"})})
    verdict = judged(other, target("Refuses"))
    assert verdict.status == "fail"
    assert "refused with another error" in verdict.message


def test_an_engine_without_addresses_cannot_be_misaligned() -> None:
    class Plain(NumpyTarget):
        def supports(self, case: Case) -> str | None:
            return None

    verdict = judged(CASES["runs/misaligned"], Plain())
    assert (verdict.status, verdict.message) == ("unsupported", "the engine does not take addresses of tensors")


def test_onnxruntime_refuses_runs_in_its_own_words() -> None:
    ort = resolve("onnxruntime")
    verdicts = {name: judged(CASES[name], ort) for name in RUNS}
    assert {name for name, v in verdicts.items() if v.status == "pass"} == {
        "runs/other_shape",
        "runs/other_name",
        "runs/other_type",
    }
    assert {v.status for v in verdicts.values()} == {"pass", "unsupported"}


@pytest.fixture(scope="module")
def rtx() -> object:
    from trt_conformance.core.errors import ConformanceError

    try:
        return resolve("tensorrt_rtx")
    except ConformanceError as fault:
        pytest.skip(str(fault))


@pytest.mark.parametrize("name", SETTERS)
def test_tensorrt_keeps_the_old_value_of_a_refused_setter(name: str, rtx: object) -> None:
    verdict = judged(CASES[name], rtx)
    assert (verdict.phase, verdict.status) == ("network", "pass"), verdict.message


def test_a_setter_that_logs_an_error_and_changes_the_value_is_no_refusal_of_the_value(rtx: object) -> None:
    """As a layer would be that keeps what it complains of."""
    from trt_conformance.targets.errors import Refused
    from trt_conformance.targets.tensorrt.network import _Draft

    class Layer:
        stride_nd = (1, 1)

    draft = _Draft(rtx._api, make_case(), rtx._api.create_network())  # type: ignore[attr-defined]
    layer = Layer()
    original = draft.api.take_errors
    logged = iter([(), ("a complaint",)])
    draft.api.take_errors = lambda: next(logged)
    try:
        with pytest.raises(Refused, match=r"`stride_nd` logged an error, but changed from \[1, 1\] to \[0, 1\]") as e:
            draft._set(layer, "stride_nd", (0, 1))
    finally:
        draft.api.take_errors = original
    assert e.value.phase == "network"


def test_no_run_is_tried_without_a_gpu(rtx: object) -> None:
    if not rtx.name.endswith("-aot"):  # type: ignore[attr-defined]
        pytest.skip("this machine has a GPU")
    engine = rtx.build(CASES["runs/static"])  # type: ignore[attr-defined]
    with pytest.raises(NotRun):
        engine.run_misaligned({})
    assert judged(CASES["runs/misaligned"], rtx).status == "not run"


def test_a_misuse_crosses_the_process_of_an_isolated_target() -> None:
    isolated = open_target("tests/doubles/refusing.py:Refuses")
    try:
        verdict = judged(CASES["runs/misaligned"], isolated)
    finally:
        isolated.close()  # type: ignore[attr-defined]
    assert verdict.status == "pass", verdict.message


def test_a_careless_target_fails_the_suite() -> None:
    done = run_pytest(
        "cases/test_reject.py", "--case", "runs/*", "--target", "tests/doubles/refusing.py:Accepts", "--no-record"
    )
    assert done.returncode == 1
    assert f"{len(RUNS)} failed" in done.stdout


def test_a_layout_that_a_version_does_not_hold_in_a_type_is_unsupported(rtx: object) -> None:
    from trt_conformance.targets.errors import Refused, Unsupported

    given = CASES["builds/chw2_of_float32"]
    with pytest.raises(Refused, match="unsupported by tensor's allowed TensorFormats"):
        rtx.build(given)  # type: ignore[attr-defined]
    with pytest.raises(Unsupported, match="unsupported by tensor's allowed TensorFormats"):
        rtx.build(given.model_copy(update={"reject": None}))  # type: ignore[attr-defined]


LABELS = {
    "kernel_has_two_or_three_axes",
    "input_has_batch_and_channels",
    "one_value_per_axis",
    "groups_divide_channels",
}
LABELS |= {"groups_divide_maps", "kernel_fits_groups", "window_fits"}


def test_cases_and_the_numpy_target_name_the_same_constraints() -> None:
    labeled = {name: case for name, case in CASES.items() if case.reject is not None and case.reject.constraint}
    for case in labeled.values():
        with pytest.raises(Refused) as caught:
            NumpyTarget().build(case)
        assert case.reject is not None
        assert caught.value.constraint == case.reject.constraint
    assert {case.reject.constraint for case in labeled.values() if case.reject is not None} == LABELS


class Lacking:
    """A target of a version that lacks a name."""

    def __init__(self, lacks: str) -> None:
        self.name, self._lacks = "tensorrt-10.1.0-sm90", lacks

    def supports(self, case: Case) -> None:
        return None

    def build(self, case: Case) -> None:
        raise Unsupported(f"{self._lacks} does not exist in tensorrt 10.1.0")


def test_a_name_that_must_not_exist_is_refused_where_it_does_not() -> None:
    case = suite_case("layer_facts/no_caffe_round_up-fp32")
    assert judged(case, Lacking("PaddingMode.CAFFE_ROUND_UP")).status == "pass"
    assert judged(case, Lacking("IConvolutionLayer")).status == "unsupported"
    assert judged(case, NumpyOf10()).status == "fail"


class NumpyOf10(NumpyTarget):
    """A target that has every padding mode, under the name of a TensorRT that must not."""

    name = "tensorrt-10.1.0-sm90"

    def supports(self, case: Case) -> None:
        return None
