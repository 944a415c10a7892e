"""Does the target refuse what it must, in the stated phase, with the stated error?"""

import pytest

from trt_conformance.checks.rejections import check_reject


@pytest.mark.cases("rejected")
def test_reject(subject, judge):
    judge(check_reject(subject))
