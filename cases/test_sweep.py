"""Does the target build and compute the cases that sweeps generate, and long sums alike each time?"""

import pytest

from trt_conformance.checks.build import check_build
from trt_conformance.checks.forward import check_forward
from trt_conformance.checks.network import check_network
from trt_conformance.checks.repeats import check_repeats
from trt_conformance.checks.selection import SELECTIONS
from trt_conformance.targets.protocols import offers


@pytest.mark.cases("generated")
def test_sweep(subject, judge):
    if offers(subject.target, "define"):
        judge(check_network(subject), "network")
        judge(check_build(subject), "build")
    judge(check_forward(subject), "forward")
    if SELECTIONS["run_again"](subject.case):
        judge(check_repeats(subject), "repeats")
