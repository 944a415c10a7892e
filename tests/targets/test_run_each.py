"""Several runs in one call of a target's process are judged as if each were a call of its own."""

import numpy as np
import pytest

from tests.support.helpers import make_case
from trt_conformance.checks import repeats
from trt_conformance.checks.repeats import check_repeats
from trt_conformance.checks.subject import Subject
from trt_conformance.core.paths import ROOT
from trt_conformance.core.tensors import INPUT, OUTPUT, feeds_of
from trt_conformance.golden import expected_result
from trt_conformance.targets.engines import Engines
from trt_conformance.targets.errors import TargetFault
from trt_conformance.targets.isolation import answers
from trt_conformance.targets.isolation.answers import Answer
from trt_conformance.targets.isolation.proxy import IsolatedEngine, open_target

DOUBLES = ROOT / "tests" / "doubles" / "repeating.py"
CASE = make_case()


@pytest.fixture(params=[True, False], ids=["in_one_call", "one_by_one"])
def together(request, monkeypatch):
    """Whether the runs are done in one call; and how many calls there were of such a kind."""
    calls = []
    run_each = IsolatedEngine.run_each

    def counted(self, batch, order):
        calls.append(len(order))
        return run_each(self, batch, order)

    monkeypatch.setattr(IsolatedEngine, "run_each", counted)
    monkeypatch.setattr(repeats, "BRIEF_S", 1e6 * request.param)
    yield
    assert calls == ([18] if request.param else [])


@pytest.mark.parametrize(
    ("double", "status", "said"),
    [
        ("Reused", "pass", ""),
        ("WritesInput", "pass", ""),
        ("Drifting", "fail", "run 11 of 17 differs in 28 of 28 elements from the first run"),
        ("Listed", "error", "must return a dictionary of NumPy arrays"),
        ("Aborting", "error", "SIGABRT"),
    ],
)
def test_repeats_are_judged_alike(together, double, status, said):
    target = open_target(f"{DOUBLES}:{double}")
    try:
        found = check_repeats(Subject(CASE, Engines(target), expected_result))
    finally:
        target.close()
    assert (found.phase, found.status) == ("run", status)
    assert said in found.message


def test_each_run_has_its_output():
    target = open_target(f"{DOUBLES}:Reused")
    try:
        engine, (first,) = target.build(CASE), feeds_of(CASE).values()
        inputs = [{INPUT: first}, {INPUT: first * 2}]
        found = [outputs[OUTPUT] for outputs in engine.run_each(inputs, [1, 0, 1])]
        alone = [engine.run(feeds)[OUTPUT] for feeds in inputs]
    finally:
        target.close()
    assert [np.array_equal(y, alone[index]) for y, index in zip(found, [1, 0, 1], strict=True)] == [True] * 3
    assert not np.array_equal(*alone)


ONE = [{"output": 0}]


@pytest.mark.parametrize(
    "value",
    [[], [ONE], [ONE, [1]], [ONE, [-1]], [[{"output": 1}], [0]], [[[0]], [0]], [[{"output": "0"}], [0]]],
    ids=["nothing", "no_order", "beyond", "negative", "no_such_array", "no_dictionary", "no_number"],
)
def test_a_malformed_answer_is_the_targets_fault(value):
    answer = Answer(1, "result", value, (np.zeros(2, np.float32),))
    with pytest.raises(TargetFault, match="must return a dictionary"):
        answers.result(answer, "run_each")


def test_fewer_runs_than_asked_for_are_the_targets_fault(monkeypatch):
    target = open_target(f"{DOUBLES}:Reused")
    try:
        engine = target.build(CASE)
        monkeypatch.setattr(engine, "call", lambda *words: [])
        with pytest.raises(TargetFault, match="1 runs were asked for, and the outputs of 0 were sent"):
            engine.run_each([feeds_of(CASE)], [0])
    finally:
        target.close()
