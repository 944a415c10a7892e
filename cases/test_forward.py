"""Does the target compute the convolution, in the precision the case demands?"""

import pytest

from trt_conformance.checks.execution_modes import check_execution_modes
from trt_conformance.checks.forward import check_forward
from trt_conformance.checks.printed import check_printed
from trt_conformance.checks.repeats import check_repeats
from trt_conformance.checks.rounding import check_rounding
from trt_conformance.checks.second_input import check_inputs


@pytest.mark.cases("accepted")
def test_forward(subject, judge):
    judge(check_forward(subject))


@pytest.mark.cases("exact")
def test_inputs(subject, judge):
    judge(check_inputs(subject))


@pytest.mark.cases("run_again")
def test_repeats(subject, judge):
    judge(check_repeats(subject))


@pytest.mark.cases("rounding")
def test_rounding(subject, judge):
    judge(check_rounding(subject))


@pytest.mark.cases("printed")
def test_printed(subject, judge):
    judge(check_printed(subject))


@pytest.mark.cases("repeated", needs="api")
def test_execution_modes(subject, judge):
    judge(check_execution_modes(subject))
