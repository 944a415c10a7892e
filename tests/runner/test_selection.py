"""Which cases the options select."""

import pytest

from tests.support.suite import suite_catalog
from trt_conformance.core.errors import ConformanceError
from trt_conformance.runner.options import RunOptions
from trt_conformance.runner.selection import Selection


def select(*cases, **options):
    return Selection(suite_catalog(), RunOptions(cases=cases, **options))


GENERATED = select().generated[0]
TIMED = next(case.id for case in suite_catalog().cases if case.latency)


def test_a_pattern_that_matches_only_timed_cases_leaves_the_other_patterns_in_force():
    chosen = select(TIMED, GENERATED)
    assert chosen.cases == ()
    assert chosen.generated == (GENERATED,)
    assert select(TIMED, "padding/2d_same_upper").cases == ()


def test_timed_cases_alone_point_to_their_option():
    with pytest.raises(ConformanceError, match="only timed cases match; add --latency"):
        _ = select(TIMED).cases
    assert [case.id for case in select(TIMED, latency="full").cases] == [TIMED]


def test_a_pattern_that_matches_nothing():
    with pytest.raises(ConformanceError, match="--case nothing/at_all: no case matches"):
        _ = select("nothing/at_all").cases


def test_small_timed_layers_at_batch_1_run_for_their_values_from_tier_ci_on():
    def timed(tier):
        return {case.id for case in select(tier=tier).cases if case.latency}

    small, every = timed("ci"), timed("nightly")
    assert timed("smoke") == set() and small < every
    assert {"mobilenetv2/" in name for name in small} == {True, False}
    cases = {case.id: case for case in suite_catalog().cases}
    at_one = {name for name, case in cases.items() if case.latency and case.batch == 1}
    assert every == at_one
    assert all(cases[name].input.shape[0] == 1 for name in every)
    assert "unet3d/level3_n1-fp32" in every - small
