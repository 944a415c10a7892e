"""Commands that read the record of a run over cases of one's own, from the folder of the run and from another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.support.helpers import SMALL_FILE
from tests.support.runs import ENVIRONMENT, TARGET, verdict
from trt_conformance.cli import app
from trt_conformance.core.case_folder import CaseFolder
from trt_conformance.core.errors import ConformanceError
from trt_conformance.results.record.record import RecordWriter

STATEMENT = "The first layer of my network is right."
CLAIM = f'[[claim]]\nid = "own.first"\nsection = "my network"\nstatement = "{STATEMENT}"\n'
CASE = '[[case]]\nid = "plain"\ndoc = "convolves without any attribute"\nclaims = ["own.first"]\n'
REFUSED = "refused, but should be accepted:\n  no implementation"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The record of a run over `mine`, which it names relative to the working folder."""
    home = tmp_path / "home"
    (home / "mine").mkdir(parents=True)
    (home / "mine" / "one.toml").write_text(SMALL_FILE + CASE)
    (home / "mine" / "claims.toml").write_text(CLAIM)
    monkeypatch.chdir(home)
    writer = RecordWriter(home / "runs", [TARGET], ENVIRONMENT, folders=[CaseFolder.at(Path("mine"))])
    message = f"one/plain [fp32] FAILED in build\n  {REFUSED}"
    given: dict[str, Any] = {"location": "mine/one.toml:6", "claims": ("own.first",)}
    writer.write(verdict("one/plain-fp32", check="build", phase="build", status="fail", message=message, **given))
    writer.close({"counts": {"fail": 1}, "exit": 1})
    return writer.folder


def called(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.mark.parametrize("place", ["home", "elsewhere", "elsewhere, named"])
def test_the_report_states_what_the_case_files_say_where_it_finds_them(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    options = ["--cases", tmp_path / "home" / "mine"] if place.endswith("named") else []
    if place != "home":
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
    page = tmp_path / "report.html"
    done = called("report", run, "-o", page, *options)
    assert done.exit_code == 0, done.output
    text = page.read_text(encoding="utf-8")
    assert "one/plain" in text
    assert (STATEMENT in text) == (place != "elsewhere")
    done = called("export", run, "--format", "markdown", *options)
    assert done.exit_code == 0, done.output
    assert "one/plain" in done.output


def test_a_bug_report_takes_the_case_from_the_folder_of_the_run(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = called("repro", run, "one/plain", "-o", tmp_path / "here")
    assert done.exit_code == 0, done.output
    monkeypatch.chdir(tmp_path)
    lost = called("repro", run, "one/plain", "-o", tmp_path / "lost")
    assert isinstance(lost.exception, ConformanceError)
    assert str(lost.exception) == "mine: no such directory; the run read its cases there: name the folder with --cases"
    done = called("repro", run, "one/plain", "-o", tmp_path / "there", "--cases", tmp_path / "home" / "mine")
    assert done.exit_code == 0, done.output
    here, there = (sorted(path.name for path in (tmp_path / name).iterdir()) for name in ("here", "there"))
    assert here == there
