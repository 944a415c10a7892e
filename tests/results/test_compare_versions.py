"""Runs of two versions of TensorRT-RTX compared: what changed between them is named, and nothing else.

The records are of real runs, cut to a few cases: tests/data/rtx_1_4.jsonl and rtx_1_7.jsonl.
"""

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.support.latency_runs import run as timed
from tests.support.pages import Page
from tests.support.runs import record
from trt_conformance.cli import app, main
from trt_conformance.results.changes import REGRESSIONS, between
from trt_conformance.results.latency.gate import latency_section
from trt_conformance.results.record.record import FILE_NAME, read_record, save_record
from trt_conformance.results.report.compare_text import sentence
from trt_conformance.results.report.page import compare_page

DATA = Path(__file__).parents[1] / "data"
OLD, NEW = DATA / "rtx_1_4.jsonl", DATA / "rtx_1_7.jsonl"
OLD_TARGET, NEW_TARGET = "tensorrt_rtx-1.4.0-aot", "tensorrt_rtx-1.7.1-aot"
INT8 = {
    "num_groups/int8_groups_of_8-int8",
    "set_input/values-int8",
    "exact_int8/full_range-int8",
    "exact_int8/extremes-int8",
}
ROUND_UP = "padding/2d_explicit_round_up"


def invoke(*arguments):
    return CliRunner().invoke(app, ["compare", *map(str, arguments)])


@pytest.fixture
def regressed(tmp_path):
    """The new version's run, had one of its passes failed and one been an error."""
    lines = [json.loads(line) for line in NEW.read_text(encoding="utf-8").splitlines()]
    passes = [line for line in lines if line.get("status") == "pass" and line["target"] == NEW_TARGET]
    passes[0] |= {"status": "fail", "message": "refused, but should be accepted:\n  no kernel"}
    passes[1] |= {"status": "error", "message": "boom"}
    path = tmp_path / "regressed.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def test_records_name_no_place_of_the_machine_that_made_them():
    for path in (OLD, NEW):
        environment = read_record(path).header.environment
        assert environment.arguments == ["cases", "--target", "tensorrt_rtx"]
        assert environment.source.to_json() == {}


def test_versions_are_paired_and_share_every_check():
    changes = between(read_record(OLD), read_record(NEW))
    assert changes.pairs == ((OLD_TARGET, NEW_TARGET),)
    assert len(changes.both) == len(changes.checks) == len(read_record(OLD).verdicts)
    assert not changes.only_base
    assert not changes.only_new
    assert changes.environment == ((f"targets.{NEW_TARGET}.version", "1.4.0.76", "1.7.1.116"),)


def test_int8_convolutions_that_the_new_version_builds_newly_pass():
    groups = between(read_record(OLD), read_record(NEW)).groups
    assert {(c.case, c.check, c.before, c.now) for c in groups["passing"]} == {
        (case, "build", "known", "pass") for case in INT8
    }
    assert {c.case for c in groups["other"] if c.now == "not run"} == INT8
    assert not any(groups[group] for group in REGRESSIONS)


def test_a_known_difference_that_became_another_is_reported():
    changes = between(read_record(OLD), read_record(NEW))
    (found,) = [check for check in changes.groups["other"] if check.case == ROUND_UP]
    assert (found.before, found.now) == ("known", "known")
    assert found.message == ("known as window_far_past_the_end_accepted before, as window_past_the_end_accepted now")
    assert found.message in invoke(OLD, NEW).output


def test_what_the_old_version_refuses_is_reported_with_its_reason():
    found = json.loads(invoke(NEW, OLD, "--json").output)
    assert found["regressions"] == 0
    built = [change for change in found["other"] if change["check"] == "build"]
    assert {change["case"] for change in built} == INT8
    for change in built:
        assert change["message"].startswith("refused, but should be accepted: IBuilder::buildSerializedNetwork")


def test_the_gate_passes_versions_without_regression_and_stops_one(regressed):
    assert invoke(OLD, NEW, "--gate").exit_code == 0
    assert invoke(NEW, OLD, "--gate").exit_code == 0
    done = invoke(NEW, regressed, "--gate")
    assert done.exit_code == 1
    assert done.output.startswith("2 regressions. The runs share")
    assert "refused, but should be accepted: no kernel" in done.output
    assert invoke(NEW, regressed).exit_code == 0


def test_every_form_holds_the_change(tmp_path):
    page = tmp_path / "page.html"
    done = invoke(OLD, NEW, "--markdown", "--html", page)
    assert done.exit_code == 0
    assert done.output.startswith("**No regression. The runs share")
    for case in INT8:
        assert f"| {case.replace('_', chr(92) + '_')} |" in done.output
        assert case in Page(page.read_text(encoding="utf-8")).words


def broken(kind):
    good = NEW.read_bytes()
    first, rest = good.split(b"\n", 1)
    return {
        "cut in its header": first[:200],
        "a line cut short": good.replace(b'"status": ', b"\n", 1),
        "another JSON file": b'{\n  "cases": []\n}\n',
        "a JSON list": b"[1, 2]\n",
        "empty": b"",
        "of another schema": good.replace(b'"schema_version": 1', b'"schema_version": 99', 1),
        "not UTF-8": first + b'\n\xff\xfe{"kind"\n' + rest,
        "UTF-16": good.decode().encode("utf-16"),
        "nested without end": b'{"kind": ' + b"[" * 100_000,
        "begun at no time": first.replace(b'"started": "2026-11', b'"started": "2026-99') + b"\n" + rest,
        "two records": good + good,
    }[kind]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("cut in its header", ":1: not a line of a run record: not valid JSON"),
        ("a line cut short", ": not a line of a run record: not valid JSON"),
        ("another JSON file", ":1: not a line of a run record: not valid JSON"),
        ("a JSON list", ":1: not a line of a run record: not a JSON object"),
        ("empty", "the file is empty"),
        ("of another schema", "schema version 99; this program reads 1"),
        ("not UTF-8", ":2: not a line of a run record: not valid UTF-8"),
        ("UTF-16", ":1: not a line of a run record: not valid UTF-8"),
        ("nested without end", ":1: not a line of a run record: line 1: nested more than 64 levels"),
        ("begun at no time", ":1: started:"),
        ("two records", "more than one record?"),
        ("a folder without one", "contains no run record"),
        ("absent", "no such file or folder"),
    ],
)
@pytest.mark.parametrize("side", ["base", "new"])
def test_a_broken_record_gets_one_line_and_2(tmp_path, monkeypatch, capsys, kind, message, side):
    path = tmp_path / "broken"
    if kind == "a folder without one":
        path.mkdir()
    elif kind != "absent":
        path.write_bytes(broken(kind))
    records = [str(path), str(OLD)] if side == "base" else [str(OLD), str(path)]
    monkeypatch.setattr(sys, "argv", ["trt-conformance", "compare", *records, "--html", str(tmp_path / "page.html")])
    with pytest.raises(SystemExit) as ended:
        main()
    printed = capsys.readouterr()
    assert ended.value.code == 2
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert printed.err.startswith(str(path))
    assert message in printed.err
    assert not (tmp_path / "page.html").exists()


def test_a_killed_run_is_compared_as_far_as_it_went(tmp_path):
    killed = tmp_path / FILE_NAME
    killed.write_bytes(NEW.read_bytes()[:-2000])
    done = invoke(NEW, killed, "--gate")
    assert done.exit_code == 1
    assert "the new run did not finish" in done.output
    assert "passed before, not run now (regressions)" in done.output


def test_a_run_that_lost_every_check_is_no_clean_one(tmp_path):
    nothing = tmp_path / FILE_NAME
    nothing.write_bytes(NEW.read_bytes().split(b"\n", 1)[0] + b"\n")
    done = invoke(NEW, nothing, "--gate")
    assert done.exit_code == 1
    assert " regressions. The runs have no check in common." in done.output


@pytest.fixture
def latencies():
    """Runs of twelve latencies, of which the second has one longer and one shorter; and its calibration."""
    base, new = (record(*timed(*given, cases=12, **more).verdicts) for given, more in LATENCIES)
    return base, new, [timed(seed) for seed in (3, 4, 5)]


LATENCIES = (((1,), {}), ((2,), {"slower": {0: 1.3, 1: 0.7}}))


def test_the_page_holds_latencies(latencies):
    base, new, repeated = latencies
    changes, latency = between(base, new), latency_section(base, new, repeated)
    words = Page(compare_page(changes, 10, latency)).words
    assert "No regression of results, but 1 case slower." in words
    assert "10 same, 2 different, 0 ambiguous" in words
    for word in ("slower", "faster", "same kernel", "3.01 µs"):
        assert word in words
    assert "Latency" not in Page(compare_page(changes, 10)).words


def test_a_slower_case_is_in_the_first_sentence_of_every_form(latencies, tmp_path):
    base, new, repeated = latencies
    paths = [save_record(tmp_path / name, run) for name, run in (("base", base), ("new", new))]
    calibration = [
        part
        for index, run in enumerate(repeated)
        for part in ("--calibration", save_record(tmp_path / str(index), record(*run.verdicts)))
    ]
    for form in ((), ("--markdown",)):
        done = invoke(*paths, *calibration, "--gate", *form)
        assert done.exit_code == 1
        assert done.output.lstrip("*").startswith("No regression of results, but 1 case slower.")


def test_latencies_of_other_devices_are_reported_as_not_compared(latencies):
    base, new, _ = latencies
    new = record(*new.verdicts, device={"gpu": "another"})
    words = Page(compare_page(between(base, new), 10, latency_section(base, new))).words
    assert "latencies of different devices are not compared" in words


def test_the_sentence_counts_both_kinds(regressed):
    changes = between(read_record(NEW), read_record(regressed))
    assert sentence(changes, ["3 cases slower"]).startswith("2 regressions of results, and 3 cases slower. ")
