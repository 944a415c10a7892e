"""About how long does the target take, as far as a look in passing can tell? Nothing is judged here."""

import pytest

from trt_conformance.core.check_names import QUICK_LATENCY


@pytest.mark.cases("quick")
def test_quick_latency(subject, quick, judge):
    judge(quick(subject), QUICK_LATENCY)


@pytest.mark.cases("generated")
def test_quick_latency_of_sweep(subject, quick, judge):
    judge(quick(subject), QUICK_LATENCY)
