"""Latencies of whole models: each layer counts as often as it occurs, in the report, the history and the exports."""

import csv
import io
import json
import math

import pytest

from tests.results.test_history import run
from tests.support.pages import CATALOG, Page
from tests.support.runs import record, timed, verdict
from trt_conformance.checks.latency import place_in_model
from trt_conformance.core.case import Case
from trt_conformance.results.history import history
from trt_conformance.results.latency.models import model_latencies, whole
from trt_conformance.results.record.record import read_record, save_record
from trt_conformance.results.report import report_page
from trt_conformance.results.report.exports import github_benchmark, markdown, prometheus
from trt_conformance.results.report.exports.table import as_csv
from trt_conformance.results.report.view import View

A, B = "net/a_n8-fp16", "net/b_n8-fp16"


def layer(case=A, median=50e-6, occurrences=1, **more):
    batch = more.pop("batch", 8)
    figures = {"occurrences": occurrences} | ({} if batch is None else {"batch": batch})
    return timed(case, median, figures=figures | more.pop("figures", {}), **more)


def test_each_layer_counts_as_often_as_it_occurs():
    (found,) = model_latencies([layer(A, 50e-6, 3), layer(B, 100e-6, 1)])
    assert (found.convolutions, found.layers, found.missing) == (4, 2, ())
    assert found.seconds == pytest.approx(250e-6)
    assert found.shares == {A: pytest.approx(0.6), B: pytest.approx(0.4)}
    assert (found.key.name, found.text) == ("net_n8-fp16", "4 convolutions in 2 layers")
    (alone,) = model_latencies([layer(A, 50e-6, 1)])
    # the errors of the layers add as those of independent measurements, each times its count
    assert found.error * found.seconds == pytest.approx(
        math.hypot(3 * alone.error * 50e-6, alone.error * 100e-6), rel=1e-6
    )


def test_what_was_timed_otherwise_is_another_sum():
    verdicts = [
        layer(A),
        layer(A, mode="enqueue"),
        layer("net/a_n1-fp16", batch=1),
        layer("net/a_n8-fp32"),
        layer("other/a_n8-fp16"),
        layer(A, target="tensorrt-11-sm90"),
        layer(A, figures={"cold_l2": True}),
        layer(A, figures={"effort": "quick"}),
    ]
    assert len(model_latencies(verdicts)) == len(verdicts)


def test_cases_that_do_not_say_how_often_they_occur_are_no_model():
    assert model_latencies([timed(A), verdict(B)]) == []


def test_a_layer_without_a_latency_is_missing():
    wrong = timed(B, phase="compare", status="fail", figures={"samples": []})
    (found,) = model_latencies([layer(A), wrong, timed("net/b_n1-fp16", phase="compare", status="fail")])
    assert found.missing == (B,)
    assert found.text == "1 convolution in 1 layer; 1 layer without a latency"
    assert whole([found]) == []


def test_the_report_has_the_sum_and_how_often_each_layer_occurs():
    page = report_page(View([record(layer(A, 50e-6, 3), layer(B, 100e-6))], CATALOG))
    text = "".join(Page(page).text)
    models = text[text.index("largest parts") : text.index("Layers")]
    assert "net_n8-fp16" in models
    assert "250 µs" in models
    assert "a_n8 60 %, b_n8 40 %" in models
    assert f"{A} ×3" in text
    assert 'id="models"' not in report_page(View([record(timed(A))], CATALOG))


def test_the_history_follows_whole_models(tmp_path):
    for index, (median, second) in enumerate([(50e-6, "pass"), (60e-6, "pass"), (40e-6, "fail")]):
        failed = {"phase": "compare"} if second == "fail" else {}
        verdicts = layer(A, median, 3), layer(B, 100e-6, status=second, **failed)
        save_record(tmp_path / f"run{index}", run(index, *verdicts))
    (found,) = (trend for trend in history([tmp_path]).trends if "convolution" in trend.case)
    assert found.case == "net_n8-fp16 (4 convolutions)"
    # the third run has no latency of one layer, so that its sum is not that of the model
    assert [point.value for point in found.points] == pytest.approx([250e-6, 280e-6])
    assert found.moved


def test_the_exports_have_models():
    view = View([record(layer(A, 50e-6, 3), layer(B, 100e-6))], CATALOG)
    (line,) = [line for line in prometheus(view).splitlines() if line.startswith("trt_conformance_model_latency")]
    assert 'model="net_n8-fp16"' in line
    assert float(line.rpartition(" ")[2]) == pytest.approx(250e-6)
    assert "| net\\_n8-fp16 |" in markdown(view)
    assert "250 µs" in markdown(view)
    last = json.loads(github_benchmark(view))[-1]
    assert last["name"].startswith("net_n8-fp16 on ")
    assert (last["unit"], last["value"]) == ("µs", 250.0)
    rows = list(csv.DictReader(io.StringIO(as_csv(view))))
    assert [(row["occurrences"], row["batch"]) for row in rows] == [("3", "8"), ("1", "8")]


def test_a_case_says_its_place_in_its_model(tmp_path):
    given = {"input": {"shape": (8, 1, 3, 3), "fill": "uniform"}, "kernel": {"shape": (1, 1, 1, 1), "fill": "uniform"}}
    named = {"id": A, "name": "a_n8", "file": "net.toml", "line": 1, "section": "net", "doc": "a layer of a net"}
    case = Case.model_validate(named | given | {"occurrences": 3, "batch": 8})
    assert place_in_model(case) == {"occurrences": 3, "batch": 8}
    assert place_in_model(Case.model_validate(named | given | {"batch": 8})) == {}
    save_record(tmp_path, record(layer(A, figures=place_in_model(case))))
    assert read_record(tmp_path / "record.jsonl").verdicts[0].figures["occurrences"] == 3
