"""Does the target build and compute the cases that sweeps generate?"""

import pytest

from harness.checks import check_build, check_forward, check_network
from harness.targets.base import DefinesNetworks


@pytest.mark.cases("generated")
def test_sweep(subject, judge):
    if isinstance(subject.target, DefinesNetworks):
        judge(check_network(subject), "network")
        judge(check_build(subject), "build")
    judge(check_forward(subject), "forward")
