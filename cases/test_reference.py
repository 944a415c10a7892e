"""Are the goldens what the reference gives today, all there, and reviewed?"""

import pytest

from trt_conformance.checks.own_data import check_committed, check_golden, check_store


@pytest.mark.cases("stored")
def test_golden(case, judge):
    judge(check_golden(case))


def test_store(catalog, judge):
    judge(check_store(catalog))


@pytest.mark.suite
def test_committed(judge):
    judge(check_committed())
