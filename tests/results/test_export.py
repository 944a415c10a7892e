"""A run for other programs: each form is read back by a reader of its kind."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner

from tests.results.test_report import CATALOG
from tests.support.runs import TARGET, flipped, record, verdict
from trt_conformance.cli import app
from trt_conformance.cli.export import Format
from trt_conformance.core.errors import ConformanceError
from trt_conformance.results import report as reports
from trt_conformance.results.record.record import save_record
from trt_conformance.results.report.exports import (
    FORMATS,
    github_benchmark,
    junit,
    markdown,
    parquet,
    prometheus,
)
from trt_conformance.results.report.exports.csv import COLUMNS, as_csv
from trt_conformance.results.report.view import View

NASTY = "control \x00\x1b[31m and \ud800, quotes \" ' and <markup> & ]]> | pipe\nsecond line ``` \\"
FULL = record(
    verdict(figures={"fraction": 0.25, "kernel": "sm80_one", "ran_in": "fp32", "output_sha256": "0" * 16}),
    flipped(),
    verdict("a/error-fp32", status="error", message=NASTY),
    verdict("a/known-fp32", status="fail", known="wildcard", message="x\ndiffers"),
    verdict("a/skipped-fp32", status="not run", message=NASTY),
    verdict("a/unsupported-fp32", status="unsupported"),
    verdict("a/fallback-fp32", status="fallback", message="ran in fp32"),
    verdict("a/over-fp16", status="fail", message="far", figures={"fraction": "inf"}),
    verdict("num_groups/none", target="reference", check="golden"),
)


@pytest.fixture(autouse=True)
def small_catalog(monkeypatch):
    """The commands read this instead of all case files, which takes a second."""
    monkeypatch.setattr(reports, "load_catalog", lambda **_: CATALOG)


def view(*records):
    return View(records, CATALOG)


@pytest.mark.parametrize("run", [FULL, record(), record(asked=[TARGET]), record(verdict(), complete=False)])
def test_junit_keeps_its_schema(run):
    xmlschema = pytest.importorskip("xmlschema")
    schema = xmlschema.XMLSchema(str(Path(__file__).parents[1] / "data" / "junit.xsd"))
    schema.validate(junit(view(run)))
    assert not schema.is_valid("<testsuites><testcase/></testsuites>")


def test_junit_counts_and_says():
    root = ET.fromstring(junit(view(FULL)))
    assert root.attrib == {"name": "trt-conformance", "tests": "9", "failures": "2", "errors": "1"}
    suites = {suite.get("name"): suite for suite in root}
    assert set(suites) == {TARGET, "flipped_kernel", "reference"}
    assert suites[TARGET].get("skipped") == "4"
    assert suites[TARGET].get("timestamp") == "2026-11-22T13:50:40"
    tests = {test.get("name"): test for test in root.iter("testcase")}
    failure = tests["forward[example/values-fp32]"].find("failure")
    assert failure.get("message").startswith("output: 28/28 elements beyond the bound")
    assert "rerun: pytest cases" in failure.text
    assert tests["forward[a/known-fp32]"].find("skipped").get("message") == "known difference wildcard: x"
    assert tests["forward[a/unsupported-fp32]"].find("skipped").get("message") == "unsupported"
    assert tests["forward[a/fallback-fp32]"].find("skipped").get("message") == "fallback: ran in fp32"
    assert len(tests["forward[stride_nd/h2_w2-fp32]"]) == 0


def test_a_killed_run_is_an_error_in_junit():
    root = ET.fromstring(junit(view(record(verdict(), complete=False))))
    assert root.get("errors") == "1"
    assert root.find(".//error").get("message") == "the run was killed before it ended"


def test_csv_holds_a_line_a_check():
    rows = list(csv.DictReader(io.StringIO(FORMATS["csv"](view(FULL)))))
    assert len(rows) == len(FULL.verdicts)
    assert tuple(rows[0]) == COLUMNS
    first = next(row for row in rows if row["case"] == "stride_nd/h2_w2-fp32")
    assert (first["fraction"], first["kernel"], first["outcome"]) == ("0.25", "sm80_one", "pass")
    assert {row["outcome"] for row in rows} >= {"known", "fail", "error", "fallback", "not run", "unsupported"}
    assert next(row for row in rows if row["case"] == "a/error-fp32")["message"] == NASTY.replace("\0", "\ufffd")


def test_parquet_holds_the_csv():
    read_table = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed").read_table
    table = read_table(io.BytesIO(parquet(view(FULL))))
    assert (table.num_rows, tuple(table.column_names)) == (len(FULL.verdicts), COLUMNS)
    assert 0.25 in table.column("fraction").to_pylist()


def test_parquet_without_pyarrow_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConformanceError, match="pip install pyarrow"):
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


SAMPLE = re.compile(r'trt_conformance_\w+\{(?:[a-z]+="(?:[^"\\\n]|\\[\\"n])*"(?:,|(?=\})))*\} (?:[-+]?[\d.e+-]+|\+Inf)')


def test_prometheus_lines():
    nasty = record(verdict(target='a"b\\c\nd'), device={"gpu": 'say "hi"'})
    text = prometheus(view(FULL, nasty))
    assert text.endswith("\n")
    for line in text.splitlines():
        assert line.startswith(("# HELP trt_conformance_", "# TYPE trt_conformance_")) or SAMPLE.fullmatch(line), line
    names = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(names) == len(set(names))
    assert f'checks{{target="{TARGET}",phase="compare",outcome="fail"}} 1' in text
    assert f'checks{{target="{TARGET}",phase="compare",outcome="error"}} 1' in text
    assert f'bound_fraction_max{{target="{TARGET}",precision="fp16"}} +Inf' in text
    assert 'target="a\\"b\\\\c\\nd"' in text
    assert 'run_complete{run="1"} 1' in text
    assert f'claims{{target="{TARGET}",state="differs"}} 1' in text


def test_github_benchmark_lists_what_was_compared():
    entries = json.loads(github_benchmark(view(FULL)))
    assert entries[0]["name"] == f"stride_nd/h2_w2-fp32 on {TARGET}"
    assert entries[0]["value"] == 25
    assert {"name", "unit", "value", "extra"} == set(entries[0])
    assert all(isinstance(entry["value"], float) for entry in entries)
    assert not any("a/over" in entry["name"] for entry in entries)


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


def test_markdown_of_many_failures_stays_short():
    run = record(*(verdict(f"a/case_{n}-fp32", status="fail", message="long\n" * 40) for n in range(5000)))
    text = markdown(view(run))
    assert "and 4,950 more failures" in text
    assert len(text) < 60_000


def test_the_command_offers_every_format():
    assert {form.value for form in Format} == {*FORMATS, "parquet"}


@pytest.mark.parametrize("form", FORMATS)
def test_the_command_writes_to_stdout_or_a_file(tmp_path, form):
    path = save_record(tmp_path, record(verdict(figures={"fraction": 0.5}), flipped()))
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
