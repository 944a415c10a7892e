"""The history: trends over many runs, changes of versions among them, and a database that is whole or not there."""

from __future__ import annotations

import json
import sqlite3
import sys
from contextlib import closing
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from tests.support.pages import Page
from tests.support.runs import record, timed, verdict
from trt_conformance.cli import app, main
from trt_conformance.core.errors import ConformanceError
from trt_conformance.results.history import history
from trt_conformance.results.record.record import save_record
from trt_conformance.results.report.trend import history_page

CASE = "net/layer-fp16"
VERSIONS = ("8.6.1", "10.0.1", "10.0.1", "10.3.0")
MEDIANS = (50e-6, 50.05e-6, 50e-6, 60e-6)


def run(index, *verdicts, version="8.6.1", driver="580.1", target=None):
    """A run started in a month, of one TensorRT."""
    target = target or f"tensorrt-{version}-sm90"
    device = {"gpu": "NVIDIA H200", "driver": driver}
    found = record(
        *(replace(v, target=target) for v in verdicts), device=device, targets={target: {"version": version}}
    )
    return replace(found, header=found.header.model_copy(update={"started": f"2026-{index + 1:02}-01T00:00:00+00:00"}))


@pytest.fixture
def runs(tmp_path):
    """Four runs, the last of them slower, with another version and nearer its error bound."""
    folder = tmp_path / "runs"
    for index, (version, median) in enumerate(zip(VERSIONS, MEDIANS, strict=True)):
        forward = verdict(CASE, figures={"fraction": 0.9 if index == 3 else 0.5})
        driver = "580.1" if index < 2 else "590.2"
        found = run(index, timed(CASE, median), timed("net/same-fp16"), forward, version=version, driver=driver)
        save_record(folder / f"run{3 - index}", found)  # the names say nothing of the order
    return folder


def test_runs_of_doubles_are_left_out(runs, tmp_path):
    """A target that is slower on purpose is no step of the registered one."""
    slowed = run(2, timed(CASE, 90e-6))
    arguments = ["--target", "tests/doubles/slowed.py:Slowed"]
    environment = slowed.header.environment.model_copy(update={"arguments": arguments})
    slowed = replace(slowed, header=slowed.header.model_copy(update={"environment": environment}))
    save_record(runs / "slowed", slowed)
    found = history([runs])
    assert found.notes == (
        f"{runs}/slowed/record.jsonl is left out: its target is tests/doubles/slowed.py:Slowed, "
        "not the registered one of that name",
    )
    assert max(point.value for point in found.of("latency")[0].points) == pytest.approx(max(MEDIANS))
    done = CliRunner().invoke(app, ["history", str(runs), "--case", "net/*"])
    assert "slowed/record.jsonl is left out" in done.output
    with pytest.raises(ConformanceError, match="no record has a registered target"):
        history([runs / "slowed"])


def test_trends_over_versions_with_their_dispersion(runs):
    found = history([runs])
    assert [run.number for run in found.runs] == [1, 2, 3, 4]
    assert [run.started[:7] for run in found.runs] == ["2026-01", "2026-02", "2026-03", "2026-04"]
    fraction, latency = found.moved
    assert (latency.case, latency.series, latency.mode) == (CASE, "tensorrt", "graph, warm")
    assert [point.value for point in latency.points] == pytest.approx(MEDIANS)
    assert all(point.low < point.value < point.high and point.count == 200 for point in latency.points)
    assert latency.change.startswith("+20.0 % ±")
    assert latency.step_text == "run 4: tensorrt version 10.0.1 → 10.3.0"
    assert (fraction.quantity, fraction.change) == ("error fraction", "+0.4")
    assert [trend.case for trend in found.of("latency") if not trend.moved] == ["net/same-fp16"]


def test_changes_of_versions_and_devices_are_marked(runs):
    found = history([runs])
    assert [(run.number, text) for run, text in found.changes()] == [
        (2, "tensorrt version 8.6.1 → 10.0.1"),
        (3, "driver 580.1 → 590.2"),
        (4, "tensorrt version 10.0.1 → 10.3.0"),
    ]
    assert [point.changed for point in found.trends[0].points] == [
        (),
        ("tensorrt version 8.6.1 → 10.0.1",),
        ("driver 580.1 → 590.2",),
        ("tensorrt version 10.0.1 → 10.3.0",),
    ]


def test_another_choice_of_kernels_is_marked(tmp_path):
    """By the same version: what the builder chose explains the step. An engine without names of kernels has no mark."""
    chosen = (["x", "y"], ["y", "x"], ["z"], ["z", ""])
    for index, kernels in enumerate(chosen):
        layers = [{"name": "layer", "type": "conv", "kernel": kernel} for kernel in kernels]
        save_record(
            tmp_path / f"run{index}", run(index, timed(CASE, 50e-6 if index < 2 else 70e-6, figures={"layers": layers}))
        )
    (trend,) = history([tmp_path]).of("latency")
    assert [point.changed for point in trend.points] == [(), (), ("other kernels",), ()]
    assert trend.step_text == "run 3: other kernels"


def test_noise_from_run_to_run_is_no_change(tmp_path):
    for index, median in enumerate((50e-6, 51e-6, 50e-6, 51e-6, 50e-6, 51e-6)):
        save_record(tmp_path / str(index), run(index, timed(CASE, median)))
    (trend,) = history([tmp_path]).trends
    assert trend.change == "+2.0 % ±3.0 %, noise"
    assert not trend.moved


def test_two_versions_in_one_run_are_two_trends(tmp_path):
    both = record(timed(CASE, target="tensorrt-8.6.1-sm90"), timed(CASE, target="tensorrt-10.0.1-sm90"))
    save_record(tmp_path / "both", both)
    save_record(tmp_path / "one", run(5, timed(CASE)))
    assert {trend.series: len(trend.points) for trend in history([tmp_path]).trends} == {
        "tensorrt-8.6.1-sm90": 2,
        "tensorrt-10.0.1-sm90": 1,
    }


def test_a_record_given_twice_counts_once(runs):
    assert len(history([runs, runs / "run0", runs / "run0" / "record.jsonl"]).runs) == 4


def test_how_wrong_a_known_difference_is_has_no_trend(tmp_path):
    for index, known in enumerate(("", "a known difference", "a known difference")):
        status = "fail" if known else "pass"
        figures = {"fraction": 1e4 * index}
        save_record(tmp_path / str(index), run(index, verdict(CASE, status=status, known=known, figures=figures)))
    (trend,) = history([tmp_path]).trends
    assert [point.run for point in trend.points] == [1]


@pytest.mark.parametrize("fractions", [("inf", "inf"), ("inf", 0.5), (0.5, "nan"), (0, 0.5), (0.5, 0), (0, 0)])
def test_fractions_without_a_ratio(tmp_path, fractions):
    for index, fraction in enumerate(fractions):
        save_record(tmp_path / str(index), run(index, verdict(CASE, figures={"fraction": fraction})))
    found = history([tmp_path])
    assert found.trends[0].moved == (len(set(fractions)) > 1)
    json.dumps(found.to_json(), allow_nan=False)
    Page(history_page(found))


def test_the_database_holds_what_the_records_hold(runs, tmp_path):
    database = tmp_path / "history.sqlite"
    for _ in range(2):  # rebuilt, not added to
        history([runs], database)
    with closing(sqlite3.connect(database)) as connection:
        ask = connection.execute
        assert ask("select count(*) from run").fetchone() == (4,)
        medians = ask("select median from latency where case_id = ? order by run", (CASE,)).fetchall()
        assert [median for (median,) in medians] == pytest.approx(MEDIANS)
        assert ask("select max(fraction) from fraction").fetchone() == (0.9,)
        assert ask("select value from fact where name = 'driver' and run = 4").fetchone() == ("590.2",)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["history.sqlite", "runs"]


def broken(folder, kind):
    if kind == "foreign":
        folder.mkdir()
        (folder / "record.jsonl").write_text('{"some": "thing"}\n', encoding="utf-8")
    elif kind == "figures":
        save_record(folder, record(timed(figures={"samples": [0.0]})))
    elif kind == "fraction":
        save_record(folder, record(verdict(figures={"fraction": {}, "kernel": "k"})))
    elif kind == "empty":
        folder.mkdir()
    return folder


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("foreign", "not a run record"),
        ("figures", ":2: figures: the median of samples is below"),
        ("fraction", "figures.fraction"),
        ("empty", "contains no run record"),
        ("missing", "no such file or folder"),
    ],
)
def test_a_record_that_cannot_be_used_leaves_the_database_as_it_was(runs, tmp_path, kind, message):
    database = tmp_path / "history.sqlite"
    history([runs], database)
    before = database.read_bytes()
    with pytest.raises(ConformanceError, match=message):
        history([runs, broken(tmp_path / "broken", kind)], database)
    assert database.read_bytes() == before
    assert not list(tmp_path.glob(".history*"))


def test_half_a_surrogate_pair_is_stored_as_its_escape(tmp_path):
    save_record(tmp_path, record(timed("a\ud800-fp16"), device={"gpu": "half a \ud800 pair"}))
    found = history([tmp_path])
    assert found.runs[0].facts["", "GPU"] == "half a \\ud800 pair"
    assert found.trends[0].case == "a\\ud800-fp16"


@pytest.mark.parametrize("kind", ["text", "sqlite", "folder"])
def test_another_file_is_not_overwritten(runs, tmp_path, kind):
    other = tmp_path / "other"
    if kind == "text":
        other.write_text("my notes, of some length\n" * 20, encoding="utf-8")
    elif kind == "folder":
        other.mkdir()
    else:
        with closing(sqlite3.connect(other)) as connection:
            connection.execute("create table mine (x)")
    with pytest.raises(ConformanceError, match="is not a history, so it is not overwritten"):
        history([runs], other)


def test_a_path_that_cannot_be_written_is_reported(runs, tmp_path):
    with pytest.raises(ConformanceError, match="cannot be written"):
        history([runs], tmp_path / "nowhere" / "history.sqlite")


def test_the_command_lists_what_changed_most(runs, tmp_path):
    html, database = tmp_path / "history.html", tmp_path / "history.sqlite"
    done = CliRunner().invoke(app, ["history", str(runs), "--html", str(html), "--db", str(database)])
    assert done.exit_code == 0, done.output
    assert "4 runs, 3 trends, 2 changed" in done.output
    assert "run 3, 2026-03-01T00:00:00+00:00: driver 580.1 → 590.2" in done.output
    (line,) = (line for line in done.output.splitlines() if "latency (graph, warm)" in line)
    assert "50.0 µs ±<0.1 % (n=200)  60.0 µs ±<0.1 % (n=200)  +20.0 %" in line
    assert "net/same" not in done.output
    assert database.exists()
    found = Page(html.read_text(encoding="utf-8"))
    assert found.loads == ["data:,"]
    assert len(found.ids) == len(set(found.ids))
    assert all(link.removeprefix("#") in found.ids for link in found.links)
    assert "2 of 3 trends changed over 4 runs." in found.words
    assert "run 4, tensorrt-10.3.0-sm90: 60.0 µs ±<0.1 % (n=200)" in found.words


def test_json_and_top(runs):
    told = json.loads(CliRunner().invoke(app, ["history", str(runs), "--json"]).output)
    assert [trend["moved"] for trend in told["trends"]] == [True, True, False]
    assert told["versions"][1] == {"run": 3, "change": "driver 580.1 → 590.2"}
    assert len(told["trends"][1]["points"]) == 4
    assert "latency (" not in CliRunner().invoke(app, ["history", str(runs), "--top", "1"]).output


def test_a_broken_record_ends_the_command_with_2(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["trt-conformance", "history", str(tmp_path / "nothing")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "no such file or folder" in capsys.readouterr().err


def test_one_run_and_texts_of_targets(tmp_path):
    evil = "<script>alert(1)</script>\"'&"
    save_record(tmp_path, run(0, timed(evil), verdict(evil, figures={"fraction": 0.5}), version=evil, target=evil))
    html = history_page(history([tmp_path]))
    assert "<script>alert" not in html
    assert "one run" in Page(html).words
