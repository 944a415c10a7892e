"""Whoever reads an old record says which of its failures are known differences today, and changes no verdict of it."""

import csv
import io
import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from tests.support.pages import CATALOG, KNOWN, Page
from tests.support.runs import TARGET, record, verdict
from trt_conformance.catalog.expectations import Expectations
from trt_conformance.cli import app
from trt_conformance.results.known_today import KnownToday, known_today
from trt_conformance.results.record.record import read_record, save_record
from trt_conformance.results.record.schema import ListedFolder
from trt_conformance.results.report import view_of
from trt_conformance.results.report.answer import answer
from trt_conformance.results.report.exports import as_csv, junit, markdown, prometheus
from trt_conformance.results.report.page import report_page
from trt_conformance.results.report.view import View
from trt_conformance.results.site.pages import Site, site_files
from trt_conformance.results.versions.matrix import matrix

pytestmark = pytest.mark.usefixtures("shared_suite")

LATE = verdict("a/late-fp32", status="fail", message="it differs")
RECORDED = record(
    verdict("a/other-fp32", status="fail", message="another fault"),
    LATE,
    verdict("a/then-fp32", status="fail", message="it differs", known=KNOWN.id),
    verdict("a/right-fp32"),
)
VIEW = View((RECORDED,), CATALOG, (KNOWN,))
SAID = "2 checks failed when run; one of them is a known difference today"

REFUSED = {"phase": "build", "check": "build", "status": "fail"}
HWC = "input: has DataType Half unsupported by tensor's allowed TensorFormats"
OLD = record(
    verdict("formats_stated/hwc_input-fp16", message=HWC, **REFUSED),
    verdict("formats_stated/hwc_input-int8", message="another fault", **REFUSED),
)
"""A run of TensorRT 8.6.1 whose first failure an expectation of this checkout explains."""


@pytest.fixture
def runs(tmp_path):
    """The folders of a run before, in which all passed, and of the old run."""
    before = record(*(verdict(v.case, phase="build", check="build") for v in OLD.verdicts))
    for name, run in (("before", before), ("old", OLD)):
        save_record(tmp_path / name, run)
    return str(tmp_path / "before"), str(tmp_path / "old")


@pytest.mark.parametrize(
    ("failed", "known", "text"),
    [
        (0, 0, ""),
        (1, 0, "1 check failed when run; it is no known difference today"),
        (1, 1, "1 check failed when run; it is a known difference today"),
        (29, 0, "29 checks failed when run; none of them is a known difference today"),
        (29, 1, "29 checks failed when run; one of them is a known difference today"),
        (29, 24, "29 checks failed when run; 24 of them are known differences today"),
        (29, 29, "29 checks failed when run; all of them are known differences today"),
    ],
)
def test_both_numbers_are_said(failed, known, text):
    assert KnownToday(failed, known).text == text


def test_faults_that_were_known_when_run_are_not_counted():
    assert known_today(RECORDED.verdicts, Expectations([KNOWN])) == KnownToday(2, 1)
    assert known_today(RECORDED.verdicts, None) == KnownToday(2, 0)


def test_the_report_says_both_and_shows_what_is_unexplained_first():
    words = Page(report_page(VIEW)).words
    assert answer(VIEW).text.startswith("2 of 4 checks failed when run, 1 of which is a known difference today")
    assert answer(VIEW).tone == "fail"
    assert "checks fail 2 of 4; 1 known today" in words
    assert SAID in words
    assert words.index("another fault") < words.index("A known difference today, but not when it ran: wildcard")
    assert [rows[0].case for rows in VIEW.failures_by_cause] == ["a/other-fp32", "a/late-fp32"]
    assert VIEW.totals == {"fail": 2, "known": 1, "pass": 1}


def test_the_report_of_failures_that_nothing_explains_says_so():
    words = Page(report_page(View((RECORDED,), CATALOG))).words
    assert "2 of 4 checks fail" in words
    assert "2 checks failed when run; none of them is a known difference today" in words
    assert "known today" not in words


def test_the_exports_say_both():
    assert "a known difference today, but not when it ran: wildcard" in markdown(VIEW)
    assert "fail, known today</summary>" in markdown(VIEW)
    assert junit(VIEW).count("a known difference today, but not when it ran: wildcard") == 1
    assert f'checks_known_today{{target="{TARGET}"}} 1.0' in prometheus(VIEW)
    rows = {row["case"]: row for row in csv.DictReader(io.StringIO(as_csv(VIEW)))}
    assert {case: (row["outcome"], row["known_today"]) for case, row in rows.items()} == {
        "a/other-fp32": ("fail", ""),
        "a/late-fp32": ("fail", "wildcard"),
        "a/then-fp32": ("known", ""),
        "a/right-fp32": ("pass", ""),
    }


def test_the_matrix_and_the_site_say_both():
    found = matrix([RECORDED], CATALOG, (KNOWN,))
    assert found.to_json()["versions"][0]["failed_when_run"] == 2
    assert found.to_json()["versions"][0]["known_today"] == 1
    pages = site_files(Site({"run": RECORDED}, found))
    assert SAID in Page(pages[f"targets/{TARGET}.html"]).words


@pytest.mark.parametrize("command", ["report", "matrix"])
def test_the_terminal_says_both(runs, command):
    done = CliRunner().invoke(app, [command, runs[1]])
    assert done.exit_code == 0, done.output
    assert f"{TARGET}: {SAID}" in done.output


def test_a_comparison_says_both_and_its_gate_judges_what_was_recorded(runs, tmp_path):
    done = CliRunner().invoke(app, ["compare", *runs, "--gate", "--html", str(tmp_path / "page.html")])
    assert done.exit_code == 1
    assert f"the new run: {SAID}" in done.output.splitlines()
    assert "the base run" not in done.output
    assert f"the new run: {SAID}" in Page((tmp_path / "page.html").read_text(encoding="utf-8")).words
    told = json.loads(CliRunner().invoke(app, ["compare", *runs, "--json"]).output)
    assert told["failed_when_run"] == {"base": 0, "new": 2}
    assert told["known_today"] == {"base": 0, "new": 1}
    assert len(told["failing"]) == 2


def test_reading_a_record_leaves_it_as_it_was(runs, tmp_path):
    CliRunner().invoke(app, ["report", runs[1]])
    assert read_record(tmp_path / "old") == OLD


def test_cases_of_another_folder_meet_only_what_a_condition_states(tmp_path):
    """A pattern of the suite's ids says nothing about a case of the same id elsewhere."""
    mine = tmp_path / "mine"
    mine.mkdir()
    folders = (ListedFolder(path=str(mine), golden=str(mine / "golden")),)
    view = view_of([replace(OLD, header=OLD.header.model_copy(update={"case_folders": folders}))])
    assert all(entry.where is not None for entry in view.expectations)
    assert view.known_today(view.columns[0]) == KnownToday(2, 0)
