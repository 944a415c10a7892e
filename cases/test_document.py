"""Does the reference agree with what the Cookbook prints? Without it, no other answer counts."""

import pytest

from trt_conformance.checks.own_data import check_ideal_values, check_printed_values


@pytest.mark.cases("claimed_printed")
def test_document_printed(case, judge):
    judge(check_printed_values(case))


@pytest.mark.cases("ideal")
def test_document_ideal(case, judge):
    judge(check_ideal_values(case))
