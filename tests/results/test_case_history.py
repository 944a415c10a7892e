"""The history of single cases with versions marked, and of the sizes of engines."""

import json

import pytest
from typer.testing import CliRunner

from tests.results.test_engine_costs import built
from tests.results.test_history import CASE, run
from tests.support.pages import Page
from tests.support.runs import timed, verdict
from trt_conformance.cli import app
from trt_conformance.core.errors import ConformanceError
from trt_conformance.results.history import history
from trt_conformance.results.record.record import save_record
from trt_conformance.results.report.trend import case_histories, history_page

OTHER = "net/other-fp32"
PLANS = (40_000, 40_000, 80_000)
MEDIANS = (50e-6, 50e-6, 80e-6)


@pytest.fixture
def runs(tmp_path):
    """Three runs: the last one has another version, a larger plan, no device memory, and is slower."""
    for index, version in enumerate(("8.6.1", "8.6.1", "10.0.1")):
        memory = 0 if index == 2 else 2**20
        quick = {"effort": "quick", "uncertainty": 0.04}
        found = run(
            index,
            timed(CASE, MEDIANS[index]),
            timed(CASE, 2 * MEDIANS[index], check="quick_latency", figures=quick),
            built(CASE, plan=PLANS[index], device_memory_bytes=memory),
            verdict(CASE, figures={"fraction": 0.5}),
            built(OTHER),
            version=version,
        )
        save_record(tmp_path / "runs" / str(index), found)
    return tmp_path / "runs"


def test_sizes_of_engines_are_trends(runs):
    found = history([runs])
    (plan,) = [trend for trend in found.of("plan") if trend.case == CASE]
    assert [point.value for point in plan.points] == list(PLANS)
    assert (plan.change, plan.moved, plan.text(plan.last)) == ("+100.0 %", True, "78.1 KiB")
    assert plan.step_text == "run 3: tensorrt version 8.6.1 → 10.0.1"
    (same,) = [trend for trend in found.of("plan") if trend.case == OTHER]
    assert (same.change, same.moved) == ("same", False)


def test_memory_to_and_from_nothing_has_a_change(runs, tmp_path):
    (memory,) = [trend for trend in history([runs]).of("device memory") if trend.case == CASE]
    assert (memory.change, memory.moved) == ("-100.0 %", True)
    for index, size in enumerate((0, 512)):
        save_record(tmp_path / "other" / str(index), run(index, built(CASE, device_memory_bytes=size)))
    (memory,) = history([tmp_path / "other"]).of("device memory")
    assert (memory.change, memory.moved) == ("from nothing", True)
    json.dumps(memory.to_json(), allow_nan=False)


def test_a_quick_latency_has_the_error_that_it_states(runs):
    full, quick = sorted(
        (trend for trend in history([runs]).of("latency")), key=lambda trend: trend.mode.startswith("quick")
    )
    assert quick.mode == "quick graph, warm"
    assert {point.error for point in quick.points} == {0.04}
    assert all(point.error < 0.01 for point in full.points)


def test_a_case_has_all_its_trends_and_the_versions_before_each_run(runs):
    (case,) = case_histories(history([runs]).only([CASE]))
    assert [(one.trend.quantity, one.trend.mode) for one in case.lines] == [
        ("device memory", ""),
        ("error fraction", ""),
        ("latency", "graph, warm"),
        ("latency", "quick graph, warm"),
        ("plan", ""),
    ]
    assert [row.run for row in case.rows] == [1, 2, 3]
    assert [row.changed for row in case.rows] == ["", "", "tensorrt version 8.6.1 → 10.0.1"]
    assert case.rows[2].targets == "tensorrt-10.0.1-sm90"
    assert [row.values[4] for row in case.rows] == ["39.1 KiB", "39.1 KiB", "78.1 KiB"]
    assert case.rows[2].values[2].startswith("80.0 µs ±")
    assert all(len(one.dots) == 3 and one.dots[2].mark for one in case.lines)


def test_a_run_without_the_case_is_left_out(runs):
    save_record(runs / "9", run(9, built(OTHER)))
    (case,) = case_histories(history([runs]).only([CASE]))
    assert [row.run for row in case.rows] == [1, 2, 3]


@pytest.mark.parametrize(
    ("pattern", "cases"), [("net/*", 2), (CASE, 1), ("net/layer", 1), ("*-fp32", 1), ("net/o*", 1)]
)
def test_cases_are_chosen_by_globs(runs, pattern, cases):
    assert len(case_histories(history([runs]).only([pattern]))) == cases


def test_a_glob_without_a_case_is_refused(runs):
    with pytest.raises(ConformanceError, match=r"--case none/\*: the runs have no trend of such a case"):
        history([runs]).only([CASE, "none/*"])


def test_the_page_shows_cases_where_they_are_asked_for(runs):
    found = history([runs])
    words = Page(history_page(found.only([CASE]), with_cases=True)).words
    assert "Each case" in words and CASE in words
    assert "tensorrt version 8.6.1 → 10.0.1" in words and "Bytes of plans" in words and "Device memory" in words
    assert "Each case" not in history_page(found)


def test_the_command_takes_cases(runs, tmp_path):
    html = tmp_path / "history.html"
    done = CliRunner().invoke(app, ["history", str(runs), "--case", "net/layer", "--html", str(html)])
    assert done.exit_code == 0, done.output
    assert "3 runs, 5 trends" in done.output and "plan" in done.output
    assert "Each case" in html.read_text(encoding="utf-8")
    found = json.loads(CliRunner().invoke(app, ["history", str(runs), "--case", OTHER, "--json"]).output)
    assert {trend["case"] for trend in found["trends"]} == {OTHER}
