"""The CI files work as pasted: every command is taken out of them and run."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
import yaml

from tests.support.helpers import run_pytest, sampled
from tests.support.runs import record, verdict
from tests.support.suite import know_as_linted
from trt_conformance.core.paths import ROOT
from trt_conformance.results.accepted import accept
from trt_conformance.results.record.record import save_record

CI = ROOT / "docs" / "ci"
VALUES = {"${{ matrix.extra }}": "tensorrt", "$EXTRA": "tensorrt"}
TESTS = ("${{ github.event_name == 'schedule' && 'test-all' || 'test' }}", "$TESTS")
GOALS = ("test", "test-all")
"""What is `test`, and `test-all` where a schedule starts the job."""


@dataclass(frozen=True)
class Command:
    """A shell command of a CI file."""

    file: str
    text: str

    def with_tests(self, goal: str) -> str:
        """The command with a goal of make in the place of `TESTS`."""
        text = self.text
        for name in TESTS:
            text = text.replace(name, goal)
        return text

    def __str__(self) -> str:
        return f"{self.file}: {self.text}"


def commands() -> list[Command]:
    found = []
    github = yaml.safe_load((CI / "github-actions.yml").read_text(encoding="utf-8"))
    for job in github["jobs"].values():
        found += [Command("github-actions.yml", step["run"]) for step in job["steps"] if "run" in step]
    gitlab = yaml.safe_load((CI / "gitlab-ci.yml").read_text(encoding="utf-8"))
    for job in gitlab.values():
        if isinstance(job, dict):
            found += [Command("gitlab-ci.yml", line) for line in job["script"]]
    jenkins = (CI / "Jenkinsfile").read_text(encoding="utf-8")
    found += [Command("Jenkinsfile", line) for line in re.findall(r"(?m)^\s*sh '(.*)'$", jenkins)]
    return [Command(each.file, text) for each in found for text in dict.fromkeys(map(each.with_tests, GOALS))]


def recipe(text: str) -> str:
    """The command that make runs after installation, with this Python in place of the environment's."""
    for name, value in VALUES.items():
        text = text.replace(name, value)
    command, _, redirected = text.partition(" >> ")
    # The tests may themselves be started by make, whose variables would reach this one.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    printed = subprocess.run(
        [*shlex.split(command), "--dry-run"], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    ).stdout
    line = printed.splitlines()[-1]
    python, _, rest = line.partition(" ")
    assert python.endswith("/python"), line
    return f"{sys.executable} {rest}" + (f" >> {redirected}" if redirected else "")


def run(line: str, folder: Path, summary: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", line],
        cwd=folder,
        env={
            "PATH": "/usr/bin:/bin",
            "HOME": str(folder),
            "PYTHONPATH": str(ROOT / "harness"),
            "GITHUB_STEP_SUMMARY": str(summary),
        },
        capture_output=True,
        text=True,
        check=False,
    )


ALL = commands()
GATES = [command for command in ALL if "--gate" in command.text]
REBUILDS = [command for command in ALL if command.text.startswith("make rebuild ")]
SUITES = [command for command in ALL if command not in GATES and command not in REBUILDS]


def test_each_file_runs_the_suite_and_the_gate() -> None:
    files = {"github-actions.yml", "gitlab-ci.yml", "Jenkinsfile"}
    assert {command.file for command in GATES} == {command.file for command in SUITES} == files


@pytest.mark.parametrize("file", ["github-actions.yml", "gitlab-ci.yml"])
def test_a_nightly_job_runs_the_slow_tests_as_well(file: str) -> None:
    goals = {shlex.split(command.text)[1] for command in SUITES if command.file == file}
    assert {"test", "test-all"} < goals


@pytest.mark.parametrize("command", sampled(GATES, len(GATES)), ids=str)
def test_the_gate_passes_stops_and_asks_for_a_baseline(command: Command, tmp_path: Path) -> None:
    line, summary = recipe(command.text), tmp_path / "summary.md"
    new = tmp_path / "reports" / "new"
    save_record(new / "run", record(verdict()))
    missing = run(line, tmp_path, summary)
    assert missing.returncode == 4, missing.stderr
    assert "trt-conformance accept RUN" in missing.stderr

    accept(record(verdict()), tmp_path / "reports" / "accepted")
    assert run(line, tmp_path, summary).returncode == 0

    shutil.rmtree(new)
    save_record(new / "run", record(verdict(status="fail", message="it differs")))
    stopped = run(line, tmp_path, summary)
    assert stopped.returncode == 1, stopped.stderr
    told = summary.read_text(encoding="utf-8") if "GITHUB_STEP_SUMMARY" in line else stopped.stdout
    assert "it differs" in told, "the job's page says nothing of the failing case"


@pytest.mark.parametrize("command", SUITES, ids=str)
def test_the_options_of_the_suite_exist(command: Command) -> None:
    line = recipe(command.text)
    arguments = shlex.split(line)[1:]
    assert arguments[:2] == ["-m", "pytest"]
    asked = {argument.partition("=")[0] for argument in arguments if argument.startswith("--")}
    assert asked <= known_options()


def test_a_nightly_job_builds_again_and_keeps_the_record(tmp_path: Path) -> None:
    assert {command.file for command in REBUILDS} == {"github-actions.yml", "gitlab-ci.yml"}
    (line,) = {recipe(command.text) for command in REBUILDS}
    line = line.replace("--target tensorrt --times 20", "--target numpy --times 2")
    know_as_linted(tmp_path / ".cache" / "trt-conformance")
    done = run(f"{line} --case stride_nd/h2_w2-fp32", tmp_path, tmp_path / "summary.md")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 builds" in done.stdout
    assert len([*(tmp_path / "reports").rglob("record.jsonl")]) == 1


@cache
def known_options() -> set[str]:
    printed = run_pytest("--help", "cases").stdout
    return set(re.findall(r"--[a-z][a-z-]*", printed)) | {"--junitxml"}  # pytest's help shows its other spelling


def test_the_workflow_of_submissions_verifies_what_a_pull_request_adds(tmp_path):
    workflow = yaml.safe_load((CI / "submissions.yml").read_text(encoding="utf-8"))
    (line,) = (step["run"] for step in workflow["jobs"]["verify"]["steps"] if "verify" in step.get("run", ""))
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]

    def commit(message, **files):
        for name, content in files.items():
            path = tmp_path / "repository" / "results" / name / "h100" / "record.jsonl.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
        for arguments in (["add", "-A"], ["commit", "-q", "--allow-empty", "-m", message]):
            subprocess.run([*git, *arguments], cwd=tmp_path / "repository", check=True)

    subprocess.run(["git", "init", "-q", str(tmp_path / "repository")], check=True)
    commit("first", old="1", changed="1")
    subprocess.run(["git", "update-ref", "refs/remotes/origin/main", "HEAD"], cwd=tmp_path / "repository", check=True)
    commit("more", changed="2", **{"of two words": "1"})
    program = tmp_path / "trt-conformance"
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\nexit 1\n', encoding="utf-8")
    program.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "GITHUB_BASE_REF": "main"}
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", line],
        cwd=tmp_path / "repository",
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0  # as the program's
    assert done.stdout.splitlines() == [
        "verify",
        "results/changed/h100/record.jsonl.gz",
        "results/of two words/h100/record.jsonl.gz",
    ]
