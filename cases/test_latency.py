"""How long does the target take, once its values are right?"""

import pytest

from trt_conformance.checks.latency import check_latency
from trt_conformance.runner.benchmark_clock import DeviceClock

CLOCK = DeviceClock()


@pytest.mark.cases("timed")
@pytest.mark.benchmark(timer=CLOCK.now)
def test_latency(subject, timing, judge, benchmark):
    found = check_latency(subject, **timing)
    if "samples" in found.figures:
        CLOCK.replay(found, benchmark)
    judge(found)
