"""Quick latencies in records: apart from full ones in history and report, and no part of what `compare` judges."""

import pytest

from tests.support.runs import record, verdict
from trt_conformance.core.check_names import QUICK_LATENCY, TARGET_CHECKS
from trt_conformance.results.changes import between
from trt_conformance.results.history import history
from trt_conformance.results.latency.recorded import timings
from trt_conformance.results.record.record import RecordWriter
from trt_conformance.results.record.schema import LineFault, validated

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


def test_a_record_tells_them_apart():
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
