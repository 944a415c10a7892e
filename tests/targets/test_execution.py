"""The modes in which an engine of TensorRT runs, on host memory: what each gives, and that each can say no."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.helpers import make_case
from tests.support.host_cuda import Context, engine
from trt_conformance.checks.execution_modes import check_execution_modes
from trt_conformance.checks.repeats import check_repeats
from trt_conformance.checks.subject import Subject
from trt_conformance.core.case import Case
from trt_conformance.core.tensors import INPUT, OUTPUT, feeds_of
from trt_conformance.targets.device import cuda
from trt_conformance.targets.engines import Engines
from trt_conformance.targets.errors import Refused, Unsupported
from trt_conformance.targets.numpy import NumpyTarget
from trt_conformance.targets.protocols import OTHER_OUTPUT

CASE = make_case(input={"shape": [2, 3, 6, 9], "fill": "uniform"}, kernel={"shape": [4, 3, 3, 3], "fill": "uniform"})


def right(case: Case, feeds: dict) -> np.ndarray:
    return NumpyTarget().build(case).run(feeds)[OUTPUT]


def feeds_and_others(case: Case) -> tuple[dict, dict]:
    feeds = feeds_of(case)
    return feeds, {INPUT: np.ascontiguousarray(feeds[INPUT][::-1])}


@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16"])
def test_two_inputs_run_at_the_same_time(monkeypatch, precision):
    case = CASE.model_copy(update={"precision": precision})
    tested, device = engine(monkeypatch, case)
    feeds, others = feeds_and_others(case)
    outputs = tested.run_together(feeds, others)
    assert set(outputs) == {OUTPUT, OTHER_OUTPUT}
    assert np.array_equal(outputs[OUTPUT], right(case, feeds))
    assert np.array_equal(outputs[OTHER_OUTPUT], right(case, others))
    assert len(set(device.waits)) == 2
    assert device.alive["stream"] == 1
    assert device.alive["event"] == 0
    tested.close()
    assert device.alive["stream"] == 0


def test_the_output_of_a_disturbed_second_context_shows(monkeypatch):
    tested, _ = engine(monkeypatch, CASE, later=lambda y: y + 1)
    feeds, others = feeds_and_others(CASE)
    outputs = tested.run_together(feeds, others)
    assert np.array_equal(outputs[OUTPUT], right(CASE, feeds))
    assert np.array_equal(outputs[OTHER_OUTPUT], right(CASE, others) + 1)


def test_up_to_tensorrt_9_a_dynamic_engine_does_not(monkeypatch):
    shape = [2, 3, 6, 9]
    dynamic = {"shape": [-1, 3, 6, 9], "min": shape, "opt": shape, "max": shape, "run": [shape]}
    case = make_case(
        input={"shape": shape, "fill": "uniform"}, kernel={"shape": [4, 3, 3, 3], "fill": "uniform"}, dynamic=dynamic
    )
    tested, _ = engine(monkeypatch, case)
    tested._serves_contexts = False
    with pytest.raises(Unsupported, match="one context at a time"):
        tested.run_together(*feeds_and_others(case))


def test_a_graph_is_replayed_on_an_input_that_it_was_not_captured_with(monkeypatch):
    tested, _ = engine(monkeypatch, CASE)
    feeds, others = feeds_and_others(CASE)
    for given in (feeds, others, feeds):
        assert np.array_equal(tested.run_in_mode("cuda_graph", given)[OUTPUT], right(CASE, given))


def test_a_graph_that_replays_what_it_was_captured_with_gives_nan(monkeypatch):
    """What it was captured with, and what ran before, is an input of NaN: a stale output shows as such."""
    tested, _ = engine(monkeypatch, CASE)
    captured = cuda.Graph

    class Baked(captured):
        def launch(self, stream=None):
            if not hasattr(self, "launched"):
                self.launched = super().launch(stream)
                held = tested._buffers[OUTPUT]
                self.output = held.download_guarded(tested._stream)
            else:
                held = tested._buffers[OUTPUT]
                inner = self.output[cuda.GUARD_BYTES : -cuda.GUARD_BYTES]
                held.upload(np.ascontiguousarray(inner), tested._stream)

    monkeypatch.setattr(cuda, "Graph", Baked)
    feeds, _ = feeds_and_others(CASE)
    assert np.isnan(tested.run_in_mode("cuda_graph", feeds)[OUTPUT]).all()


class Host(NumpyTarget):
    """Engines of TensorRT on host memory."""

    def __init__(self, monkeypatch, **changes):
        self.monkeypatch, self.changes = monkeypatch, changes

    def build(self, case):
        return engine(self.monkeypatch, case, **self.changes)[0]


def verdict(check, target):
    return check(Subject(CASE, Engines(target), lambda case, index: None))


def without_reloading(monkeypatch):
    """No plan is there to be loaded again."""
    monkeypatch.setattr(
        "trt_conformance.targets.tensorrt.execution.TensorRTEngine._reloaded", lambda self, feeds: self.run(feeds)
    )


def test_every_mode_passes_the_checks_of_the_suite(monkeypatch):
    without_reloading(monkeypatch)
    found = verdict(check_execution_modes, Host(monkeypatch))
    assert found.status == "pass", found.message
    assert found.figures["ways"] == ["again", "reloaded", "cuda_graph", "second_context", "together"]
    assert verdict(check_repeats, Host(monkeypatch)).status == "pass"


def test_a_wrong_second_context_fails(monkeypatch):
    without_reloading(monkeypatch)
    found = verdict(check_execution_modes, Host(monkeypatch, later=lambda y: -y))
    assert found.status == "fail"
    assert "second_context: the bits of the output" in found.message
    assert f"together: the bits of the {OTHER_OUTPUT}" in found.message


def with_profiles(*further: tuple[int, int]) -> Case:
    """A dynamic case that runs a batch of 2, with further profiles from one batch to another."""
    low, high = [1, 3, 6, 9], [4, 3, 6, 9]
    dynamic = {"shape": [-1, 3, 6, 9], "min": low, "opt": low, "max": high, "run": [[2, 3, 6, 9]]}
    dynamic["further_profiles"] = [
        {"min": [least, 3, 6, 9], "opt": [most, 3, 6, 9], "max": [most, 3, 6, 9]} for least, most in further
    ]
    return make_case(
        input={"shape": [2, 3, 6, 9], "fill": "uniform"}, kernel={"shape": [4, 3, 3, 3], "fill": "uniform"},
        dynamic=dynamic,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("profiles", "index"), [([], None), ([(5, 7)], None), ([(2, 2)], 1), ([(3, 7), (1, 8)], 2), ([(1, 1)], None)]
)
def test_a_profile_that_holds_the_shape_serves_a_second_context(monkeypatch, profiles, index):
    case = with_profiles(*profiles)
    chosen = []
    monkeypatch.setattr(
        Context, "set_optimization_profile_async", lambda self, at, stream: not chosen.append(at), raising=False
    )
    tested, _ = engine(monkeypatch, case)
    assert ("further_profile" in tested.execution_modes()) == (index is not None)
    if index is not None:
        feeds = feeds_of(case)
        assert np.array_equal(tested.run_in_mode("further_profile", feeds)[OUTPUT], right(case, feeds))
        assert chosen == [index]


def test_a_profile_that_is_refused_and_one_that_computes_otherwise_are_found(monkeypatch):
    case = with_profiles((1, 8))
    monkeypatch.setattr(Context, "set_optimization_profile_async", lambda *_: False, raising=False)
    tested, _ = engine(monkeypatch, case)
    with pytest.raises(Refused, match="profile 1 was refused"):
        tested.run_in_mode("further_profile", feeds_of(case))
    monkeypatch.setattr(Context, "set_optimization_profile_async", lambda *_: True)
    tested, _ = engine(monkeypatch, case, later=lambda y: y + 1)
    feeds = feeds_of(case)
    assert not np.array_equal(tested.run_in_mode("further_profile", feeds)[OUTPUT], right(case, feeds))
