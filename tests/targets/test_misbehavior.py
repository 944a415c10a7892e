"""Each act costs one case, in some member of a target. `python -m tests.support.misbehavior` tries every member."""

import random

import pytest

from tests.doubles.odd import KINDS
from tests.support.misbehavior import driven

FORKS = KINDS.index(("run", "act: fork"))


def one_of_each_act(seed):
    """The index of a kind for each act, in a member drawn at random."""
    order = list(range(len(KINDS)))
    random.Random(seed).shuffle(order)
    return list({KINDS[number][1]: number for number in (*order, FORKS)}.values())


@pytest.mark.slow
def test_misbehaving_targets_cost_one_case_each():
    found = {KINDS[number]: faults for number, faults in driven(one_of_each_act(seed=14))}
    assert {act for _, act in found} == {act for _, act in KINDS}
    assert {member for member, _ in found} == {member for member, _ in KINDS}
    assert found[KINDS[FORKS]] == ["TargetFault"]
    raising = {
        kind: faults
        for kind, faults in found.items()
        if kind[0] in ("supports", "build", "define", "run") and kind[1].startswith("raise: ")
    }
    assert raising
    assert [kind for kind, faults in raising.items() if not faults] == []
