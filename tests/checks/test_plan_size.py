"""A plan much larger than its weights is found, and the known cause is named only where it explains the bytes."""

from dataclasses import dataclass, field

import pytest

from tests.support.helpers import make_case
from tests.support.suite import suite_catalog
from trt_conformance.catalog.expectations import read_expectations
from trt_conformance.checks.plan_size import check_plan_size
from trt_conformance.checks.subject import Subject
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.paths import CASES as CASES_FOLDER
from trt_conformance.core.tensors import weights_bytes
from trt_conformance.numerics.plan_size import CODE_BYTES, CONSTANT_BYTES, paddings, weights_limit
from trt_conformance.targets.engines import Engines
from trt_conformance.targets.protocols import EngineFacts, LayerFacts
from trt_conformance.targets.tensorrt import TensorRTTarget


@dataclass
class Engine:
    origin: dict = field(default_factory=dict)
    facts: EngineFacts | None = None

    def describe(self):
        return self.facts

    def close(self):
        pass


class Target:
    name = "tensorrt-10.0-sm90"

    def __init__(self, facts=None, **origin):
        self.engine = Engine({"engine": "built", **origin}, facts)

    def supports(self, case):
        return None

    def build(self, case):
        return self.engine


def judged(case, facts=None, **origin):
    return check_plan_size(Subject(case, Engines(Target(facts, **origin)), lambda *_: None))


def odd(**change):
    given = {
        "precision": "fp16",
        "input": {"shape": [1, 3, 200, 200], "fill": "ones"},
        "kernel": {"shape": [8, 3, 3, 3], "fill": "ones"},
    }
    return make_case(**given | change)


def test_weights_within_twice_their_size_pass_and_the_limit_is_recorded():
    limit = weights_limit(odd())
    found = judged(odd(), plan_bytes=300_000, stored_weights_bytes=limit)
    assert found.status == "pass"
    assert found.figures["weights_limit_bytes"] == limit
    assert found.figures["weights_bytes"] == weights_bytes(odd())


def test_one_byte_of_weights_beyond_the_limit_fails():
    limit = weights_limit(odd())
    found = judged(odd(), plan_bytes=300_000, stored_weights_bytes=limit + 1)
    assert found.status == "fail"
    assert f"holds {limit + 1:,} bytes of weights; at most {limit:,} are expected" in found.message
    assert "the case has 432 bytes of weights" in found.message
    assert "as if" not in found.message and "as_if" not in found.figures


def test_a_plan_with_too_much_beside_its_weights_fails():
    assert judged(odd(), plan_bytes=1000 + CODE_BYTES, stored_weights_bytes=1000).status == "pass"
    found = judged(odd(), plan_bytes=1001 + CODE_BYTES, stored_weights_bytes=1000)
    assert found.status == "fail"
    assert "1,048,577 bytes in addition to weights; at most 1,048,576 are expected" in found.message


def test_where_the_engine_does_not_tell_its_weights_the_whole_plan_is_judged():
    limit = weights_limit(odd()) + CODE_BYTES
    assert judged(odd(), plan_bytes=limit).status == "pass"
    found = judged(odd(), plan_bytes=limit + 1)
    assert found.status == "fail"
    assert f"the plan has {limit + 1:,} bytes; at most {limit:,} are expected" in found.message


def test_zeros_that_pad_channels_are_named_where_they_explain_the_bytes():
    found = judged(odd(), plan_bytes=400_000, stored_weights_bytes=80_000 + 432)
    assert found.figures["as_if"] == ["channels_padded"]
    assert found.figures["padding_bytes"] == 80_000
    assert (
        "as if: zeros that pad channels were weights (channels_padded): "
        "input: 1 channel x 40,000 positions x 2 bytes = 80,000 bytes"
    ) in found.message


@pytest.mark.parametrize("stored", [70_000, 80_000 + weights_limit(odd()) + 1], ids=["less", "more"])
def test_they_are_not_named_where_they_do_not_explain_the_bytes(stored):
    found = judged(odd(), plan_bytes=stored + 1000, stored_weights_bytes=stored)
    assert found.status == "fail"
    assert "as_if" not in found.figures


def test_zeros_are_named_where_only_the_plan_is_known():
    large = odd(input={"shape": [8, 3, 400, 400], "fill": "ones"})
    (padding,) = paddings(large)
    assert judged(large, plan_bytes=padding.bytes + 300_000).figures["as_if"] == ["channels_padded"]


def test_what_the_plan_has_beside_weights_is_not_explained_by_zeros_among_them():
    found = judged(odd(), plan_bytes=2 * CODE_BYTES, stored_weights_bytes=500)
    assert found.status == "fail" and "as_if" not in found.figures


def kernel(name, precision):
    layer = LayerFacts("layer", "convolution", name, (), ())
    return EngineFacts((layer,), layer, precision)


def test_weights_of_a_wider_precision_and_of_a_transform_are_allowed_for():
    case = odd(precision="int8", quantize={"input": 1.0, "kernel": [1.0]})
    beyond = weights_limit(case) + 1
    assert judged(case, kernel("int8_kernel", "int8"), plan_bytes=beyond, stored_weights_bytes=beyond).status == "fail"
    assert judged(case, kernel("f32_kernel", "fp32"), plan_bytes=beyond, stored_weights_bytes=beyond).status == "pass"
    case = odd(precision="fp32")
    beyond = weights_limit(case) + 1
    for name, status in (("sm80_direct", "fail"), ("sm80_winograd_fwd", "pass")):
        assert judged(case, kernel(name, "fp32"), plan_bytes=beyond, stored_weights_bytes=beyond).status == status


def test_zeros_for_turing_are_named_by_its_own_formula():
    turing = odd(builder={"compute_capabilities": ["SM75", "SM120"]})
    found = judged(turing, plan_bytes=500_000, stored_weights_bytes=400_500)
    assert "input: 5 channels x 40,000 positions x 2 bytes = 400,000 bytes" in found.message
    assert "as_if" not in judged(odd(), plan_bytes=500_000, stored_weights_bytes=400_500).figures


def test_a_plan_with_a_runtime_in_it_is_judged_by_its_weights():
    compatible, limit = odd(builder={"flags": ["VERSION_COMPATIBLE"]}), weights_limit(odd())
    assert judged(compatible, plan_bytes=10**8, stored_weights_bytes=limit).status == "pass"
    assert judged(compatible, plan_bytes=10**8, stored_weights_bytes=limit + 1).status == "fail"
    found = judged(compatible, plan_bytes=10**8)
    assert (found.status, found.message) == (
        "unsupported",
        "the plan contains a runtime; the engine does not report its weights",
    )


def test_an_engine_without_a_plan_is_unsupported():
    assert judged(odd()).status == "unsupported"


@pytest.fixture(scope="module")
def rtx():
    try:
        target = TensorRTTarget("tensorrt_rtx")
    except ConformanceError as fault:  # no TensorRT-RTX for this platform
        pytest.skip(str(fault))
    yield target
    target.close()


CASES = [case for case in suite_catalog().cases if case.id.startswith("plan_size/")]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_real_engines_have_the_zeros_that_the_formula_gives(case, rtx):
    """TensorRT-RTX 1.7 stores them; the expectation knows exactly those of the suite's cases that it concerns."""
    engines = Engines(rtx)
    verdict = check_plan_size(Subject(case, engines, lambda *_: None))
    plan = engines.get(case).plan.content
    zeros = sum(padding.bytes for padding in paddings(case, on_turing=case.builder.compute_capabilities is not None))
    assert bytes(max(zeros, 2048)) in plan if zeros else bytes(2048) not in plan
    assert verdict.status == ("fail" if zeros else "pass"), verdict.message
    assert ("channels_padded" in verdict.message) == bool(zeros)
    if zeros:
        assert abs(verdict.figures["stored_weights_bytes"] - zeros - weights_bytes(case)) < 8 * CONSTANT_BYTES


def test_the_expectation_names_the_smallest_cases():
    catalog = suite_catalog()
    entries, faults = read_expectations(CASES_FOLDER / "expectations", None)
    assert not faults
    (entry,) = [entry for entry in entries if entry.id == "plan_with_padded_channels"]
    for case in CASES:
        assert entry.always_covers(case.id, catalog.find) == bool(paddings(case)), case.id
    assert entry.is_about("tensorrt_rtx-1.7.1-aot", "plan_size")
    assert not entry.is_about("tensorrt_rtx-1.8-aot", "plan_size")
    assert not entry.is_about("tensorrt-8.6.1-sm90", "plan_size")
