"""Quick latencies in records: apart from full ones in history and report, and no part of what `compare` judges."""

import csv
import json

import pytest

from tests.support.runs import record, verdict
from trt_conformance.core.check_names import QUICK_LATENCY, TARGET_CHECKS
from trt_conformance.results.changes import between
from trt_conformance.results.history import history
from trt_conformance.results.latency.recorded import timings
from trt_conformance.results.record.record import RecordWriter
from trt_conformance.results.record.schema import LineFault, validated
from trt_conformance.results.report.exports.benchmark import github_benchmark
from trt_conformance.results.report.exports.prometheus import prometheus
from trt_conformance.results.report.exports.series import latencies
from trt_conformance.results.report.exports.table import as_csv
from trt_conformance.results.report.latency_rows import latency_rows
from trt_conformance.results.report.view import View

SAMPLES = [1e-5, 1.01e-5, 0.99e-5] * 4
FIGURES = {"mode": "graph", "cold_l2": False, "samples": SAMPLES}
QUICK = {"effort": "quick", "uncertainty": 0.01, "cost_s": 0.02}


def quick(**fields):
    given = {"phase": "latency", "check": QUICK_LATENCY, "claims": (), "figures": FIGURES | QUICK}
    return verdict(**given | fields)


def full(**fields):
    return verdict(**{"phase": "latency", "check": "latency", "figures": FIGURES} | fields)


def test_it_is_a_check_that_expectations_may_name():
    assert QUICK_LATENCY in TARGET_CHECKS


def test_a_record_distinguishes_them():
    found = timings(record(quick(), full()))
    assert [(key.effort, key.timing_mode) for key in found] == [("quick", "quick graph, warm"), ("full", "graph, warm")]


@pytest.mark.parametrize("after", [None, quick(status="not run", figures={})], ids=["absent", "not run"])
def test_a_latency_that_was_not_taken_is_no_change_of_a_verdict(after):
    base, new = record(verdict(), quick()), record(verdict(), *([after] if after else []))
    found = between(base, new)
    assert [check.check for check in found.checks] == ["forward"]
    assert not found.regressions


def test_trends_are_apart(tmp_path):
    writer = RecordWriter(tmp_path, ["tensorrt-8.6.1-sm90"], {})
    for one in (quick(), full()):
        writer.write(one)
    writer.close({"counts": {"pass": 2}, "exit": 0})
    found = history([writer.path])
    assert {trend.mode for trend in found.trends} == {"quick graph, warm", "graph, warm"}


@pytest.mark.parametrize(
    ("field", "value"), [("effort", "slow"), ("uncertainty", -0.1), ("cost_s", -1.0), ("uncertainty", "many")]
)
def test_the_schema_refuses_other_values(field, value):
    line = {"kind": "verdict"} | quick().to_json()
    validated(line)
    line["figures"] = line["figures"] | {field: value}
    with pytest.raises(LineFault, match=field):
        validated(line)


PLACED = {"placements": [1e-5, 1.1e-5, 0.9e-5, 1.05e-5, 0.95e-5], "one_place": ["weights"]}


def test_exports_tell_them_apart_with_their_precision():
    """The standard error is the one that the places leave: 7.9 % of each, and once more for the weights."""
    stated = 0.0791 * (1 + 1 / 5) ** 0.5
    found = View((record(quick(figures=FIGURES | QUICK | {"uncertainty": stated, "facts": PLACED}), full()),))
    text = prometheus(found)
    assert f'case="{verdict().case}",effort="quick",mode="graph"' in text
    assert f'case="{verdict().case}",effort="full",mode="graph"' in text
    by_effort = {entry.key.effort: entry.error for entry in latencies(found)}
    assert by_effort["quick"] == pytest.approx(stated, rel=1e-3)
    assert by_effort["full"] < 0.01
    rows = list(csv.DictReader(as_csv(found).splitlines()))
    assert [row["effort"] for row in rows] == ["quick", ""]
    assert float(rows[0]["latency_error_s"]) == pytest.approx(stated * 1e-5, rel=1e-3)
    names = {entry["name"] for entry in json.loads(github_benchmark(found))}
    assert names == {f"{verdict().case} on tensorrt, {way}" for way in ("quick graph, warm", "graph, warm")}
    assert [row.error for row in latency_rows(found)] == ["±8.7 %", "±0.5 %"]


def test_cold_weights_are_a_cache_of_their_own():
    ways = [FIGURES, FIGURES | {"cold_l2": True}, FIGURES | {"cold_l2": True, "facts": {"warm_input": True}}]
    found = [key.timing_mode for one in ways for key in timings(record(full(figures=one)))]
    assert found == ["graph, warm", "graph, cold", "graph, cold weights"]
