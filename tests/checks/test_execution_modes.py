"""A mode that repeats an earlier answer, disturbs another run, or breaks is told; the others keep their verdict."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.helpers import make_case
from trt_conformance.checks.execution_modes import check_execution_modes
from trt_conformance.checks.repeats import TIMES, check_repeats
from trt_conformance.checks.subject import Subject
from trt_conformance.core.tensors import INPUT, OUTPUT
from trt_conformance.targets.engines import Engines
from trt_conformance.targets.errors import NotRun, Refused, TargetCrashed, Unsupported
from trt_conformance.targets.numpy import NumpyTarget
from trt_conformance.targets.protocols import OTHER_OUTPUT

CASE = make_case(input={"shape": [1, 1, 6, 9], "fill": "uniform"}, kernel={"shape": [2, 1, 3, 3], "fill": "uniform"})


class Modes(NumpyTarget):
    """NumPy with execution modes, one of which a test replaces by a function of the engine and the inputs."""

    def __init__(self, **replaced):
        self.replaced = replaced
        self.inputs = []

    def build(self, case):
        engine, target = super().build(case), self
        modes = {
            "again": lambda run, feeds: run(feeds),
            "reloaded": lambda run, feeds: run(feeds),
            "cuda_graph": lambda run, feeds: run(feeds),
        }
        modes |= {name: mode for name, mode in self.replaced.items() if name != "together"}
        plain = engine.run

        def run(feeds):
            target.inputs.append(feeds[INPUT].tobytes())
            return plain(feeds)

        def together(feeds, others):
            return {OUTPUT: plain(feeds)[OUTPUT], OTHER_OUTPUT: plain(others)[OUTPUT]}

        def run_in_mode(mode, feeds):
            target.inputs.append(feeds[INPUT].tobytes())
            return modes[mode](plain, feeds)

        engine.run = run
        engine.execution_modes = lambda: tuple(modes)
        engine.run_in_mode = run_in_mode
        replaced = target.replaced.get("together")
        engine.run_together = together if replaced is None else lambda a, b: replaced(together, a, b)
        return engine


def verdict(target, case=CASE):
    return check_execution_modes(Subject(case, Engines(target), lambda case, index: None))


def test_right_modes_pass_and_each_but_the_first_gets_an_input_that_was_not_run_before_it():
    target = Modes()
    found = verdict(target)
    assert (found.status, found.figures["ways"]) == ("pass", ["again", "reloaded", "cuda_graph", "together"])
    own, other = target.inputs[:2]
    assert own != other
    assert target.inputs == [own, other, other, own, other]


class Replays:
    """Answers with the output of the first input that it was captured with: of the first run of the engine."""

    def __init__(self):
        self.first = None

    def __call__(self, run, feeds):
        self.first = run(feeds) if self.first is None else self.first
        return self.first


def test_a_graph_that_replays_an_earlier_input_fails():
    stale = Replays()
    own = {INPUT: np.zeros((1, 1, 6, 9), np.float32)}
    stale(NumpyTarget().build(CASE).run, own)
    found = verdict(Modes(cuda_graph=stale))
    assert found.status == "fail"
    assert "execution mode cuda_graph: the bits of the output differ from those of a plain run" in found.message
    assert found.figures["ways"] == ["again", "reloaded", "together"]


def test_a_graph_that_replays_the_first_run_of_the_engine_fails():
    class Captured(Modes):
        def build(self, case):
            engine = super().build(case)
            first, plain, by_mode = [], engine.run, engine.run_in_mode

            def run(feeds):
                first.append(plain(feeds))
                return first[-1]

            engine.run = run
            engine.run_in_mode = lambda mode, feeds: first[0] if mode == "cuda_graph" else by_mode(mode, feeds)
            return engine

    found = verdict(Captured())
    assert found.status == "fail"
    assert "cuda_graph" in found.message


def swapped(together, feeds, others):
    outputs = together(feeds, others)
    return {OUTPUT: outputs[OTHER_OUTPUT], OTHER_OUTPUT: outputs[OUTPUT]}


def shared_scratch(together, feeds, others):
    outputs = together(feeds, others)
    return outputs | {OTHER_OUTPUT: outputs[OUTPUT]}


def one_missing(together, feeds, others):
    return {OUTPUT: together(feeds, others)[OUTPUT]}


@pytest.mark.parametrize(
    ("wrong", "names"),
    [
        (swapped, ["output", OTHER_OUTPUT]),
        (shared_scratch, [OTHER_OUTPUT]),
        (one_missing, [OTHER_OUTPUT]),
    ],
)
def test_two_runs_at_once_that_disturb_each_other_fail(wrong, names):
    found = verdict(Modes(together=wrong))
    assert found.status == "fail"
    for name in names:
        assert f"execution mode together: the bits of the {name} differ" in found.message
    assert found.figures["ways"] == ["again", "reloaded", "cuda_graph"]


def raising(fault):
    def mode(*_):
        raise fault

    return mode


@pytest.mark.parametrize("fault", [Unsupported("one context at a time"), NotRun("one context at a time")])
def test_what_a_version_cannot_do_is_left_out_and_said(fault):
    found = verdict(Modes(together=raising(fault)))
    assert found.status == "pass"
    assert found.figures["ways_left_out"] == {"together": "one context at a time"}


def test_a_mode_that_breaks_is_an_error_and_the_others_are_still_run():
    found = verdict(Modes(reloaded=raising(ValueError("a typo"))))
    assert (found.status, found.figures["ways"]) == ("error", ["again", "cuda_graph", "together"])
    assert "execution mode reloaded: ValueError: a typo" in found.message


def test_a_wrong_mode_is_a_fail_though_another_breaks():
    found = verdict(Modes(reloaded=raising(ValueError("a typo")), together=swapped))
    assert found.status == "fail"
    assert "a typo" in found.message


def test_a_mode_that_is_refused_is_a_fail():
    found = verdict(Modes(reloaded=raising(Refused("run", "no such plan"))))
    assert found.status == "fail"
    assert "execution mode reloaded: refused: no such plan" in found.message


def test_a_crash_ends_the_check():
    found = verdict(Modes(again=raising(TargetCrashed("SIGSEGV"))))
    assert found.status == "error"
    assert "SIGSEGV" in found.message


def test_a_target_without_modes_is_unsupported():
    assert verdict(NumpyTarget()).status == "unsupported"


class Sometimes(NumpyTarget):
    """Changes its output by a function of the number of the run, of the input and of the runs before it."""

    def __init__(self, change):
        self.change = change

    def build(self, case):
        engine = super().build(case)
        plain, seen = engine.run, []

        def run(feeds):
            seen.append(feeds[INPUT])
            return {OUTPUT: self.change(plain(feeds)[OUTPUT], seen)}

        engine.run = run
        return engine


def once_in_sixteen(y, seen):
    return y + np.float32(len(seen) % 16 == 0)


def after_nan(y, seen):
    return y + np.float32(len(seen) > 1 and np.isnan(seen[-2]).any())


def after_another(y, seen):
    return y + np.float32(len(seen) > 1 and not np.isnan(seen[-2]).any() and (seen[-2] != seen[-1]).any())


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (once_in_sixteen, "of 17 differs in 56 of 56 elements from the first run"),
        (after_nan, "run 17 of 17 differs in 56 of 56 elements from the first run, after an input of NaN was run"),
        (after_another, "run 9 of 17 differs in 56 of 56 elements from the first run, after another input was run"),
    ],
)
def test_repeats_say_no(change, line):
    found = check_repeats(Subject(CASE, Engines(Sometimes(change)), lambda case, index: None))
    assert found.status == "fail"
    assert line in found.message


def test_repeats_pass_an_engine_that_gives_the_same_bits():
    counted = []

    def count(y, seen):
        counted.append(1)
        return y

    assert check_repeats(Subject(CASE, Engines(Sometimes(count)), lambda case, index: None)).status == "pass"
    assert len(counted) == TIMES + 2


def test_no_document_says_what_nan_is_quantized_to():
    int8 = make_case(precision="int8", quantize={"input": 1.0, "kernel": [1.0]}, weights="set_input")
    wrong = Sometimes(after_nan)
    assert check_repeats(Subject(int8, Engines(wrong), lambda case, index: None)).status == "pass"
