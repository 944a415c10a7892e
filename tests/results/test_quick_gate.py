"""The gate compares quick latencies with each other, and says what they can tell."""

import math
from dataclasses import replace

import numpy as np
import pytest

from tests.support.latency_runs import CASES, answers, change_of, name, run
from trt_conformance.core.errors import ConformanceError
from trt_conformance.results.latency.calibration import calibrate
from trt_conformance.results.latency.gate import compare_latency
from trt_conformance.results.record.record import Record


def test_quick_and_full_latencies_are_never_compared():
    quick, full = run(1, cases=3, effort="quick", samples=12), run(2, cases=3)
    found = compare_latency(quick, full)
    assert not found.changes
    assert found.only_base == tuple(f"{name(i)} [tensorrt, quick graph, warm]" for i in range(3))
    assert found.only_new == tuple(f"{name(i)} [tensorrt, graph, warm]" for i in range(3))
    assert compare_latency(full, quick, across_modes=True).changes == ()
    both = Record(quick.header, (*quick.verdicts, *full.verdicts), None)
    assert len(compare_latency(both, both).changes) == 6
    assert set(calibrate([quick, run(3, cases=3, effort="quick", samples=12)]).typical) == {("graph", "quick")}


def test_a_quick_latency_is_the_same_within_what_it_can_tell():
    found = compare_latency(run(1, effort="quick", samples=12), run(2, effort="quick", samples=12))
    assert answers(found)["different"] == 0
    assert answers(found)["same"] > 0.9 * CASES
    assert 0.05 < float(np.median([change.within for change in found.changes])) < 0.2
    assert found.exit_code == 0
    assert "of quick latencies" in found.summary
    assert "no calibration runs given" in found.summary
    assert "tolerance" not in found.summary


def test_a_quick_latency_finds_a_large_slow_down():
    found = compare_latency(
        run(1, effort="quick", samples=12), run(2, {7: 1.5}, effort="quick", samples=12), tolerance=0.02
    )
    assert [change.case for change in found.regressions] == [name(7)]
    assert found.exit_code == 1
    assert f"{name(7)} [quick graph] slower:" in "\n".join(found.lines())


def test_an_ambiguous_quick_latency_does_not_end_the_gate():
    found = compare_latency(run(1, effort="quick", samples=12), run(2, {7: 1.12}, effort="quick", samples=12))
    assert change_of(found, 7).answer == "ambiguous"
    assert found.exit_code == 0
    assert not [line for line in found.lines() if line.startswith(name(7))]


def test_many_quick_latencies_cost_a_full_one_no_power():
    base, new = run(1, cases=1), run(2, {0: 1.06}, cases=1)
    alone = compare_latency(base, new)
    quick = [run(seed, effort="quick", samples=12) for seed in (3, 4)]
    sides = [
        Record(full.header, (*full.verdicts, *more.verdicts), None)
        for full, more in zip((base, new), quick, strict=True)
    ]
    (full,) = compare_latency(*sides).of("full")
    assert full.p == alone.changes[0].p


def test_a_record_without_placements_takes_no_freedom_away():
    """One repetition has five placements that differ much, the other was made before placements were recorded."""
    placements = {"placements": [1e-6, 1.2e-6, 0.8e-6, 1.1e-6, 0.9e-6]}
    placed, bare = run(1, cases=1, facts=placements), run(2, cases=1)
    other = [run(3, cases=1, facts=placements), run(4, cases=1, facts=placements)]
    mixed = compare_latency([placed, bare], other).changes[0]
    every = compare_latency([placed, run(2, cases=1, facts=placements)], other).changes[0]
    # Four degrees of freedom against eight: Student's quantile is larger, and the variance is the same.
    widths = [math.log(change.high / change.low) for change in (mixed, every)]
    assert widths[0] / widths[1] == pytest.approx(2.776 / 2.306, rel=1e-3)


def at_places(seed, spread, **given):
    """Quick latencies at five places in memory, which differ by a standard deviation of ``spread``."""
    base = run(seed, effort="quick", samples=8, **given)
    generator, verdicts = np.random.default_rng(seed + 1000), []
    for verdict in base.verdicts:
        middle = float(np.median(verdict.figures["samples"]))
        places = middle * np.exp(spread * generator.standard_normal(5))
        facts = {"placements": places.tolist(), "one_place": ["weights"]}
        verdicts.append(replace(verdict, figures={**verdict.figures, "facts": facts}))
    return Record(base.header, tuple(verdicts), None)


def test_a_quick_latency_is_as_precise_as_its_places_say():
    """No spread is assumed beyond that of full latencies: what places leave is read from the record."""
    steady, scattered = ([at_places(seed, spread, between=0.002) for seed in (1, 2)] for spread in (0.001, 0.05))
    widths = [
        float(np.median([math.log(change.high / change.low) for change in compare_latency(*pair).changes]))
        for pair in (steady, scattered)
    ]
    assert widths[0] < 0.08
    assert widths[1] > 2.5 * widths[0]
    assert not compare_latency(*scattered).regressions


def test_no_false_alarm_of_quick_latencies():
    """The weights of each run lie in a place of their own, whose effect is as large as that of the others."""
    for seed in range(10):
        base, new = (at_places(100 * seed + side, 0.01, between=0.01) for side in (1, 2))
        assert not compare_latency(base, new).regressions


def test_a_slow_quick_latency_is_found_sooner_with_several_places():
    slower = {7: 1.25}
    several = change_of(compare_latency(at_places(1, 0.002), at_places(2, 0.002, slower=slower)), 7)
    one = change_of(
        compare_latency(*(run(seed, some, effort="quick", samples=8) for seed, some in ((1, {}), (2, slower)))), 7
    )
    assert several.word == "slower"
    assert math.log(several.high / several.low) < math.log(one.high / one.low)


def test_a_quick_latency_of_a_host_is_not_judged_without_repeated_runs():
    base, new = (run(seed, slower, effort="quick", mode="host") for seed, slower in ((1, None), (2, {7: 2.0})))
    found = change_of(compare_latency(base, new), 7)
    assert found.answer == "ambiguous"
    assert "give repeated runs as calibration" in found.notes[0]
    known = [run(seed, effort="quick", mode="host") for seed in (3, 4, 5)]
    assert change_of(compare_latency(base, new, known), 7).word == "slower"


def test_quick_latencies_of_other_devices_do_not_end_the_gate():
    """A run on a GPU has them unless they are turned off, and verdicts of two GPUs are compared."""
    base, new = run(1, cases=2, effort="quick"), run(2, cases=2, effort="quick", gpu="NVIDIA H200")
    found = compare_latency(base, new)
    assert found.exit_code == 0
    assert found.lines() == ["latency: quick latencies of different devices are not compared: NVIDIA H100, NVIDIA H200"]
    with pytest.raises(ConformanceError, match="different devices"):
        compare_latency(base, run(2, cases=2, gpu="NVIDIA H200"))
