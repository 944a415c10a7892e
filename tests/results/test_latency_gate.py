"""The gate raises no false alarm on repeated runs, finds a planted slow-down, and says where it cannot tell."""

import json
import math
from dataclasses import replace
from itertools import combinations

import pytest
from typer.testing import CliRunner

from tests.support.helpers import slow
from tests.support.latency_runs import CASES, TARGET, answers, change_of, name, placed, run, written
from tests.support.runs import record as run_record
from trt_conformance.cli import app
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.paths import ROOT
from trt_conformance.core.verdict import Verdict
from trt_conformance.results.latency.calibration import ASSUMED, PRIOR, UNCALIBRATED, calibrate
from trt_conformance.results.latency.gate import compare_latency, holm
from trt_conformance.results.latency.recorded import timings
from trt_conformance.results.record.record import Record, read_record


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
