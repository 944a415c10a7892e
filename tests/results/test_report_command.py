"""`report`, and the report that each run ends with, are written whole or say why not."""

from __future__ import annotations

import sys

import pytest
from typer.testing import CliRunner

from tests.support.helpers import run_pytest
from tests.support.pages import CATALOG, Page
from tests.support.runs import record, verdict
from trt_conformance.cli import app, main
from trt_conformance.core.errors import ConformanceError
from trt_conformance.results import report as reports
from trt_conformance.results.record.record import save_record
from trt_conformance.runner import plugin

pytestmark = pytest.mark.usefixtures("shared_suite")


def test_the_command_writes_next_to_the_record_or_where_requested(tmp_path):
    path = save_record(tmp_path / "run", record(verdict()))
    done = CliRunner().invoke(app, ["report", str(path)])
    assert done.exit_code == 0, done.output
    assert str(tmp_path / "run" / "report.html") in done.output
    other = tmp_path / "other.html"
    assert CliRunner().invoke(app, ["report", str(path.parent), str(path), "-o", str(other)]).exit_code == 0
    assert "(run 2)" in other.read_text(encoding="utf-8")


def test_no_record_ends_the_command_with_2(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["trt-conformance", "report", str(tmp_path / "nothing")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "no such file or folder" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_reported(tmp_path):
    with pytest.raises(ConformanceError, match="cannot be written"):
        reports.write(tmp_path / "no" / "folder.html", "text")


class Terminal:
    isatty = False

    def __init__(self):
        self.lines = []

    def write_line(self, line):
        self.lines.append(line)


class Config:
    """What the controller asks of pytest's config."""

    def __init__(self, terminal):
        self.pluginmanager = self
        self.terminal = terminal

    def get_plugin(self, name):
        return self.terminal


def test_a_report_that_cannot_be_made_fails_no_run(tmp_path, monkeypatch):
    def broken(*_):
        raise OSError("disk full\nsecond line")

    monkeypatch.setattr(reports, "write_beside", broken)
    path = save_record(tmp_path, record(verdict()))

    class Run:
        recorder = type("Recorder", (), {"path": path, "verdicts": [verdict()]})
        catalog = CATALOG
        expectations = type("Expectations", (), {"entries": ()})

    terminal = Terminal()
    plugin.Controller(Run()).pytest_unconfigure(Config(terminal))
    assert terminal.lines[0] == "report: not written: OSError: disk full"


def test_a_run_ends_with_its_report(tmp_path):
    done = run_pytest(
        "cases/test_forward.py", "-q", "--target", "numpy", "--case", "stride_nd/h2_w2-*", f"--record-root={tmp_path}"
    )
    assert done.returncode == 0, done.stdout
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("report: ")]
    html = (tmp_path / line.removeprefix("report: ")).read_text(encoding="utf-8")
    assert "stride_nd/h2_w2" in Page(html).words
