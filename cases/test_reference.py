"""Is the golden what the reference gives today?"""

import pytest

from harness.data_checks import check_golden


@pytest.mark.cases("stored")
def test_golden(case, judge):
    judge(check_golden(case))
