"""How do NaN, infinities and -0 travel? Observed, for no document promises it."""

import pytest

from trt_conformance.checks.special_values import check_special_values


@pytest.mark.cases("special")
def test_special_values(subject, judge):
    judge(check_special_values(subject))
