"""A quick latency is taken of right values only, says how precise it is, and never fails a case."""

import json
from types import MappingProxyType, SimpleNamespace

import pytest

from tests.support.helpers import make_case
from tests.support.suite import suite_catalog
from trt_conformance.checks.quick_latency import LIMIT_S, QuickTimer
from trt_conformance.checks.selection import SELECTIONS
from trt_conformance.checks.subject import Subject
from trt_conformance.golden.computed import computed_reference
from trt_conformance.results.latency.recorded import timings
from trt_conformance.results.record.record import Record
from trt_conformance.results.record.schema import validated
from trt_conformance.targets.engines import Engines
from trt_conformance.targets.errors import NotRun, Refused, TargetCrashed, TargetHung, TargetLost
from trt_conformance.targets.numpy import NumpyEngine
from trt_conformance.targets.protocols import EngineFacts, LayerFacts
from trt_conformance.targets.timing.measurement import Measurement

PLACEMENTS = [2.0e-6, 2.02e-6, 2.04e-6, 2.06e-6, 2.08e-6]
LAYERS = (
    LayerFacts("in", "Reformat", "copyPackedKernel", ("fp32",), ("fp16",)),
    LayerFacts("conv", "CaskConvolution", "sm80_xmma_fprop", ("fp16",), ("fp16",)),
    LayerFacts("out", "NoOp", "nchwToNhwcKernel", ("fp16",), ("fp32",)),
)


class Target:
    """A target with one engine, and a time limit as an isolated one has."""

    name = "stub-1-sm90"
    time_limit = 300.0

    def __init__(self, engine):
        self.engine = engine

    def supports(self, case):
        return None

    def build(self, case):
        self.built = self.engine(case)
        return self.built


class Timed(NumpyEngine):
    """Computes correct values, and measures given latencies."""

    facts = MappingProxyType(
        {"placements": PLACEMENTS, "one_place": ["weights"], "nodes": 3, "sample_mhz": 1980, "notes": ["as it is"]}
    )

    def describe(self):
        return EngineFacts(LAYERS, LAYERS[1], "fp32")

    def timing_modes(self):
        return ("enqueue", "graph")

    def measure(self, feeds, plan):
        self.plan = plan
        return Measurement("graph", False, (2.04e-6, 2.05e-6) * 4, 0, "limit", dict(self.facts))


def raising(fault):
    class Raises(Timed):
        def measure(self, feeds, plan):
            raise fault

    return Raises


def subject(engine, **fields):
    return Subject(make_case(**fields), Engines(Target(engine)), computed_reference)


def test_its_figures():
    timed = subject(Timed)
    found = QuickTimer().check(timed, "pass")
    assert (found.phase, found.status, found.claims) == ("latency", "pass", ())
    figures = found.figures
    assert (figures["effort"], figures["mode"], figures["cold_l2"]) == ("quick", "graph", False)
    assert figures["samples"] == [2.04e-6, 2.05e-6] * 4
    # Five places have a standard deviation of 1.55 %: a fifth of its square for them, and all of it for the weights.
    assert figures["uncertainty"] == pytest.approx(0.0155 * (1 + 1 / 5) ** 0.5, rel=0.01)
    assert figures["reformat_share"] == pytest.approx(2 / 3, abs=1e-4)
    assert figures["facts"]["nodes"] == 3
    assert 0 < figures["cost_s"] < 60
    assert figures["work"]["flops"] == 2 * 28 * 9
    quartiles = "quartiles 2.04 µs and 2.05 µs, 8 samples, 5 places in memory"
    assert found.message == (
        f"graph, quick: 2.04 µs ±1.7 % ({quartiles}), 1980 MHz, 67 % of the layers reformat, as it is"
    )
    assert timed.target.built.plan.effort == "quick"
    line = {"kind": "verdict", "check": "quick_latency"} | found.to_json()
    validated(json.loads(json.dumps(line | {"check": "quick_latency"}, allow_nan=False)))
    (key,) = timings(Record({}, (found,), None))
    assert key.effort == "quick"


def test_the_gate_reads_the_precision_that_it_states():
    found = QuickTimer().check(subject(Timed), "pass")
    (timing,) = timings(Record({}, (found,), None)).values()
    assert max(timing.placing, timing.summary.error) == pytest.approx(found.figures["uncertainty"])


def test_a_fallback_says_so():
    found = QuickTimer().check(subject(Timed), "fallback")
    assert found.status == "fallback"
    assert "it runs in a wider precision than requested" in found.message


class Wrong(Timed):
    def run(self, feeds):
        return {key: value + 1 for key, value in super().run(feeds).items()}

    def measure(self, feeds, plan):
        raise AssertionError("a wrong result is not timed")


@pytest.mark.parametrize("known", ["fail", "error"])
def test_wrong_values_are_not_timed(known):
    found = QuickTimer().check(subject(Wrong), known)
    assert (found.status, found.phase) == ("not run", "latency")
    assert found.message == f"not timed: its values are not known to be right ({known})"


@pytest.mark.parametrize(
    ("fault", "status", "text"),
    [
        (Refused("run", "the enqueue failed"), "not run", "not timed: Refused: the enqueue failed"),
        (AttributeError("no such function"), "not run", "not timed: AttributeError: no such function"),
        (MemoryError("no memory"), "not run", "not timed: MemoryError: no memory"),
        (NotRun("built for another GPU"), "not run", "built for another GPU"),
    ],
)
def test_a_timing_that_fails_is_no_fault(fault, status, text):
    timer = QuickTimer()
    found = timer.check(subject(raising(fault)), "pass")
    assert (found.status, found.message) == (status, text)
    assert "samples" not in found.figures
    assert timer.check(subject(Timed), "pass").status == "pass"


@pytest.mark.parametrize(
    ("fault", "times"), [(TargetCrashed("it died"), 3), (TargetHung("no answer"), 1), (TargetLost("sticky"), 3)]
)
def test_a_timing_that_takes_the_process_with_it_ends_them_soon(fault, times):
    timer = QuickTimer()
    for _ in range(times):
        assert timer.check(subject(Timed, id="example/before"), "pass").status == "pass"
        lost = timer.check(subject(raising(fault)), "pass")
        assert lost.status == "not run"
        assert lost.message.startswith("not timed: the timing ended the target's process: ")
    later = timer.check(subject(Timed, id="example/other"), "pass")
    assert later.status == "not run"
    assert later.message.startswith("not timed: no case is timed after example/values-fp32: ")


def test_no_engine_is_no_fault():
    class Refuses(Target):
        def build(self, case):
            raise Refused("build", "no")

    refused = Subject(make_case(), Engines(Refuses(Timed)), computed_reference)
    assert QuickTimer().check(refused, "pass").status == "not run"


def test_no_samples_are_no_latency():
    class Empty(Timed):
        def measure(self, feeds, plan):
            return Measurement("graph", False, (), 8, "limit")

    found = QuickTimer().check(subject(Empty), "pass")
    assert found.status == "not run"
    assert "8 of 8 samples were discarded" in found.message


def test_a_timing_may_not_take_as_long_as_a_build():
    class Limited(Timed):
        def measure(self, feeds, plan):
            limits.append(case.target.time_limit)
            return super().measure(feeds, plan)

    limits: list[float] = []
    case = subject(Limited)
    QuickTimer().check(case, "pass")
    QuickTimer(processes=4).check(case, "pass")
    assert limits == [LIMIT_S, 4 * LIMIT_S]
    assert case.target.time_limit == Target.time_limit
    case = subject(raising(TargetHung("no answer")))
    QuickTimer().check(case, "pass")
    assert case.target.time_limit == Target.time_limit


def test_what_is_timed_in_passing():
    chosen = SELECTIONS["quick"]
    cases = [case for case in suite_catalog().cases if chosen(case)]
    has_values = {case.id for case in suite_catalog().cases if SELECTIONS["stored"](case) or case.latency}
    assert {case.id for case in cases} == has_values
    assert chosen(SimpleNamespace(reject=None, latency=True, large=False))
    assert not chosen(SimpleNamespace(reject=None, latency=False, large=True))
