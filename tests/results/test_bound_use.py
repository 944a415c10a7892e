"""What a run says of how far bounds were used: by arithmetic, with the case that used most."""

import math

import pytest

from tests.support.exported import view
from tests.support.pages import page
from tests.support.runs import TARGET, record, verdict
from trt_conformance.results.bound_use import BoundUse, bound_use, fraction
from trt_conformance.results.report.exports import prometheus
from trt_conformance.results.summary import bounds


def used(case, fraction, bound_for="fp32"):
    return verdict(case, figures={"fraction": fraction, "bound_for": bound_for})


VERDICTS = [
    used("a/one-fp32", 0.25),
    used("a/two-fp32", 0.0),
    used("a/three-fp32", 0.75),
    used("a/tiles-fp32", 0.125, "winograd"),
    used("a/half-fp16", 0.5, "fp16"),
    used("a/half-bf16", 0.0),
    verdict("a/one-fp32", check="execution_modes", figures={"fraction": 9.0}),
]


def test_each_arithmetic_has_its_largest_case():
    assert bound_use(VERDICTS) == [
        BoundUse(TARGET, "bf16", 1, 1, None, 0.0, "a/half-bf16"),
        BoundUse(TARGET, "fp16, fp16 sums", 1, 0, 0.5, 0.5, "a/half-fp16"),
        BoundUse(TARGET, "fp32", 3, 1, 0.5, 0.75, "a/three-fp32"),
        BoundUse(TARGET, "fp32, winograd", 1, 0, 0.125, 0.125, "a/tiles-fp32"),
    ]


def test_the_summary_names_it():
    assert f"{TARGET}: fp32: 75 % (a/three-fp32); 1 of 3 outputs exact" in bounds(VERDICTS)


@pytest.mark.parametrize(
    "fields", [{"status": "fail"}, {"status": "fail", "known": "an expectation"}, {"status": "error"}]
)
def test_a_wrong_output_uses_no_bound(fields):
    wrong = verdict("a/wrong-fp32", figures={"fraction": "inf"}, **fields)
    assert bound_use([*VERDICTS, wrong]) == bound_use(VERDICTS)
    assert bounds([wrong]) == []
    told = page(record(used("a/one-fp32", 0.25), wrong)).words
    assert "that a right output uses 25 %" in told
    text = prometheus(view(record(used("a/one-fp32", 0.25), wrong)))
    assert f'bound_fraction_max{{precision="fp32",target="{TARGET}"}} 0.25' in text


def test_a_right_output_in_a_wider_precision_uses_its_bound():
    wider = verdict("a/wider-tf32", status="fallback", figures={"fraction": 0.5})
    assert [use.largest for use in bound_use([wider])] == [0.5]


@pytest.mark.parametrize(("figure", "expected"), [("nan", math.inf), ("inf", math.inf), (2.0, 2.0), (None, None)])
def test_what_is_not_a_number_is_no_small_error(figure, expected):
    assert fraction(used("a/one-fp32", figure)) == expected
