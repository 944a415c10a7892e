"""Failures of one cause are one group, whatever their figures; other faults are not in it."""

import pytest

from tests.support.runs import verdict
from trt_conformance.results.causes import cause, others, reason, reason_of_neutral, short_reason


def fault(message, case="stride_nd/h2_w2-fp32", **fields):
    return verdict(case, status="fail", message=f"{case} FAILED in compare\n  {message}", **fields)


def same(a, b):
    return cause(a) == cause(b)


SHAPE = "output.shape is (1, 2, 3, 10), but should be (1, 2, 3, 5)"
WRONG = (
    "output: 3/28 elements beyond the bound; worst at (n=0, k=0, h=0, w=4)\n"
    "  actual 1.5e-3  expected 2  |err| 2  bound 0.1 (20x)  7 ulp\n  {}\n  engine: {}  fp32, 1 layers"
)

BARE = WRONG.replace("\n  {}", "", 1)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (SHAPE, "output.shape is (8, 64, 9, 9, 9), but should be (8, 64, 9, 9, 8)"),
        (WRONG.format("every mismatch is in row 3", "sm80_a"), WRONG.format("every mismatch is in row 12", "sm80_b")),
        (
            WRONG.format("as if: no bias (no_bias)", "a"),
            WRONG.format("every mismatch is in row 3\n  as if: no bias (no_bias)", "b"),
        ),
        (BARE.format("sparse_conv"), BARE.format("sparse_conv").replace("3/28", "4/96")),
        (
            "refused, but should be accepted:\n  layer 0: size 12 exceeds 8",
            "refused, but should be accepted:\n  layer 7: size 9 exceeds 4",
        ),
    ],
)
def test_figures_and_places_are_not_causes(first, second):
    assert same(fault(first), fault(second, "padding/other-fp16"))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (fault(SHAPE), fault("output.dtype is float16, but should be float32")),
        (fault(SHAPE), fault(SHAPE, target="another")),
        (fault(WRONG.format("as if: no bias (no_bias)", "a")), fault(WRONG.format("as if: flipped (flipped)", "a"))),
        (fault(WRONG.format("one element is not finite", "a")), fault(WRONG.format("every mismatch is in row 3", "a"))),
        (fault(BARE.format("sparse_conv")), fault(BARE.format("implicit_gemm"))),
        (
            fault("KeyError: 'x'\n  at run (a.py:3)"),
            verdict(status="error", message="a FAILED in run\n  KeyError: 'x'\n  at run (a.py:3)"),
        ),
        (
            fault("stride_nd reads back as [1], but should be [2]"),
            fault("dilation_nd reads back as [1], but should be [2]"),
        ),
    ],
)
def test_other_faults_are_other_causes(first, second):
    assert not same(first, second)


def test_the_name_of_the_case_is_not_a_cause():
    assert same(fault("cannot build stride_nd/h2_w2"), fault("cannot build padding/2d", "padding/2d-fp32"))


def test_a_reason_is_one_line():
    assert reason("a [fp32] FAILED in build\n  refused, but should be accepted:\n  no tactic") == (
        "refused, but should be accepted: no tactic"
    )
    assert short_reason(fault(WRONG.format("one element is not finite", "a")).message) == (
        "output: 3/28 elements beyond the bound; one element is not finite"
    )
    assert short_reason(fault(WRONG.format("every mismatch is in row 3\n  as if: no bias", "a")).message) == (
        "output: 3/28 elements beyond the bound; as if: no bias"
    )
    assert short_reason(fault(SHAPE).message) == SHAPE
    assert reason("") == short_reason("") == ""


def test_a_long_group_is_named_by_its_first_cases():
    assert others(["a", "b", "a"]) == "a, b"
    assert others(map(str, range(20)), most=3) == "0, 1, 2 and 17 more"


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"status": "unsupported", "message": "3: no\n4: nor this"}, "3: no; 4: nor this"),
        (
            {"status": "fallback", "phase": "latency", "message": "graph, quick: 10.1 us"},
            "timed in a wider precision than requested",
        ),
        ({"status": "not run", "phase": "latency", "message": "not timed: no samples"}, "not timed: no samples"),
    ],
)
def test_what_has_no_result_has_a_reason_in_one_line(fields, text):
    assert reason_of_neutral(verdict(**fields)) == text
