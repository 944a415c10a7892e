"""PyTorch as a target: right values in every precision it has, whatever the padding, and a latency."""

import pytest

from tests.support.helpers import make_case
from trt_conformance.checks.forward import check_forward
from trt_conformance.checks.latency import check_latency
from trt_conformance.checks.subject import Subject
from trt_conformance.core.errors import ConformanceError
from trt_conformance.golden.computed import computed_reference
from trt_conformance.targets.engines import Engines
from trt_conformance.targets.errors import Refused
from trt_conformance.targets.protocols import offers
from trt_conformance.targets.registry import resolve
from trt_conformance.targets.timing.measurement import TimingPlan

UNIFORM = {"input": {"shape": [2, 4, 7, 9], "fill": "uniform"}, "kernel": {"shape": [6, 2, 3, 3], "fill": "uniform"}}
VOLUME = {"input": {"shape": [4, 5, 6, 7], "fill": "uniform"}, "kernel": {"shape": [6, 2, 2, 3, 3], "fill": "uniform"}}


@pytest.fixture(scope="module")
def target():
    pytest.importorskip("torch")
    return resolve("torch")


def subject(target, **fields):
    return Subject(make_case(**fields), Engines(target), computed_reference)


@pytest.mark.parametrize("precision", ["fp32", "tf32", "fp16", "bf16"])
@pytest.mark.parametrize(
    "assignments",
    [
        {},
        {"padding_nd": [1, 2]},
        {"pre_padding": [2, 0], "post_padding": [0, 3]},
        {"stride_nd": [2, 3], "dilation_nd": [2, 1], "padding_mode": "EXPLICIT_ROUND_UP"},
        {"stride_nd": [2, 2], "padding_mode": "SAME_UPPER"},
        {"stride_nd": [2, 2], "padding_mode": "SAME_LOWER"},
    ],
)
def test_values(target, precision, assignments):
    bias = {"bias": {"fill": "uniform"}}
    given = subject(target, **UNIFORM, **bias, precision=precision, set={"num_groups": 2} | assignments)
    if target.supports(given.case):
        pytest.skip(target.supports(given.case))
    assert check_forward(given).status == "pass"


def test_volumes_without_their_batch_dimension(target):
    case = make_case(**VOLUME, set={"num_groups": 2, "stride_nd": [1, 2, 1], "padding_nd": [1, 0, 2]})
    case = case.model_copy(update={"input": case.input.model_copy(update={"shape": (3, 4, 5, 6, 7)})})
    assert check_forward(Subject(case, Engines(target), computed_reference)).status == "pass"


def test_a_window_that_does_not_fit_is_refused(target):
    with pytest.raises(Refused, match="image size is smaller"):
        target.build(make_case(kernel={"shape": [1, 1, 9, 9], "fill": "ones"}))


def test_what_it_has_not(target):
    assert "int8" in target.supports(make_case(precision="int8"))
    assert target.name.split("-")[0] == "torch"


def test_latency(target):
    engine = target.build(make_case())
    assert offers(engine, "timing_modes", "measure")
    found = check_latency(subject(target, **UNIFORM, set={"num_groups": 2}), limit_s=1.0)
    assert (found.phase, found.status) == ("latency", "pass")
    assert found.figures["mode"] == engine.timing_modes()[0]
    assert TimingPlan(found.figures["mode"]).mode in engine.timing_modes()


def test_absent_it_says_what_to_install():
    try:
        import torch  # noqa: F401
    except ImportError:
        with pytest.raises(ConformanceError, match=r"pip install -e '.\[torch\]'"):
            resolve("torch")
    else:
        assert resolve("torch").name.startswith("torch-")
