"""The gate raises no false alarm on repeated runs, finds a planted slow-down, and says where it cannot tell."""

import json
import math
from collections import Counter
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.support.helpers import slow
from tests.support.runs import record as run_record
from trt_conformance.cli import app
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.paths import ROOT
from trt_conformance.core.verdict import Verdict
from trt_conformance.results.latency.calibration import ASSUMED, PRIOR, UNCALIBRATED, calibrate
from trt_conformance.results.latency.gate import compare_latency, holm
from trt_conformance.results.latency.recorded import timings
from trt_conformance.results.record.record import Record, RecordWriter, read_record

TARGET = "tensorrt-8.6.1-sm90"
CASES = 100


def name(index):
    return f"net/layer{index}_n8-fp16"


def run(
    seed,
    slower=None,
    cases=CASES,
    samples=200,
    between=0.003,
    target=TARGET,
    gpu="NVIDIA H100",
    mode="graph",
    kernel="sm80_xmma_fprop",
    **figures,
):
    """A record of latencies as a GPU gives them: noise within and between runs, drift, and outliers."""
    generator = np.random.default_rng(seed)
    verdicts = []
    for index in range(cases):
        scale = 3e-6 * 1.1 ** (index % 60) * (slower or {}).get(index, 1.0)
        x = between * generator.standard_normal() + 0.01 * generator.standard_normal(samples)
        x += 0.002 * generator.standard_normal() * np.linspace(0, 1, samples)
        x += np.where(generator.random(samples) < 0.02, generator.random(samples), 0)
        figures |= {"samples": [round(float(value), 9) for value in scale * np.exp(x)], "kernel": kernel}
        given = {"mode": mode, "cold_l2": False} | figures
        verdicts.append(Verdict(name(index), target, "latency", "pass", figures=given))
    return replace(run_record(*verdicts, machine="x86_64", device={"gpu": gpu}), end=None)


def answers(comparison):
    return Counter(change.answer for change in comparison.changes)


def change_of(comparison, index):
    (found,) = [change for change in comparison.changes if change.case == name(index)]
    return found


@pytest.mark.parametrize("between", [0.001, 0.004, 0.02])
def test_repeated_runs_are_never_different(between):
    for seed in range(2):
        calibration = [run(100 * seed + i, between=between) for i in range(3)]
        base, new = run(100 * seed + 8, between=between), run(100 * seed + 9, between=between)
        found = compare_latency(base, new, calibration)
        assert answers(found)["different"] == 0, found.lines()
        assert len(found.changes) == CASES
        if between == 0.001:
            assert answers(found)["same"] == CASES
            assert found.exit_code == 0


def test_no_false_alarm_without_calibration_either():
    for seed in range(4):
        found = compare_latency(run(100 * seed), run(100 * seed + 1))
        assert not found.calibrated
        assert answers(found)["different"] == 0


def test_a_planted_slow_down_is_found():
    hits = 0
    for seed in range(4):
        calibration = [run(100 * seed + i, between=0.002) for i in range(3)]
        base, new = run(100 * seed + 8, between=0.002), run(100 * seed + 9, {7: 1.03, 50: 1.03}, between=0.002)
        found = compare_latency(base, new, calibration)
        assert {c.case for c in found.changes if c.answer == "different"} <= {name(7), name(50)}
        hits += len(found.regressions)
        assert found.exit_code == 1
        assert all(c.kernels == "same kernel" and "slower" in c.text() for c in found.regressions)
        assert all(1.02 < c.ratio < 1.04 and c.low > 1.01 and c.p < 0.05 for c in found.regressions)
    assert hits >= 7


def test_a_gain_is_no_regression():
    calibration = [run(i, between=0.001) for i in range(3)]
    found = compare_latency(run(8, between=0.001), run(9, {3: 0.9}, between=0.001), calibration)
    assert change_of(found, 3).answer == "different"
    assert "faster" in change_of(found, 3).text()
    assert found.exit_code == 0


def test_the_interval_covers_no_change():
    """In 95 of 100 cases at least, where nothing changed."""
    calibration = [run(i) for i in range(3)]
    found = compare_latency(run(8), run(9), calibration)
    assert sum(change.low < 1 < change.high for change in found.changes) >= 0.93 * CASES


def test_tiny_samples_are_ambiguous():
    calibration = [run(i, cases=5, samples=5) for i in range(3)]
    found = compare_latency(run(8, cases=5, samples=5), run(9, {1: 1.05}, cases=5, samples=5), calibration)
    assert answers(found) == {"ambiguous": 5}
    assert found.exit_code == 3
    assert "too few samples to decide" in found.lines()[1]
    json.dumps(found.to_json(), allow_nan=False)


def test_noisy_runs_are_ambiguous_and_repeating_them_settles_it():
    bases = [run(i, cases=20, between=0.01) for i in range(20)]
    news = [run(50 + i, {1: 1.05}, cases=20, between=0.01) for i in range(20)]
    once = compare_latency(bases[0], news[0])
    assert answers(once)["ambiguous"] >= 19
    assert "to decide, compare about" in once.lines()[2]
    often = compare_latency(bases, news)
    assert often.calibrated
    assert change_of(often, 1).is_regression
    assert answers(often)["same"] >= 17
    assert answers(often)["different"] == 1


def placed(spread):
    return {"facts": {"placements": [1e-5 * (1 + spread * k) for k in (-1, -0.5, 0, 0.5, 1)]}}


def test_where_memory_decides_a_few_percent_are_not_distinguished():
    slower = {3: 1.08}
    steady = compare_latency(run(1, **placed(0.001)), run(2, slower, **placed(0.001)))
    swaying = compare_latency(run(1, **placed(0.04)), run(2, slower, **placed(0.04)))
    assert change_of(steady, 3).answer == "different"
    assert change_of(swaying, 3).answer == "ambiguous"
    assert answers(swaying)["different"] == 0


def test_within_the_tolerance_is_same():
    calibration = [run(i, cases=20, between=0.0005) for i in range(4)]
    base, new = run(8, cases=20, between=0.0005), run(9, {1: 1.01}, cases=20, between=0.0005)
    assert change_of(compare_latency(base, new, calibration), 1).answer == "same"
    strict = compare_latency(base, new, calibration, tolerance=0.005)
    assert change_of(strict, 1).is_regression


def test_another_kernel_is_distinguished():
    calibration = [run(i, cases=5, between=0.001) for i in range(3)]
    base, new = run(8, cases=5, between=0.001), run(9, cases=5, between=0.001, kernel="sm90_xmma_fprop")
    found = compare_latency(base, new, calibration)
    assert {c.kernels for c in found.changes} == {"other kernel"}
    assert "other kernel: sm80_xmma_fprop -> sm90_xmma_fprop" in found.lines()[1]


def test_the_trace_of_kernels_counts_before_the_inspector():
    traced = {"kernels": [{"name": "conv", "seconds": 1e-6}, {"name": "reformat", "seconds": 1e-6}]}
    fused = {"kernels": [{"name": "conv", "seconds": 2e-6}]}
    base, new = run(1, cases=1, **traced), run(2, cases=1, **fused)
    (change,) = compare_latency(base, new).changes
    assert (change.kernels, change.base_kernels, change.new_kernels) == ("other kernel", ("reformat",), ())
    (change,) = compare_latency(base, run(2, cases=1)).changes
    assert change.kernels == "same kernel"
    (change,) = compare_latency(run(1, cases=1, kernel=""), run(2, cases=1)).changes
    assert change.kernels == "unknown"


def test_versions_of_a_target_are_paired():
    found = compare_latency(run(1, cases=3), run(2, cases=3, target="tensorrt-10.9.0-sm90"))
    assert {(c.base_target, c.new_target) for c in found.changes} == {(TARGET, "tensorrt-10.9.0-sm90")}
    assert compare_latency(run(1, cases=3), run(2, cases=3, target="torch-2.11-cudnn9-sm90")).changes == ()


def test_other_devices_are_refused():
    base, new = run(1, cases=2), run(2, cases=2, gpu="NVIDIA L4")
    with pytest.raises(ConformanceError, match="different devices are not compared: NVIDIA H100, NVIDIA L4"):
        compare_latency(base, new)
    assert len(compare_latency(base, new, across_devices=True).changes) == 2
    with pytest.raises(ConformanceError, match="several devices"):
        calibrate([base, new])
    with pytest.raises(ConformanceError, match="x86_64 without a GPU"):
        compare_latency(base, run(2, cases=2, gpu=None))


def test_other_modes_are_refused():
    base, new = run(1, cases=2), run(2, cases=2, mode="kernel")
    with pytest.raises(ConformanceError, match="timed as graph, warm and as kernel, warm"):
        compare_latency(base, new)
    found = compare_latency(base, new, across_modes=True)
    assert len(found.changes) == 2
    assert "base timed as graph, warm, new as kernel, warm" in found.changes[0].text()


def test_what_only_one_run_has_is_listed():
    found = compare_latency(run(1, cases=3), run(2, cases=2))
    assert found.only_base == (f"{name(2)} [tensorrt, graph, warm]",)
    assert found.lines()[-1] == f"only in base: {name(2)} [tensorrt, graph, warm] (1)"


def test_a_slower_device_is_no_regression():
    calibration = [run(i, cases=5, between=0.001, yardstick=[1e-4, 1.001e-4]) for i in range(3)]
    base = run(8, cases=5, between=0.001, yardstick=[1e-4, 1.001e-4])
    everything = dict.fromkeys(range(5), 1.1)
    new = run(9, everything, cases=5, between=0.001, yardstick=[1.1e-4, 1.1011e-4])
    found = compare_latency(base, new, calibration)
    assert answers(found) == {"ambiguous": 5}
    assert "the reference kernel changed by +10.0 %" in found.lines()[1]
    assert answers(compare_latency(base, new, calibration, normalize=True)) == {"same": 5}
    unknown = compare_latency(base, run(9, everything, cases=5, between=0.001), calibration, normalize=True)
    assert "no reference kernel was timed: not normalized" in unknown.lines()[1]


def sides(yardsticks, slower=1.05, **figures):
    """Three runs and three that are slower, with a yardstick in seconds for each."""
    scale = dict.fromkeys(range(5), slower)
    return [
        [
            run(10 * number + index, scale if number else None, 5, between=0.001, yardstick=[seconds], **figures)
            for index, seconds in enumerate(side)
        ]
        for number, side in enumerate(yardsticks)
    ]


STEADY, NOISY, LATER = (1e-4, 1.001e-4, 0.999e-4), (1e-4, 1.05e-4, 0.96e-4), (1.05e-4, 1.051e-4, 1.049e-4)


@pytest.mark.parametrize(
    ("before", "after", "answer"),
    [(STEADY, LATER, "ambiguous"), (NOISY, (1.03e-4, 1.08e-4, 0.99e-4), "different"), (STEADY, STEADY, "different")],
)
def test_a_yardstick_counts_where_it_moved_by_more_than_it_varies(before, after, answer):
    assert answers(compare_latency(*sides((before, after)))) == {answer: 5}


def test_clock_cycles_count_before_the_yardstick():
    found = compare_latency(*sides((STEADY, LATER), facts={"sample_mhz": 1980}))
    assert answers(found) == {"different": 5}


def test_calibration_learns_the_spread():
    thresholds = calibrate([run(i, between=0.004) for i in range(5)])
    typical = thresholds.typical["graph", "full"]
    assert typical.variance**0.5 == pytest.approx(0.004, rel=0.15)
    assert typical.freedom == 4 * CASES
    key = next(iter(timings(run(0))))
    variance, freedom = thresholds.of(key)
    own, _ = thresholds.by_case[key]
    assert freedom == PRIOR + 4
    assert min(own, typical.variance) <= variance <= max(own, typical.variance)
    assert thresholds.of(key._replace(case="net/other-fp16")) == typical
    assert thresholds.of(key._replace(mode="kernel")) == ASSUMED["full"]


def test_nothing_repeated_assumes_a_spread():
    thresholds, (key, *_) = calibrate([run(0)]), timings(run(0))
    assert not thresholds.typical
    assert thresholds.of(key) == (UNCALIBRATED**2, math.inf)
    assert "1% between runs is assumed" in compare_latency(run(0, cases=1), run(1, cases=1)).lines()[0]


def test_failed_and_other_verdicts_are_no_latencies():
    record = run(0, cases=1)
    others = [
        Verdict("a-fp32", TARGET, "latency", "unsupported"),
        Verdict("b-fp32", TARGET, "compare", "pass"),
        Verdict("c-fp32", TARGET, "latency", "fail", figures={"mode": "graph", "cold_l2": False, "samples": [1.0]}),
    ]
    assert len(timings(Record(record.header, (*record.verdicts, *others), None))) == 1


def written(root, record):
    writer = RecordWriter(root, [TARGET], record.header.environment.to_json())
    for verdict in record.verdicts:
        writer.write(verdict)
    writer.close({})
    return str(writer.path)


@pytest.mark.parametrize(
    ("base", "new", "options", "code", "text"),
    [
        ({}, {}, [], 0, "latency: 5 same, 0 different, 0 ambiguous"),
        ({}, {"slower": {2: 1.05}}, [], 1, "layer2_n8-fp16 [graph] slower:"),
        ({}, {"slower": {2: 1.05}}, ["--tolerance", "0.1"], 0, "latency: 5 same"),
        ({}, {"samples": 5}, [], 3, "too few samples to decide"),
        ({}, {"gpu": "NVIDIA L4"}, [], 3, "latencies of different devices are not compared"),
        ({}, {"gpu": "NVIDIA L4"}, ["--across-devices"], 0, "latency: 5 same"),
    ],
)
def test_the_command(tmp_path, base, new, options, code, text):
    quiet = {"cases": 5, "between": 0.001}
    paths = [written(tmp_path, run(8, **quiet | base)), written(tmp_path, run(9, **quiet | new)), "--gate", *options]
    for seed in range(3):
        paths += ["--calibration", written(tmp_path, run(seed, **quiet))]
    done = CliRunner().invoke(app, ["compare", *paths])
    assert (done.exit_code, text in done.output) == (code, True), done.output
    (found,) = [json.loads(CliRunner().invoke(app, ["compare", "--json", *paths]).output)["latency"]]
    assert found["exit_code"] == code


def test_without_latencies_nothing_is_reported(tmp_path):
    empty = [written(tmp_path, run(seed, cases=0)) for seed in range(2)]
    done = CliRunner().invoke(app, ["compare", "--gate", *empty])
    assert done.exit_code == 0
    assert "latency" not in done.output


def test_holm():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


PUBLISHED = ROOT / "reports" / "published"


def h200(name):
    return read_record(PUBLISHED / f"2026-11-22-tensorrt-8.6.1-h200-{name}")


REPEATED = ("latency", "latency-again", "latency-repeat-1", "latency-repeat-2", "latency-repeat-3")


@pytest.mark.parametrize(
    ("base", "new"),
    [pair if index % 3 == 0 else slow(*pair) for index, pair in enumerate(combinations(REPEATED, 2))],
    ids=lambda name: name.removeprefix("latency-"),
)
def test_repeated_runs_of_a_real_gpu_are_never_different(base, new):
    others = [h200(name) for name in REPEATED if name not in (base, new)]
    for calibration in ((), others):
        found = compare_latency(h200(base), h200(new), calibration)
        assert len(found.changes) >= 11
        assert answers(found)["different"] == 0


def test_a_planted_delay_on_a_real_gpu_is_found_in_every_layer():
    calibration = [h200(name) for name in REPEATED if name != "latency-again"]
    found = compare_latency(h200("latency-again"), h200("latency-slowed"), calibration)
    assert [change.answer for change in found.changes] == ["different"] * 8
    assert all(change.ratio > 1.02 for change in found.changes)
    assert found.exit_code == 1


FIGURES = {"mode": "graph", "cold_l2": False, "samples": [1.0]}


@pytest.mark.parametrize("facts", [None, {}, {"placements": []}])
def test_a_latency_without_placements_is_compared(facts):
    one = Verdict("a-fp32", TARGET, "latency", "pass", figures=FIGURES | {"facts": facts})
    (timing,) = timings(run_record(one)).values()
    assert timing.placements == ()


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


def clocked(seed, mhz, slower=None, at=1980):
    """Full latencies at an SM clock, which is proportional to their speed."""
    scale = {index: (slower or {}).get(index, 1.0) * at / mhz for index in range(CASES)}
    return run(seed, scale, facts={"sample_mhz": mhz})


def test_a_lower_clock_is_no_slower_kernel():
    found = compare_latency(clocked(1, 1980), clocked(2, 1755))
    assert not found.regressions
    change = change_of(found, 7)
    assert change.answer == "ambiguous"
    assert "in clock cycles: the SM clock was lower, not the kernel slower" in change.notes[0]
    assert found.exit_code == 3


def test_a_slower_kernel_is_slower_at_any_clock():
    found = compare_latency(clocked(1, 1980), clocked(2, 1755, {7: 1.1}))
    assert [change.case for change in found.regressions] == [name(7)]


def test_clocks_of_each_sample_count():
    base = clocked(1, 1980)
    (verdict, *_) = base.verdicts
    samples = verdict.figures["samples"]
    each = [1980, 990] * (len(samples) // 2)
    doubled = [sample * 1980 / mhz for sample, mhz in zip(samples, each, strict=True)]
    again = replace(verdict, figures={**verdict.figures, "samples": doubled, "facts": {"sample_mhz": each}})
    (before,) = timings(Record(base.header, (verdict,), None)).values()
    (after,) = timings(Record(base.header, (again,), None)).values()
    assert after.cycles == pytest.approx(before.cycles)
    assert before.cycles == pytest.approx(before.summary.median * 1980e6)


@pytest.mark.parametrize("facts", [{}, {"sample_mhz": [1980]}, {"sample_mhz": []}], ids=["none", "too few", "empty"])
def test_without_clocks_time_alone_decides(facts):
    base, new = run(1, facts=facts), run(2, {7: 1.1}, facts=facts)
    assert all(timing.cycles is None for timing in timings(base).values())
    assert [change.case for change in compare_latency(base, new).regressions] == [name(7)]


def test_quick_latencies_of_other_devices_do_not_end_the_gate():
    """A run on a GPU has them unless they are turned off, and verdicts of two GPUs are compared."""
    base, new = run(1, cases=2, effort="quick"), run(2, cases=2, effort="quick", gpu="NVIDIA H200")
    found = compare_latency(base, new)
    assert found.exit_code == 0
    assert found.lines() == ["latency: quick latencies of different devices are not compared: NVIDIA H100, NVIDIA H200"]
    with pytest.raises(ConformanceError, match="different devices"):
        compare_latency(base, run(2, cases=2, gpu="NVIDIA H200"))
