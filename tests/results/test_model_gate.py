"""The gate on whole models: it finds what no layer shows alone, raises no false alarm, and compares like with like."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.support.pages import Page
from tests.support.runs import record, timed, verdict
from trt_conformance.cli import app
from trt_conformance.results.changes import between
from trt_conformance.results.latency.gate import compare_latency
from trt_conformance.results.latency.model_timings import model_timings
from trt_conformance.results.latency.recorded import Key
from trt_conformance.results.record.record import save_record
from trt_conformance.results.report.compare_text import sentence
from trt_conformance.results.report.page import compare_page

NAME = "net_n8-fp16 (30 convolutions)"
LAYERS = 10


def run(seed, slower=1.0, between_runs=0.004, samples=60, effort="full", layers=LAYERS, machine_mhz=None, failing=0):
    """A run of a model of layers that each occur three times; ``slower`` is a factor of all of them."""
    generator = np.random.default_rng(seed)
    verdicts = []
    for index in range(layers):
        level = 20e-6 * (1 + index / 4) * slower * np.exp(between_runs * generator.standard_normal())
        found = level * np.exp(0.02 * generator.standard_normal(samples))
        figures = {"samples": [round(float(one), 9) for one in found], "occurrences": 3, "batch": 8, "effort": effort}
        if machine_mhz:
            figures["facts"] = {"sample_mhz": machine_mhz}
        failed = {"phase": "compare", "status": "fail"} if index < failing else {}
        verdicts.append(timed(f"net/layer{index}_n8-fp16", figures=figures, **failed))
    return record(*verdicts)


CALIBRATION = [run(seed) for seed in range(3)]


def models(base, new, **options):
    return compare_latency(base, new, CALIBRATION, **options).models


def test_a_model_that_became_slower_is_found():
    (found,) = models(run(10), run(11, 1.05))
    assert (found.case, found.word, found.effort) == (NAME, "slower", "full")
    assert found.low < 1.05 < found.high
    assert found.base_median == pytest.approx(3 * sum(20e-6 * (1 + index / 4) for index in range(LAYERS)), rel=0.02)


def test_a_model_shows_what_most_of_its_layers_do_not():
    noisy = {"between_runs": 0.012, "samples": 40}
    calibration = [run(seed, **noisy) for seed in range(12)]
    found = [compare_latency(run(s, **noisy), run(s + 1, 1.035, **noisy), calibration) for s in range(20, 30, 2)]
    assert [comparison.models[0].word for comparison in found] == ["slower"] * 5
    assert sum(len(comparison.regressions) for comparison in found) < 5 * LAYERS / 4
    alone = found[-1]  # in this one no layer is found
    assert alone.regressions == ()
    assert alone.slower == ["1 model slower"]
    assert alone.exit_code == 1


def test_repeated_runs_are_never_different():
    answers = [model.answer for seed in range(12) for model in models(run(100 + seed), run(200 + seed))]
    assert len(answers) == 12
    assert "different" not in answers
    assert answers.count("same") >= 10


def test_a_model_that_became_faster_is_no_regression():
    comparison = compare_latency(run(10), run(11, 0.9), CALIBRATION)
    assert [model.word for model in comparison.models] == ["faster"]
    assert comparison.slower == []


def test_a_lower_clock_is_not_a_slower_model():
    before, after = run(10, machine_mhz=1980), run(11, 1.05, machine_mhz=1885)
    (found,) = models(before, after)
    assert found.answer == "ambiguous"
    assert "the SM clock was lower" in found.notes[0]
    assert models(before, run(11, 1.05, machine_mhz=1980))[0].word == "slower"


def test_sums_of_other_layers_or_with_a_missing_one_are_not_compared():
    assert models(run(10), run(11, 1.5, layers=LAYERS - 1)) == ()
    assert models(run(10), run(11, 1.5, failing=1)) == ()


def test_quick_sums_are_compared_with_quick_ones_alone():
    quick = compare_latency(run(10, effort="quick"), run(11, 1.3, effort="quick"))
    assert [(model.effort, model.word) for model in quick.models] == [("quick", "slower")]
    assert compare_latency(run(10, effort="quick"), run(11, 1.3)).models == ()


def test_the_errors_of_layers_add_as_those_of_independent_measurements():
    (timing,) = model_timings(run(10)).values()
    (single,) = model_timings(run(10, layers=1)).values()
    assert timing.summary.error < single.summary.error / 2
    assert model_timings(run(10, machine_mhz=1000))[Key(NAME, "tensorrt", "graph", "warm")].cycles == pytest.approx(
        timing.summary.median * 1e9
    )
    assert timing.cycles is None
    assert timing.placements == ()


def test_runs_without_a_model_have_no_sum():
    assert compare_latency(record(timed()), record(timed())).models == ()


def test_the_command_says_it_and_fails_the_gate(tmp_path):
    for name, found in {"base": run(10), "new": run(11, 1.05), "again": run(12)}.items():
        save_record(tmp_path / name, found)

    def compare(new, *options):
        given = [str(tmp_path / "base"), str(tmp_path / new), "--gate", *options]
        return CliRunner().invoke(app, ["compare", *given, "--calibration", str(tmp_path / "again")])

    slower = compare("new")
    assert slower.exit_code == 1
    assert f"model {NAME} [graph] slower: " in slower.output
    assert "1 model slower" in slower.output
    assert json.loads(compare("new", "--json").output)["latency"]["models"][0]["answer"] == "different"
    same = compare("again").output
    assert f"model {NAME} [graph] " in same
    assert "slower" not in same


def test_the_page_has_the_models():
    base, new = run(10), run(11, 1.05)
    latency = compare_latency(base, new, CALIBRATION)
    page = Page(compare_page(between(base, new), 10, latency))
    assert (
        "Whole models The sum over the layers of each model, weighted by their occurrences. model target" in page.words
    )
    assert NAME in page.words
    assert sentence(between(record(verdict()), record(verdict())), latency.slower).endswith(
        "1 model slower. The runs share 1 check."
    )
