"""Does the target compute tensors of more elements than 32 bits count?"""

import pytest

from trt_conformance.checks.large import check_large


@pytest.mark.cases("large")
def test_large(subject, judge):
    judge(check_large(subject))
