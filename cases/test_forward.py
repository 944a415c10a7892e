"""Does the target compute the convolution, in the precision the case demands?"""

import pytest

from harness.checks import check_forward, check_printed, check_ways
from harness.second_input import check_inputs


@pytest.mark.cases("accepted")
def test_forward(subject, judge):
    judge(check_forward(subject))


@pytest.mark.cases("exact")
def test_inputs(subject, judge):
    judge(check_inputs(subject))


@pytest.mark.cases("printed")
def test_printed(subject, judge):
    judge(check_printed(subject))


@pytest.mark.last
@pytest.mark.cases("accepted", needs="api")
def test_ways(subject, judge):
    judge(check_ways(subject))
