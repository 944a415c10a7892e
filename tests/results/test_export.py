"""A run for other programs: each form is read back by a reader of its kind."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from junitparser import JUnitXml
from typer.testing import CliRunner

from tests.support.exported import COSTS, FULL, NASTY, TIMED, view
from tests.support.pages import CATALOG
from tests.support.runs import TARGET, flipped, record, timed, verdict
from trt_conformance.cli import app
from trt_conformance.cli.export import Format
from trt_conformance.core.errors import ConformanceError
from trt_conformance.results import report as reports
from trt_conformance.results.record.record import save_record
from trt_conformance.results.report.exports import (
    FORMATS,
    benchmark_counts,
    benchmark_engines,
    github_benchmark,
    junit,
    markdown,
    parquet,
    pytest_benchmark,
)
from trt_conformance.results.report.exports.table import COLUMNS, SCHEMA, as_csv


@pytest.fixture(autouse=True)
def small_catalog(monkeypatch):
    """The commands read this instead of all case files, which takes a second."""
    monkeypatch.setattr(reports, "load_catalog", lambda *_, **__: CATALOG)


@pytest.mark.parametrize("run", [FULL, record(), record(asked=[TARGET]), record(verdict(), complete=False)])
def test_junit_keeps_its_schema(run):
    xmlschema = pytest.importorskip("xmlschema")
    schema = xmlschema.XMLSchema(str(Path(__file__).parents[1] / "data" / "junit.xsd"))
    schema.validate(junit(view(run)))
    assert not schema.is_valid("<testsuites><testcase/></testsuites>")


def test_junit_counts_and_says():
    root = ET.fromstring(junit(view(FULL)))
    counts = {"tests": "9", "failures": "2", "errors": "1", "skipped": "4"}
    assert root.attrib == {"name": "trt-conformance", **counts, "time": "0.25"}
    suites = {suite.get("name"): suite for suite in root}
    assert set(suites) == {TARGET, "flipped_kernel", "reference"}
    assert suites[TARGET].get("skipped") == "4"
    assert suites[TARGET].get("timestamp") == "2026-11-22T13:50:40"
    tests = {test.get("name"): test for test in root.iter("testcase")}
    failure = tests["forward[example/values-fp32, flipped_kernel]"].find("failure")
    assert failure.get("message").startswith("output: 28/28 elements beyond the bound")
    assert "rerun: pytest cases" in failure.text
    assert tests["forward[a/known-fp32, tensorrt]"].find("skipped").get("message") == "known difference wildcard: x"
    assert tests["forward[a/unsupported-fp32, tensorrt]"].find("skipped").get("message") == "unsupported"
    assert tests["forward[a/fallback-fp32, tensorrt]"].find("skipped").get("message") == "fallback: ran in fp32"
    assert len(tests["forward[stride_nd/h2_w2-fp32, tensorrt]"]) == 0


def test_junit_is_read_back_with_unique_names_and_durations():
    read = JUnitXml.fromstring(junit(view(TIMED)).encode())
    tests = [(test.classname, test.name) for suite in read for test in suite]
    assert len(tests) == len(set(tests)) == 5
    assert ("conformance.resnet50", "latency[resnet50/conv1_n1-fp16, tensorrt, graph, cold]") in tests
    assert ("conformance.resnet50", "latency[resnet50/conv2_n1-fp16, numpy, graph, warm]") in tests
    assert [test.time for suite in read for test in suite if "stride_nd" in test.name] == [0.01]


def test_junit_numbers_a_check_that_was_recorded_twice_and_distinguishes_versions():
    same = record(verdict(), verdict(), verdict(target="tensorrt-10.1-sm90"))
    names = [test.get("name") for test in ET.fromstring(junit(view(same))).iter("testcase")]
    assert names == [
        "forward[stride_nd/h2_w2-fp32, tensorrt-8.6.1-sm90]",
        "forward[stride_nd/h2_w2-fp32, tensorrt-8.6.1-sm90] (2)",
        "forward[stride_nd/h2_w2-fp32, tensorrt-10.1-sm90]",
    ]


def test_a_killed_run_is_an_error_in_junit():
    root = ET.fromstring(junit(view(record(verdict(), complete=False))))
    assert root.get("errors") == "1"
    assert root.find(".//error").get("message") == "the run did not finish"


def test_csv_holds_a_line_a_check():
    rows = list(csv.DictReader(io.StringIO(FORMATS["csv"](view(FULL)))))
    assert len(rows) == len(FULL.verdicts)
    assert tuple(rows[0]) == COLUMNS
    first = next(row for row in rows if row["case"] == "stride_nd/h2_w2-fp32")
    assert (first["fraction"], first["kernel"], first["outcome"]) == ("0.25", "sm80_one", "pass")
    assert {row["outcome"] for row in rows} >= {"known", "fail", "error", "fallback", "not run", "unsupported"}
    message = next(row for row in rows if row["case"] == "a/error-fp32")["message"]
    assert message == NASTY.replace("\0", "\ufffd").replace("\ud800", r"\ud800")


def test_parquet_holds_the_csv():
    read_table = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed").read_table
    table = read_table(io.BytesIO(parquet(view(FULL))))
    assert (table.num_rows, tuple(table.column_names)) == (len(FULL.verdicts), COLUMNS)
    assert 0.25 in table.column("fraction").to_pylist()
    assert math.inf in table.column("fraction").to_pylist()


def test_tables_of_several_runs_have_one_schema():
    """Also where a run has no figure of a column, or one of another type."""
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet as arrow_parquet

    odd = record(verdict(figures={"elements": "many", "ulp": [1], "beyond": 2**70, "error": True, "kernel": 3}))
    runs = (FULL, TIMED, odd, record(), record(asked=[TARGET]))
    tables = [arrow_parquet.read_table(io.BytesIO(parquet(view(run)))) for run in runs]
    every = arrow.concat_tables(tables)
    assert every.num_rows == sum(len(run.verdicts) for run in runs)
    types = {
        "text": "string",
        "number": "double",
        "integer": "int64",
        "boolean": "bool",
        "time": "timestamp[ms, tz=UTC]",
    }
    assert {field.name: str(field.type) for field in every.schema} == {name: types[SCHEMA[name]] for name in COLUMNS}
    row = tables[2].to_pylist()[0]
    assert [row[name] for name in ("elements", "ulp", "beyond", "error", "kernel")] == [None, None, None, None, "3"]
    headers = {as_csv(view(run)).splitlines()[0] for run in runs}
    assert headers == {",".join(COLUMNS)}


def test_csv_has_what_the_engine_costs():
    costly, *others = csv.DictReader(io.StringIO(as_csv(view(FULL))))
    assert {name: costly[name] for name in COSTS} == {name: str(value) for name, value in COSTS.items()}
    assert all(other[name] == "" for other in others for name in COSTS)


def test_csv_has_the_types_of_its_schema():
    """Concatenated and read by another reader, its numbers are numbers."""
    arrow_csv = pytest.importorskip("pyarrow.csv")
    first, second = as_csv(view(TIMED)), as_csv(view(FULL))
    both = first + second.partition("\n")[2]
    options = arrow_csv.ParseOptions(newlines_in_values=True)
    table = arrow_csv.read_csv(io.BytesIO(both.encode("utf-8")), parse_options=options)
    expected = {"number": "double", "integer": "int64", "boolean": "bool", "time": "timestamp[s]"}
    found = {field.name: str(field.type) for field in table.schema}
    empty = {name for name in COLUMNS if found[name] == "null"}
    unmeasured = {"known_today", "effort", "reformat_share", "occurrences", "batch"}
    assert empty <= {"error", "bound", "ulp", "elements", "beyond"} | unmeasured
    for name, kind in SCHEMA.items():
        if kind in expected and name not in empty:
            assert found[name].removesuffix(", tz=UTC]").rstrip("]") == expected[kind].rstrip("]"), name
    latencies = [value for value in table.column("latency_s").to_pylist() if value is not None]
    assert latencies == pytest.approx([50e-6, 80e-6, 90e-6, 20e-6], rel=1e-6)


def test_parquet_without_pyarrow_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConformanceError, match=r"pip install -e '.\[parquet\]'"):
        parquet(view(FULL))


def test_a_written_file_is_whole_or_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    reports.write(path, "old")

    def full(self, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(path), "write_bytes", full)
    with pytest.raises(ConformanceError, match="No space left"):
        reports.write(path, "new")
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]
    assert path.read_text() == "old"


def github_entries(text):
    """The entries as github-action-benchmark reads its custom formats, which refuses an empty list."""
    entries = json.loads(text)
    assert entries
    for entry in entries:
        assert {"name", "unit", "value"} <= set(entry) <= {"name", "unit", "value", "range", "extra"}
        assert type(entry["value"]) in (int, float)
        assert all(type(entry[key]) is str for key in set(entry) - {"value"})
    assert len({entry["name"] for entry in entries}) == len(entries)
    return {entry["name"]: entry for entry in entries}


def test_github_benchmark_has_the_median_of_each_latency_with_its_range():
    entries = github_entries(github_benchmark(view(TIMED)))
    one = entries["resnet50/conv1_n1-fp16 on tensorrt, graph, warm"]
    assert (one["value"], one["unit"]) == (50, "µs")
    assert re.fullmatch(r"± 0\.0\d+", one["range"])
    assert one["extra"].startswith(f"{TARGET}: 50.0 µs ±")
    assert {entry["value"] for entry in entries.values()} == {50, 80, 90, 20}


def test_a_series_continues_after_an_upgrade():
    newer = record(timed(target="tensorrt-10.1-sm90"))
    older = record(timed())
    assert set(github_entries(github_benchmark(view(newer)))) == set(github_entries(github_benchmark(view(older))))
    both = github_entries(github_benchmark(view(record(timed(), timed(target="tensorrt-10.1-sm90")))))
    assert set(both) == {
        f"resnet50/conv1_n1-fp16 on tensorrt-{version}-sm90, graph, warm" for version in ("8.6.1", "10.1")
    }


def test_github_benchmark_needs_a_latency():
    with pytest.raises(ConformanceError, match=r"no latency: run `pytest cases/test_latency\.py --latency` first"):
        github_benchmark(view(FULL))


def test_github_benchmark_has_the_bytes_of_engines():
    entries = github_entries(benchmark_engines(view(FULL)))
    assert {name: entry["value"] for name, entry in entries.items()} == {
        "plan of stride_nd/h2_w2-fp32 on tensorrt": 40_000,
        "device memory of stride_nd/h2_w2-fp32 on tensorrt": 3 * 2**30,
    }
    assert {entry["unit"] for entry in entries.values()} == {"bytes"}
    with pytest.raises(ConformanceError, match="no engine whose size is recorded"):
        benchmark_engines(view(TIMED))


def test_github_benchmark_counts_what_is_right():
    entries = github_entries(benchmark_counts(view(FULL)))
    assert {name: entry["value"] for name, entry in entries.items()} == {
        "checks that pass on tensorrt": 1,
        "claims that hold on tensorrt": 0,
        "checks that pass on flipped_kernel": 0,
        "claims that hold on flipped_kernel": 0,
    }
    assert entries["checks that pass on tensorrt"]["extra"] == f"{TARGET}: 2 of 4 checks with a result fail"


def test_a_target_without_results_has_no_series_of_zeros():
    run = record(verdict(), verdict("a/b-fp32", target="idle", status="not run"))
    assert all("idle" not in name for name in github_entries(benchmark_counts(view(run))))
    with pytest.raises(ConformanceError, match="nothing to count"):
        benchmark_counts(view(record(verdict(target="idle", status="not run"))))


def test_pytest_benchmark_reads_it(tmp_path):
    """Its own command compares two runs, and finds the same tests in both."""
    for name, run in (("0001_a.json", TIMED), ("0002_b.json", record(timed(median=60e-6, target="tensorrt-10-sm90")))):
        (tmp_path / name).write_text(pytest_benchmark(view(run)), encoding="utf-8")
    command = [sys.executable, "-m", "pytest_benchmark", "compare", "--group-by=fullname", "--columns=median,rounds"]
    command += [f"--csv={tmp_path / 'out.csv'}", *map(str, sorted(tmp_path.glob("*.json")))]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "[resnet50/conv1_n1-fp16 on tensorrt, graph, warm]': 2 tests" in done.stdout
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out.csv").read_text(encoding="utf-8"))))
    same = [float(row["median"]) for row in rows if "conv1_n1-fp16 on tensorrt, graph, warm" in row["name"]]
    assert same == pytest.approx([50e-6, 60e-6])
    entry = json.loads(pytest_benchmark(view(TIMED)))["benchmarks"][0]
    assert (entry["params"]["target"], entry["stats"]["rounds"]) == (TARGET, 200)


def test_markdown_has_the_answer_the_table_and_the_failures():
    text = markdown(view(FULL))
    first, _, header = text.splitlines()[:3]
    assert first.startswith("## ❌ 2 of 2 targets fail")
    assert header == "| target | error | fail | known | fallback | not run | unsupported | pass |"
    assert "<details><summary><code>example/values-fp32</code> on flipped_kernel: fail</summary>" in text
    fences = [line for line in text.splitlines() if re.fullmatch("`{3,}", line)]
    assert len(fences) == 2 * text.count("<details>")
    assert "````" in fences  # around the message with three backquotes
    assert "| wildcard | tensorrt-8.6.1-sm90 | 1 |" in text


def test_markdown_groups_failures_of_one_cause():
    run = record(*(verdict(f"a/case_{n}-fp32", status="fail", message=f"shape is {n}") for n in range(83)))
    text = markdown(view(run))
    assert "### Failures (83)" in text
    assert text.count("<details>") == 1
    assert "<code>a/case_0-fp32</code> and 82 more cases on" in text
    assert "with this cause, too: a/case_1-fp32, a/case_2-fp32, " in text


def test_markdown_of_many_failures_stays_short():
    words = ("".join(chr(ord("a") + int(digit)) for digit in str(n)) for n in range(5000))
    run = record(*(verdict(f"a/{word}-fp32", status="fail", message=f"{word}\n" * 40) for word in words))
    text = markdown(view(run))
    assert "and 4,950 more failures" in text
    assert len(text) < 60_000


def test_the_command_offers_every_format():
    assert {form.value for form in Format} == {*FORMATS, "parquet"}


@pytest.mark.parametrize("form", FORMATS)
def test_the_command_writes_to_stdout_or_a_file(tmp_path, form):
    costly = verdict(target="flipped_kernel", check="build", phase="build", figures=COSTS)
    verdicts = (verdict(figures={"fraction": 0.5}), flipped(), timed(target="flipped_kernel"), costly)
    path = save_record(tmp_path, record(*verdicts))
    done = CliRunner().invoke(app, ["export", str(path), "--format", form])
    assert done.exit_code == 0, done.output
    out = tmp_path / "out"
    assert CliRunner().invoke(app, ["export", str(path), "-f", form, "-o", str(out)]).exit_code == 0
    assert out.read_text(encoding="utf-8") == done.output
    assert "flipped_kernel" in done.output


def test_an_unknown_format_is_refused(tmp_path):
    assert CliRunner().invoke(app, ["export", str(tmp_path), "--format", "pdf"]).exit_code == 2


FORMULA = '=HYPERLINK("http://x","y")'
SCRIPT = "<script>alert(1)</script>"
FOREIGN = record(
    verdict("=1+1/x-fp32", target="@SUM(A1)", check="+cmd", status="fail", message=FORMULA),
    verdict("a/b-fp32", target="\x1b[31m<b>", status="fail", message="-1+2\n\x1b]0;title\x07", location="\t=1"),
    verdict(
        "a/c-fp32", target="<img src=x>", status="fail", message="<script>alert(1)</script>", figures={"error": -0.5}
    ),
)


def test_no_cell_is_a_formula():
    rows = list(csv.reader(io.StringIO(as_csv(view(FOREIGN)))))
    cells = [cell for row in rows[1:] for cell in row]
    assert f"'{FORMULA}" in cells
    assert "'@SUM(A1)" in cells
    assert "'+cmd" in cells
    assert "'\t=1" in cells
    assert "-0.5" in cells, "a number stays one"
    assert not [cell for cell in cells if cell[:1] in tuple("=+@\t\r")]


def test_parquet_has_the_text_as_it_is():
    pytest.importorskip("pyarrow")
    from pyarrow import parquet as arrow_parquet

    table = arrow_parquet.read_table(io.BytesIO(parquet(view(FOREIGN))))
    assert FORMULA in table.column("message").to_pylist()


def test_markdown_has_no_html_and_no_escape_of_a_record():
    text = markdown(view(FOREIGN))
    outside = re.sub(r"^(`{3,})$.*?^\1$", "", text, flags=re.DOTALL | re.MULTILINE)
    assert not re.search(r"<(script|img|b)\b", outside)
    assert "\x1b" not in text
    assert "\x07" not in text
