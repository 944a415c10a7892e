"""``trt-conformance explore``: what it prints, records and ends with."""

import json

import pytest
from typer.testing import CliRunner

from tests.doubles.flipped import FlippedKernel
from trt_conformance.catalog.catalog import load_catalog
from trt_conformance.cli import app
from trt_conformance.cli.explore import clock, duration
from trt_conformance.core.errors import ConformanceError
from trt_conformance.results.record.record import read_record
from trt_conformance.targets.isolation import proxy
from trt_conformance.targets.numpy import NumpyTarget

TARGETS = {"numpy": NumpyTarget, "flipped": FlippedKernel}


@pytest.fixture(autouse=True)
def here(monkeypatch):
    """The targets, in this process."""
    monkeypatch.setattr(proxy, "open_target", lambda spec: TARGETS[spec]())


def invoke(tmp_path, *arguments):
    return CliRunner().invoke(app, ["explore", "--record-root", str(tmp_path), *map(str, arguments)])


def recorded(tmp_path):
    (path,) = tmp_path.rglob("record.jsonl")
    return read_record(path)


def test_nothing_found_ends_with_0(tmp_path):
    done = invoke(tmp_path, "--target", "numpy", "--seed", 7, "--draws", 12)
    assert done.exit_code == 0, done.output
    assert "12 draws, 0 of them failed, 0 finds" in done.output
    record = recorded(tmp_path)
    assert [verdict.case.rpartition("-")[0] for verdict in record.verdicts] == [f"explore_s7/n{n}" for n in range(12)]
    assert (record.end.exit, record.end.stopped) == (0, False)
    assert record.header.environment.to_json()["explore"] == {"seed": 7, "focus": ""}
    assert not list(tmp_path.rglob("*.toml"))


def test_a_find_ends_with_1_and_has_a_case_file(tmp_path):
    done = invoke(tmp_path, "--target", "flipped", "--seed", 1, "--draws", 6, "--focus", "fp32")
    assert done.exit_code == 1, done.output
    assert "find 1: forward fails; fp32 input [1, 1, 1, 2], kernel [1, 1, 1, 2]" in done.output
    assert "as if: a true convolution: the window is flipped on H and W (kernel_flipped)" in done.output
    record = recorded(tmp_path)
    found = [verdict for verdict in record.verdicts if verdict.case.startswith("found_")]
    assert found and all(verdict.check == "forward" for verdict in found)
    cases = load_catalog(next(tmp_path.rglob("finds")), tier=None).cases
    assert {case.id for case in cases} == {verdict.case for verdict in found}
    assert record.end.exit == 1


def test_the_report_reads_the_record(tmp_path):
    invoke(tmp_path, "--target", "flipped", "--seed", 1, "--draws", 6, "--focus", "fp32")
    (record,) = tmp_path.rglob("record.jsonl")
    done = CliRunner().invoke(app, ["report", str(record.parent)])
    assert done.exit_code == 0, done.output
    assert "found_s1_n" in next(record.parent.rglob("*.html")).read_text()


def test_json_is_the_finds(tmp_path):
    done = invoke(tmp_path, "--target", "flipped", "--seed", 1, "--draws", 3, "--focus", "fp32", "--json")
    finds = json.loads(done.stdout)
    assert finds[0]["check"] == "forward"
    assert "found_s1_n" in finds[0]["file"]


def test_ctrl_c_leaves_a_whole_record(tmp_path, monkeypatch):
    class Interrupted(NumpyTarget):
        built = 0

        def build(self, case):
            Interrupted.built += 1
            if Interrupted.built > 4:
                raise KeyboardInterrupt
            return super().build(case)

    monkeypatch.setitem(TARGETS, "numpy", Interrupted)
    done = invoke(tmp_path, "--target", "numpy", "--seed", 1, "--draws", 30)
    assert done.exit_code == 130
    record = recorded(tmp_path)
    assert record.end.stopped
    assert record.verdicts


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--focus", "int9"], '--focus: no precision or theme "int9"; did you mean "int8"?'),
        (["--time", "soon"], "--time: expected a duration such as 90s, 30m or 8h, got 'soon'"),
        (["--time", "0"], "--time: expected a duration such as 90s, 30m or 8h, got '0'"),
    ],
)
def test_bad_input_is_one_line(tmp_path, arguments, message):
    done = invoke(tmp_path, "--target", "numpy", "--draws", 1, *arguments)
    assert isinstance(done.exception, ConformanceError)
    assert message in str(done.exception)
    assert not list(tmp_path.rglob("*.jsonl"))


def test_durations():
    assert [duration(text) for text in ("90", "90s", "1.5m", "8h")] == [90, 90, 90, 28_800]
    assert [clock(seconds) for seconds in (5, 125.9, 3723)] == ["0:05", "2:05", "1:02:03"]
