"""The docs' tables of what ran are what the published records give, and the worked example prints what it says."""

import re
import shlex

import pytest
from typer.testing import CliRunner

from tests.support.runs import record, verdict
from trt_conformance.cli import app
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.paths import ROOT
from trt_conformance.results.record.record import read_header, record_paths, save_record
from trt_conformance.results.report.published import (
    PAGES,
    PUBLISHED,
    command_of,
    commands_table,
    published,
    stale,
    summaries,
    targets_table,
    updated,
)

pytestmark = pytest.mark.usefixtures("shared_suite")

LIMIT = 4 << 20


def test_the_tables_are_what_the_records_give():
    assert [str(page) for page, _ in stale()] == []


def test_a_table_that_is_not_what_the_records_give_is_found(tmp_path):
    folder = tmp_path / "reports" / "published"
    save_record(folder / "one", record(verdict(), verdict("a/b-fp32", status="fail", message="no")), compressed=True)
    page = "Before.\n\n<!-- published: targets -->\nold\n<!-- end -->\n\nAfter.\n"
    (tmp_path / "docs").mkdir()
    for name in PAGES:
        (tmp_path / name).write_text(page, encoding="utf-8")
    found = dict(stale(tmp_path))
    assert tuple(found) == PAGES
    (text,) = set(found.values())
    assert "| TensorRT 8.6.1, H200 | 1 pass, 1 fail |\n<!-- end -->\n\nAfter.\n" in text
    assert updated(text, published(folder)) == text


def test_of_a_target_the_run_with_the_most_checks_counts(tmp_path):
    save_record(tmp_path / "one", record(verdict()))
    save_record(tmp_path / "two", record(verdict(), verdict("a/b-fp32", known="x", status="fail")))
    assert targets_table(published(tmp_path))[2:] == ["| TensorRT 8.6.1, H200 | 1 pass, 1 known |"]


def test_a_search_is_no_run_of_cases(tmp_path):
    search = record(verdict(), verdict("a/b-fp32"), arguments=["explore", "--target", "tensorrt", "--record-root", "x"])
    save_record(tmp_path / "one", record(verdict()))
    save_record(tmp_path / "two", search)
    assert targets_table(published(tmp_path))[2:] == ["| TensorRT 8.6.1, H200 | 1 pass |"]
    assert command_of(search) == "trt-conformance explore --target tensorrt"
    rebuilds = record(verdict(), arguments=["rebuild", "--target", "tensorrt", "--record-root", "x"])
    assert command_of(rebuilds) == "trt-conformance rebuild --target tensorrt"


ARGUMENTS = ["cases", "-q", "--target", "tensorrt", "--record-root=x", "--tier", "ci"]


@pytest.mark.parametrize(
    ("more", "command"),
    [
        ([], "pytest cases --target tensorrt --tier ci"),
        (["--cache-dir", "c", "-p", "x", "-c", "pytest.ini", "-o", "y=z"], "pytest cases --target tensorrt --tier ci"),
        (["--case", "a/*", "--case=b"], "pytest cases --target tensorrt --tier ci --case 'a/*' --case b"),
        (["--case=a", "--case=b", "--case=c"], "pytest cases --target tensorrt --tier ci --case a --case b …"),
    ],
)
def test_a_command_says_what_ran_and_not_where_its_files_were(more, command):
    assert command_of(record(verdict(), arguments=[*ARGUMENTS, *more])) == command


def test_the_table_of_commands_has_what_passed_on_registered_targets(tmp_path):
    save_record(tmp_path / "good", record(verdict(), arguments=ARGUMENTS))
    save_record(tmp_path / "timed", record(verdict(phase="latency", check="latency"), arguments=ARGUMENTS))
    save_record(tmp_path / "double", record(verdict(), arguments=["--target", "x.py:Double"]))
    (row,) = commands_table(published(tmp_path))[2:]
    start = "| TensorRT 8.6.1 | H200 | `pytest cases --target tensorrt --tier ci` | "
    assert row.startswith(start)
    assert row.endswith(" | [1 pass](../reports/published/good) |")


def test_the_newest_version_of_each_flavor_has_its_summary(tmp_path):
    save_record(tmp_path / "old", record(verdict(), verdict("a/b-fp32")))
    save_record(tmp_path / "new", record(verdict(target="tensorrt-10.3.0-sm90"), arguments=ARGUMENTS))
    lines = summaries(published(tmp_path))
    assert [line for line in lines if "TensorRT" in line] == [
        "TensorRT 10.3.0, H200, `pytest cases --target tensorrt --tier ci`:"
    ]
    assert "tensorrt-10.3.0-sm90" in lines
    assert any(line.split()[:2] == ["compare", "1"] for line in lines)


def test_an_unknown_table_is_an_error():
    with pytest.raises(
        ConformanceError, match="nothing: there is no such table; there are targets, runs, commands, summaries"
    ):
        updated("<!-- published: nothing -->\n<!-- end -->\n", [])


def test_every_published_run_is_described_and_small():
    text = (ROOT / "reports" / "README.md").read_text(encoding="utf-8")
    runs = sorted(path for path in PUBLISHED.iterdir() if path.is_dir())
    assert [run.name for run in runs if f"`{run.name}`" not in text] == []
    assert sum(path.stat().st_size for run in runs for path in run.iterdir()) < LIMIT
    assert {path.name for run in runs for path in run.iterdir()} == {"record.jsonl.gz"}


def test_records_name_no_place_of_the_machine_that_made_them():
    for run in PUBLISHED.iterdir():
        (path,) = record_paths([run])
        arguments = " ".join(read_header(path).environment.arguments)
        assert not re.search(r"(^|[ =])/\w", arguments), run.name


def test_the_worked_example_prints_what_it_says():
    text = (ROOT / "docs" / "upgrade.md").read_text(encoding="utf-8").partition("## A worked example")[2]
    command, printed = re.findall(r"```(?:text)?\n(.*?)\n```", text, re.DOTALL)[:2]
    program, *arguments = shlex.split(command)
    assert program == "trt-conformance"
    given = [str(ROOT / one) if one.startswith("reports/") else one for one in arguments]
    done = CliRunner().invoke(app, given)
    assert done.exit_code == 0
    lines = iter(done.output.splitlines())
    for line in printed.splitlines():
        if line.strip() != "...":
            assert line in lines, line  # in this order


def test_shared_checks_alone_are_no_gate():
    runs = [str(PUBLISHED / f"2026-11-29-tensorrt-8.5.3-h200-{name}") for name in ("exact", "documented")]
    done = CliRunner().invoke(app, ["compare", *runs, "--shared", "--gate"])
    assert isinstance(done.exception, ConformanceError)
    assert "a gate must see the checks that NEW lacks" in str(done.exception)
