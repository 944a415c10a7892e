"""Does the target build an engine of the case?"""

import pytest

from trt_conformance.checks.build import check_build


@pytest.mark.cases("accepted", needs="networks")
def test_build(subject, judge):
    judge(check_build(subject))
