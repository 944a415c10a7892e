"""Does the target build an engine of the case?"""

import pytest

from harness.checks import check_build


@pytest.mark.cases("accepted", needs="networks")
def test_build(subject, judge):
    judge(check_build(subject))
