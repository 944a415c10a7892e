"""The accepted run: stored, found by a later version's run, and refused where it proves nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.support.runs import record, verdict
from trt_conformance.cli import app
from trt_conformance.core.errors import ConformanceError
from trt_conformance.results.accepted import MISSING, accept, accepted_for, name_of
from trt_conformance.results.record.record import read_record, save_record
from trt_conformance.results.record.schema import EndLine

STOPPED = EndLine(kind="end", ended="2026-11-22T13:51:31+00:00", stopped=True)
NEWER = "tensorrt-10.13.0-sm90"


@pytest.mark.parametrize(
    ("targets", "name"),
    [
        (["tensorrt-8.6.1-sm90"], "tensorrt-sm90"),
        (["tensorrt_rtx-1.7.1-aot", "onnxruntime-1.32-cpu"], "onnxruntime-cpu+tensorrt_rtx-aot"),
        (["numpy"], "numpy"),
    ],
)
def test_the_name_leaves_the_version_out(targets: list[str], name: str) -> None:
    assert name_of(record(*(verdict(target=target) for target in targets))) == name


def test_the_run_of_a_newer_version_finds_the_accepted_one(tmp_path: Path) -> None:
    stored = accept(record(verdict()), tmp_path)
    assert accepted_for(record(verdict(target=NEWER)), tmp_path) == stored
    assert read_record(stored).verdicts == (verdict(),)


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (record(verdict(), complete=False), "did not finish"),
        (
            replace(record(verdict()), end=EndLine(kind="end", ended="2026-11-22T13:51:31+00:00", stopped=True)),
            "did not finish",
        ),
        (record(verdict(status="fail")), "nothing passed"),
        (record(verdict(target="reference"), asked=["numpy"]), "nothing passed"),
        (record(verdict(target="reference")), "nothing passed"),
    ],
    ids=["killed", "stopped", "failed", "compared_nothing", "no_target"],
)
def test_a_run_that_proves_nothing_is_no_baseline(tmp_path: Path, run, message: str) -> None:
    with pytest.raises(ConformanceError, match=message):
        accept(run, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("target", ["../../outside", "a/b", "..", "", "a\nb", "\x1b[31m", "x" * 300])
def test_a_targets_name_leads_nowhere_else(tmp_path: Path, target: str) -> None:
    with pytest.raises(ConformanceError, match="cannot be part of a folder's name"):
        accept(record(verdict(target=target), asked=[target]), tmp_path / "in" / "here")
    assert not list(tmp_path.iterdir())


def gate(run: Path, folder: Path) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["compare", str(run.parent), "--gate", "--accepted", str(folder)])
    return done.exit_code, done.output


def test_the_gate_uses_the_accepted_run(tmp_path: Path) -> None:
    accept(record(verdict()), tmp_path / "accepted")
    good = save_record(tmp_path / "good", record(verdict(target=NEWER)))
    bad = save_record(tmp_path / "bad", record(verdict(target=NEWER, status="fail", message="it differs")))
    assert gate(good, tmp_path / "accepted")[0] == 0
    assert gate(bad, tmp_path / "accepted")[0] == 1


def test_a_missing_baseline_has_its_own_exit_code(tmp_path: Path) -> None:
    code, printed = gate(save_record(tmp_path / "new", record(verdict())), tmp_path / "accepted")
    assert code == MISSING
    assert "trt-conformance accept RUN" in printed


def test_accept_and_compare_without_a_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = str(save_record(tmp_path / "run", record(verdict())).parent)
    accepted = CliRunner().invoke(app, ["accept", run])
    assert accepted.exit_code == 0, accepted.output
    assert (tmp_path / "reports/accepted/tensorrt-sm90/record.jsonl.gz").is_file()
    assert CliRunner().invoke(app, ["compare", run, "--gate"]).exit_code == 0
    assert CliRunner().invoke(app, ["compare", run, run, run]).exit_code != 0
