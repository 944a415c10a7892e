"""Two hundred kinds of misbehavior cost one case each, and no case beside it."""

import pytest

from tests.doubles.odd import KINDS
from tests.support.misbehavior import drawn, driven


@pytest.mark.slow
def test_misbehaving_targets_cost_one_case_each():
    found = {KINDS[number]: faults for number, faults in driven(drawn(200, seed=14))}
    assert len(found) == 200
    for (member, act), faults in found.items():
        if member in ("supports", "build", "define", "run") and act.startswith("raise: "):
            assert faults, (member, act)
        if member == "run" and act == "act: fork":
            assert faults == ["TargetFault"]
