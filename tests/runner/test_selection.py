"""Which cases the options select."""

import pytest

from tests.support.suite import suite_catalog
from trt_conformance.catalog.catalog import Catalog
from trt_conformance.core.case_folder import CaseFolder
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


@pytest.mark.parametrize(
    ("case_id", "values"),
    [
        ("resnet50/stem_n1-fp32", ", or --tier ci to check only their values"),
        ("unet3d/level3_n1-fp32", ", or --tier nightly to check only their values"),
        ("resnet50/stem_n8-fp32", ""),
    ],
)
def test_timed_cases_alone_point_to_their_option(case_id, values):
    for latency in (None, "off", "quick"):
        with pytest.raises(ConformanceError) as raised:
            _ = select(case_id, latency=latency).cases
        found = f"--case {case_id}: only timed cases match; add --latency full to time them{values}"
        assert str(raised.value) == found
    assert [case.id for case in select(case_id, latency="full").cases] == [case_id]


def test_timed_cases_of_a_folder_of_ones_own_run_for_their_values(tmp_path):
    """Whatever their batch and size: whoever names the folder wants them."""
    folder = CaseFolder.at(tmp_path)
    own = [case.model_copy(update={"folder": folder}) for case in suite_catalog().cases if case.latency]
    assert {case.batch for case in own} == {1, 8, 32}
    for latency in (None, "off", "quick", "full"):
        selection = Selection(Catalog(tuple(own), {}, (), (folder,)), RunOptions(latency=latency))
        assert selection.cases == tuple(own)


def test_a_pattern_that_matches_nothing():
    with pytest.raises(
        ConformanceError, match="--case nothing/at_all: no case matches; see `trt-conformance cases list`"
    ):
        _ = select("nothing/at_all").cases
    with pytest.raises(
        ConformanceError, match='--case stride_nd/h2_w22: no case matches; did you mean "stride_nd/h2_w2"'
    ):
        _ = select("stride_nd/h2_w22").cases


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
