"""Does the target build an engine that says of itself what it should, with a plan that its weights explain?"""

import pytest

from trt_conformance.checks.build import check_build
from trt_conformance.checks.engine_report import check_engine
from trt_conformance.checks.plan_size import check_plan_size
from trt_conformance.core.engine_cost import PLAN


@pytest.mark.cases("accepted", needs="networks")
def test_build(subject, judge):
    built = check_build(subject)
    judge(built, "build")
    if PLAN in built.figures:
        judge(check_plan_size(subject), "plan_size")


@pytest.mark.cases("reporting", needs="networks")
def test_engine(subject, judge):
    judge(check_engine(subject))
