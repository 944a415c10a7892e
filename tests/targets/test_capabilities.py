"""The optional members of targets and engines are listed once."""

import pytest

from tests.support.helpers import make_case
from trt_conformance.targets.numpy import NumpyTarget
from trt_conformance.targets.protocols import CAPABILITIES, offers


def test_capabilities_are_the_members_of_the_documented_class():
    of_targets = {
        "define", "infer_shapes", "missing_name", "expect", "warm_up", "environment", "tactics", "build_with",
        "expect_tactics",
    }  # fmt: skip
    of_engines = {
        "origin", "check_runs", "describe", "reports", "execution_modes", "run_in_mode", "run_together",
        "run_misaligned", "run_with_null_address", "timing_modes", "measure",
    }  # fmt: skip
    assert set(CAPABILITIES) == of_targets | of_engines


def test_an_object_offers_what_it_has():
    target = NumpyTarget()
    engine = target.build(make_case())
    assert offers(engine, "timing_modes", "measure")
    assert not offers(engine, "measure", "describe")
    assert not offers(target, "define")


def test_a_misspelled_capability_is_an_error_rather_than_missing():
    with pytest.raises(ValueError, match="definee: not a capability; there are define, "):
        offers(NumpyTarget(), "definee")
