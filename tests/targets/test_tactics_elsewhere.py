"""Tactics in a target's own process, and of a user's target."""

import pytest

from tests.doubles import tactics as doubles
from tests.support.helpers import make_case
from trt_conformance.core.paths import ROOT
from trt_conformance.core.tensors import feeds_of
from trt_conformance.targets.errors import NotRun, Refused, TargetCrashed, TargetFault
from trt_conformance.targets.isolation.proxy import IsolatedTarget
from trt_conformance.targets.protocols import TacticChoices, offers
from trt_conformance.targets.registry import resolve

DOUBLES = ROOT / "tests" / "doubles" / "tactics.py"


def test_tactics_cross_to_the_targets_process_and_back():
    target = IsolatedTarget(f"{DOUBLES}:Crashes")
    try:
        case = make_case()
        assert offers(target, "tactics", "build_with")
        found = target.tactics(case)
        assert isinstance(found, TacticChoices)
        assert found.chosen == doubles.RIGHT
        engine = target.build_with(case, found.offered[2])
        assert engine.describe().convolution.kernel == "kernel_2"
        crashing = target.build_with(case, found.offered[1])
        with pytest.raises(TargetCrashed):
            crashing.run(feeds_of(case))
        again = engine.run(feeds_of(case))  # built once more, with the same tactic, in a new process
        assert again["output"].shape == (1, 1, 4, 7)
        with pytest.raises(Refused, match="any implementation"):
            target.build_with(case, doubles.REFUSED)
        with pytest.raises(NotRun, match="another tactic"):
            target.build_with(case, doubles.IGNORED)
    finally:
        target.close()


def test_work_that_ended_a_process_is_not_done_ahead_again():
    """The one that crashes is told of ahead: it ends the process, and costs only itself."""
    target = IsolatedTarget(f"{DOUBLES}:CrashesAhead")
    try:
        case = make_case()
        target.expect_tactics([(case, doubles.RIGHT), (case, doubles.CRASHING), (case, doubles.SLOW)])
        assert target.build_with(case, doubles.RIGHT).describe().convolution.kernel == "kernel_1"
        target.expect_tactics([(case, doubles.CRASHING), (case, doubles.SLOW)])
        assert target.build_with(case, doubles.SLOW).describe().convolution.kernel == "kernel_2"
        assert target.tactics(case).chosen == doubles.RIGHT
    finally:
        target.close()


@pytest.mark.parametrize(
    ("member", "returned", "message"),
    [
        ("tactics", ["kernel"], "`tactics` of .* must return a TacticChoices"),
        ("build_with", None, "`build_with` of .* must return an engine, an object with `run`; it returned None"),
    ],
)
def test_a_users_target_returns_tactics_and_engines(tmp_path, member, returned, message):
    file = tmp_path / "mine.py"
    file.write_text(
        "class Mine:\n    name = 'mine'\n    def supports(self, case): return None\n    def build(self, case): ...\n"
        f"    def {member}(self, *arguments): return {returned}\n"
    )
    target = resolve(f"{file}:Mine")
    assert offers(target, member)
    with pytest.raises(TargetFault, match=message):
        getattr(target, member)(make_case(), doubles.RIGHT) if member == "build_with" else target.tactics(make_case())
