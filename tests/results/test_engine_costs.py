"""What engines cost: in the report, from one run to another, and as a gate that says no."""

import json

import pytest
from typer.testing import CliRunner

from tests.support.pages import CATALOG, Page
from tests.support.runs import TARGET, record, verdict
from trt_conformance.cli import app
from trt_conformance.core.words import memory
from trt_conformance.results.changes import between
from trt_conformance.results.cost_changes import cost_changes
from trt_conformance.results.engine_costs import engine_costs
from trt_conformance.results.gate_settings import EngineSettings
from trt_conformance.results.record.record import save_record
from trt_conformance.results.report import compare_text
from trt_conformance.results.report.engines import engine_rows, engine_sums
from trt_conformance.results.report.page import compare_page, report_page
from trt_conformance.results.report.view import View


def built(case="stride_nd/h2_w2-fp32", plan=40_000, check="build", target=TARGET, **figures):
    given = {
        "engine": "built",
        "plan_bytes": plan,
        "weights_bytes": 36,
        "stored_weights_bytes": 512,
        "device_memory_bytes": 2**20,
        "workspace_bytes": 2**10,
        "build_s": 0.5,
    }
    figures = {name: value for name, value in (given | figures).items() if value is not None}
    return verdict(case, check=check, phase="build", target=target, figures=figures)


def test_an_engine_is_counted_once_with_the_figures_of_all_its_verdicts():
    first = built(plan=None, stored_weights_bytes=None)
    second = built(check="plan_size", padding_bytes=300)
    (cost,) = engine_costs([first, second, verdict(check="network", phase="network")])
    assert (cost.plan, cost.weights, cost.stored, cost.padding, cost.engine) == (40_000, 36, 512, 300, "built")
    assert cost.beside == 40_000 - 512


def test_older_records_have_the_time_of_builds_alone():
    (cost,) = engine_costs([verdict(figures={"engine": "built", "build_s": 0.5}), verdict("a/b-fp32")])
    assert (cost.build_s, cost.plan, cost.ratio, cost.beside, cost.cause) == (0.5, None, None, None, "")


@pytest.mark.parametrize(
    ("figures", "cause"),
    [
        ({"plan": 72}, ""),
        ({"plan": 73, "stored_weights_bytes": 36}, "code and metadata"),
        ({"plan": 5000, "stored_weights_bytes": 4000}, "weights as stored"),
        ({"plan": 5000, "stored_weights_bytes": 4000, "padding_bytes": 3900}, "zeros that pad channels"),
        ({"plan": 5000, "stored_weights_bytes": None}, "not reported by the engine"),
        ({"plan": 5000, "weights_bytes": None}, ""),
    ],
)
def test_a_plan_over_twice_its_weights_has_a_cause(figures, cause):
    (cost,) = engine_costs([built(**figures)])
    assert cost.cause == cause


def test_the_report_lists_engines_by_their_plans_with_sums():
    run = record(
        built(plan=3 * 2**20),
        built("a/cached-fp16", plan=5 * 2**20, engine="cached", build_s=9.0, device_memory_bytes=2**30),
        built("a/small-fp32", plan=60, weights_bytes=36, stored_weights_bytes=40),
    )
    view = View((run,), CATALOG)
    rows = engine_rows(view)
    assert [one.cost.case for one in rows] == ["a/cached-fp16", "stride_nd/h2_w2-fp32", "a/small-fp32"]
    (sums,) = engine_sums(view, rows)
    assert (sums.engines, sums.cached, sums.over) == (3, 1, 2)
    assert sums.plan == 8 * 2**20 + 60
    assert sums.build_s == 1.0
    assert sums.largest_plan.cost.case == sums.largest_memory.cost.case == "a/cached-fp16"
    found = Page(report_page(view))
    assert "What the engines cost" in found.words
    assert "5.00 MiB" in found.words and "1.00 GiB" in found.words and "9.00 s" in found.words
    assert "code and metadata" in found.words


def test_a_report_without_engines_has_nothing_of_them():
    assert "What the engines cost" not in report_page(View((record(verdict()),), CATALOG))


def test_names_of_cases_are_text_in_the_table():
    page = report_page(View((record(built("a/<b>-fp32")),), CATALOG))
    assert "a/<b>" not in page and "a/&lt;b&gt;-fp32" in page


def test_a_long_list_of_engines_is_cut_and_says_so():
    run = record(*(built(f"a/case_{n}-fp32", plan=1000 + n) for n in range(450)))
    found = Page(report_page(View((run,), CATALOG)))
    assert "The 400 largest of 450 engines are listed." in found.words


BASE = record(built(), built("a/b-fp32", plan=10_000), built("a/gone-fp32"))


def costs(*verdicts, base=BASE, **tolerances):
    return cost_changes(between(base, record(*verdicts)), EngineSettings(**tolerances))


def test_equal_engines_change_nothing():
    found = costs(built(), built("a/b-fp32", plan=10_000), plan_bytes_tolerance=0.0, device_memory_tolerance=0.0)
    assert (found.changes, found.regressions, found.exit_code) == ((), (), 0)
    assert found.lines() == [
        "2 engines: plan 48.8 KiB -> 48.8 KiB (+0.0 %), device memory 2.00 MiB -> 2.00 MiB (+0.0 %), "
        "build 1.00 s -> 1.00 s (+0.0 %)"
    ]


def test_a_plan_beyond_its_tolerance_is_a_regression_and_one_within_is_not():
    assert costs(built(plan=44_000), plan_bytes_tolerance=0.1).exit_code == 0
    found = costs(built(plan=44_001), plan_bytes_tolerance=0.1)
    assert found.exit_code == 1
    (one,) = found.regressions
    assert (one.case, one.figure, one.before, one.now) == ("stride_nd/h2_w2-fp32", "plan", 40_000, 44_001)


def test_a_smaller_plan_is_listed_and_never_a_regression():
    found = costs(built(plan=1000), plan_bytes_tolerance=0.0)
    assert found.exit_code == 0
    assert [one.cells for one in found.changes] == [("39.1 KiB", "1000 B", "-97.5 %")]


def test_without_a_tolerance_growth_is_listed_and_not_judged():
    found = costs(built(plan=4_000_000, device_memory_bytes=2**31))
    assert found.exit_code == 0
    assert [(one.figure, one.cells[2]) for one in found.changes] == [("device memory", "x 2.05e+03"), ("plan", "x 100")]


def test_device_memory_and_the_sum_of_builds_are_judged_apart():
    found = costs(built(device_memory_bytes=2**21), device_memory_tolerance=0.5)
    assert [one.figure for one in found.regressions] == ["device memory"]
    slow = costs(built(build_s=1.0), built("a/b-fp32", plan=10_000, build_s=0.4), build_time_tolerance=0.3)
    assert [(one.case, one.figure, one.before, one.now) for one in slow.regressions] == [("", "build", 1.0, 1.4)]
    assert not costs(built(build_s=1.0), built("a/b-fp32", build_s=0.2), build_time_tolerance=0.3).regressions


def test_builds_that_filled_a_cache_before_are_not_compared():
    found = costs(built(engine="cached", build_s=100.0), build_time_tolerance=0.1)
    assert found.undecided == ("build_time_tolerance",)
    assert found.exit_code == 3
    assert found.lines()[-1] == "build_time_tolerance is set, but no engine has this figure in both runs"


def test_device_memory_from_nothing_is_beyond_any_tolerance():
    base = record(built(device_memory_bytes=0))
    found = costs(built(device_memory_bytes=8), base=base, device_memory_tolerance=1000.0)
    assert found.exit_code == 1
    assert found.regressions[0].cells == ("0 B", "8 B", "from nothing")


def test_a_tolerance_for_what_older_records_lack_is_undecided():
    old = record(verdict(figures={"engine": "built", "build_s": 0.5}))
    found = costs(built(plan=10**9), base=old, plan_bytes_tolerance=0.1, build_time_tolerance=1.0)
    assert (found.undecided, found.exit_code) == (("plan_bytes_tolerance",), 3)


def test_targets_of_other_versions_are_paired():
    found = costs(built(plan=80_000, target="tensorrt-10.1-sm90"), plan_bytes_tolerance=0.5)
    (one,) = found.regressions
    assert one.target == "tensorrt-10.1-sm90"


def test_texts_and_the_page_say_it():
    changes = between(BASE, record(built(plan=80_000), built("a/b-fp32", plan=10_000, build_s=9.0)))
    found = cost_changes(changes, EngineSettings(plan_bytes_tolerance=0.5, build_time_tolerance=0.5))
    assert "2 engine costs beyond tolerance" in compare_text.sentence(changes, (), 2)
    terminal = compare_text.terminal(changes, 10, (), found)
    assert "engines beyond their tolerance (regressions): 2" in terminal
    assert "all engines" in terminal and "+100.0 %" in terminal
    page = Page(compare_page(changes, 10, None, found))
    assert "2 engine costs beyond tolerance" in page.words and "Engines beyond their tolerance" in page.words
    assert "changed engines" not in terminal


@pytest.fixture
def runs(tmp_path):
    before = save_record(tmp_path / "before", record(built()))
    after = save_record(tmp_path / "after", record(built(plan=90_000)))
    old = save_record(tmp_path / "old", record(verdict(check="build", phase="build")))
    return {"before": str(before), "after": str(after), "old": str(old)}


@pytest.mark.parametrize(
    ("base", "new", "options", "code"),
    [
        ("before", "after", [], 0),
        ("before", "after", ["--plan-bytes-tolerance", "0.5"], 1),
        ("before", "after", ["--plan-bytes-tolerance", "2"], 0),
        ("after", "before", ["--plan-bytes-tolerance", "0"], 0),
        ("before", "after", ["--device-memory-tolerance", "0"], 0),
        ("before", "after", ["--build-time-tolerance", "0"], 0),
        ("old", "after", ["--plan-bytes-tolerance", "0.5"], 3),
    ],
)
def test_the_gate(runs, base, new, options, code):
    arguments = ["compare", runs[base], runs[new], *options]
    done = CliRunner().invoke(app, [*arguments, "--gate"])
    assert done.exit_code == code
    assert CliRunner().invoke(app, arguments).exit_code == 0


def test_a_negative_tolerance_is_refused(runs):
    done = CliRunner().invoke(app, ["compare", runs["before"], runs["after"], "--plan-bytes-tolerance", "-1"])
    assert str(done.exception) == "--plan-bytes-tolerance: must be at least 0, got -1.0"


def test_the_gate_reads_its_tolerance_from_a_file(runs, tmp_path):
    settings = tmp_path / "gate.toml"
    settings.write_text("[engine]\nplan_bytes_tolerance = 0.5\n")
    arguments = ["compare", runs["before"], runs["after"], "--gate", "--settings", str(settings)]
    done = CliRunner().invoke(app, [*arguments, "--json"])
    assert done.exit_code == 1
    engine = json.loads(done.output)["engine"]
    assert (engine["regressions"], engine["exit_code"], engine["changes"][0]["now"]) == (1, 1, 90_000)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.00 KiB"),
        (270_336, "264 KiB"),
        (8_286_720, "7.90 MiB"),
        (3 * 2**30, "3.00 GiB"),
    ],
)
def test_sizes_have_three_digits(value, text):
    assert memory(value) == text
