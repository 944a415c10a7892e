"""``trt-conformance init``: the folder that it makes works as it says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from trt_conformance.catalog.linting import lint_folders
from trt_conformance.cli import app
from trt_conformance.core.case_folder import CaseFolder
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.paths import ROOT
from trt_conformance.golden import diff, verify
from trt_conformance.results.gate_settings import read_gate_settings

FILES = {"example.toml", "gate.toml", "github-actions.yml", ".gitignore", "golden"}


def init(folder: Path | str) -> Any:
    return CliRunner().invoke(app, ["init", str(folder)])


def shell(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A line as a user types it, with this checkout's code as the installed program."""
    program = f'trt-conformance() {{ "{sys.executable}" -m trt_conformance.cli "$@"; }}\n'
    outer = ("PYTEST", "GITHUB", "CI")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(outer)}
    return subprocess.run(
        ["bash", "-e", "-c", program + line],
        cwd=folder,
        env=environment
        | {
            "PYTHONPATH": str(ROOT / "harness"),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        },
        capture_output=True,
        text=True,
        check=False,
    )


def commands(folder: Path) -> list[str]:
    """The lines of the CI file that start this program, without those that need a GPU."""
    file = yaml.safe_load((folder / "github-actions.yml").read_text(encoding="utf-8"))
    lines = [step["run"].strip() for job in file["jobs"].values() for step in job["steps"] if "run" in step]
    return [line for line in lines if line.startswith("trt-conformance")]


@pytest.mark.parametrize("exists", [False, True], ids=["new", "empty"])
def test_the_folder_is_without_faults_and_has_its_goldens(tmp_path: Path, exists: bool) -> None:
    mine = tmp_path / "my cases"
    if exists:
        mine.mkdir()
    done = init(mine)
    assert done.exit_code == 0, done.output
    assert f"trt-conformance cases lint --cases '{mine}'" in done.output
    assert {path.name for path in mine.iterdir()} == FILES
    catalog, expectations = lint_folders(CaseFolder.at(mine))
    assert [case.id for case in catalog.cases] == ["example/halved-fp32", "example/halved-fp16"]
    assert expectations == []
    assert verify(catalog) == diff(catalog) == []
    assert read_gate_settings(mine / "gate.toml", {}).latency.tolerance == 0.02


def test_what_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for name, message in (("full", "is not empty"), ("file", "is not a directory"), ("dangling", "cannot be written")):
        fault = init(tmp_path / name).exception
        assert isinstance(fault, ConformanceError), name
        assert message in str(fault)
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["notes.txt"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dangling", "file", "full"]


@pytest.mark.parametrize(("given", "named"), [("a/mine", "a/mine"), ("my cases", "'my cases'"), (".", ".")])
def test_the_ci_file_names_the_folder_as_it_was_given(tmp_path: Path, monkeypatch, given: str, named: str) -> None:
    monkeypatch.chdir(tmp_path)
    assert init(given).exit_code == 0
    lines = commands(tmp_path / given)
    assert len(lines) == 4
    assert all(f" --cases {named}" in line for line in lines[:3])
    assert f"--settings {named}/gate.toml" in lines[3]


def test_an_absolute_folder_is_named_in_the_ci_file_by_its_name(tmp_path: Path) -> None:
    assert init(tmp_path / "mine").exit_code == 0
    assert all(" --cases mine" in line for line in commands(tmp_path / "mine")[:3])


@pytest.mark.slow
def test_a_user_follows_it(tmp_path: Path) -> None:
    done = shell("trt-conformance init mine", tmp_path)
    assert done.returncode == 0, done.stderr
    for line in [line.strip() for line in done.stdout.splitlines() if line.startswith("  trt-conformance ")]:
        done = shell(f"{line}{' --no-record' if ' run ' in line else ''}", tmp_path)
        assert done.returncode == 0, (line, done.stdout, done.stderr)
    assert shell("trt-conformance golden diff --cases mine", tmp_path).stdout == "nothing would change\n"

    # The CI file's commands: of the suite on the CPU, and of the gate on the record that they leave.
    lint, cpu, _, gate = commands(tmp_path / "mine")
    done = shell(lint, tmp_path)
    assert done.returncode == 2
    assert "is not in a git checkout" in done.stderr
    commit = "git -c user.name=a -c user.email=a@example.org commit -qm first"
    assert shell(f"git init -q && git add mine && {commit} && {lint}", tmp_path).returncode == 0
    done = shell(cpu.replace("--target onnxruntime --target tensorrt_rtx", "--target numpy"), tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    done = shell(f"export GITHUB_STEP_SUMMARY=summary.md\n{gate}", tmp_path)
    assert done.returncode == 4, done.stderr
    assert shell("trt-conformance accept reports/new/*", tmp_path).returncode == 0
    done = shell(f"export GITHUB_STEP_SUMMARY=summary.md\n{gate}", tmp_path)
    assert done.returncode == 0, done.stderr

    with (tmp_path / "mine" / "golden" / "MANIFEST.json").open("a") as file:
        file.write(" ")
    done = shell(lint, tmp_path)
    assert done.returncode == 2
    assert "mine/golden/MANIFEST.json:1: not committed" in done.stdout
