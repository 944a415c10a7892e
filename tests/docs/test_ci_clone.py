"""Every line of the CI files is executed as pasted, for every version of their matrix, in a fresh clone.

What make would install is here already, `PYTEST_ADDOPTS` limits what the suite runs, and the tests' own TensorRT stands
in for one on a GPU.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from trt_conformance.core.paths import ROOT

CI = ROOT / "docs" / "ci"
EXTRAS = ("cpu", "tensorrt10", "tensorrt")
TENSORRT = '''
from types import SimpleNamespace

from trt_conformance.targets import registry
from trt_conformance.targets.device import cuda
from trt_conformance.targets.numpy import NumpyTarget


class TensorRT(NumpyTarget):
    """Right where TensorRT is right, on a GPU that is none."""

    name = "tensorrt-99.0-sm90"


class Wrong(TensorRT):
    def build(self, case):
        raise RuntimeError("no kernel for this layer")


registry.REGISTERED["tensorrt"] = lambda options: (Wrong if WRONG else TensorRT)()
cuda.gpus = lambda: ((SimpleNamespace(name="a GPU", major=9, minor=0, memory=2**30, sm="sm90"),), "")
cuda.call = lambda *arguments: 13000
'''


@dataclass(frozen=True)
class Job:
    """A job of a CI file, for one version of its matrix: its lines in order, and the variables that CI sets."""

    file: str
    name: str
    lines: tuple[str, ...]
    variables: Mapping[str, str]

    def __str__(self) -> str:
        return "-".join((self.file, self.name, *self.variables.values()))


def jobs() -> Iterator[Job]:
    """Every job of the three files, once for each version of its matrix."""
    for name, job in yaml.safe_load((CI / "github-actions.yml").read_text(encoding="utf-8"))["jobs"].items():
        lines = [step["run"] for step in job["steps"] if "run" in step and not is_rebuild(step["run"])]
        for extra in job["strategy"]["matrix"].get("extra", [""]):
            yield Job("github-actions.yml", name, tuple(_expanded(line, extra) for line in lines), _set(EXTRA=extra))
    for name, part in yaml.safe_load((CI / "gitlab-ci.yml").read_text(encoding="utf-8")).items():
        if isinstance(part, dict) and not any(map(is_rebuild, part["script"])):
            for version in _versions(part):
                yield Job(
                    "gitlab-ci.yml",
                    name,
                    tuple(part["script"]),
                    _set(**version, TESTS=part.get("variables", {}).get("TESTS", "")),
                )
    stages = re.findall(
        r"stage\('(\w+)'\)(.*?)\n        }", (CI / "Jenkinsfile").read_text(encoding="utf-8"), re.DOTALL
    )
    for name, body in stages:
        yield Job("Jenkinsfile", name, tuple(re.findall(r"(?m)^\s*sh '(.*)'$", body)), {})


def is_rebuild(line: str) -> bool:
    """Whether a line builds cases again, which pytest's options do not limit: test_ci_files.py runs those."""
    return line.startswith("make rebuild ")


def _versions(part: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    for entry in part.get("parallel", {}).get("matrix", [{}]):
        for extra in entry.get("EXTRA", [""]):
            yield {"EXTRA": extra}


def _set(**variables: str) -> dict[str, str]:
    return {name: value for name, value in variables.items() if value}


def _expanded(line: str, extra: str) -> str:
    """A line with the expressions of GitHub replaced, as for a push."""
    line = line.replace("${{ matrix.extra }}", extra)
    return re.sub(r"\$\{\{ github\.event_name == '\w+' && '([^']*)' \|\| '([^']*)' }}", r"\2", line)


ALL = list(jobs())


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A fresh clone of what is committed here, with environments that make need not fill."""
    if not (ROOT / ".git").exists():
        pytest.skip("this copy of the suite is no checkout")
    folder = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    (tmp_path / "plugins").mkdir()
    for name, is_wrong in (("right", False), ("wrong", True)):
        (tmp_path / "plugins" / f"{name}_tensorrt.py").write_text(f"WRONG = {is_wrong}\n{TENSORRT}", encoding="utf-8")
    programs = tmp_path / "venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
    (programs / "python").chmod(0o755)
    version = f"py{sys.version_info[0]}{sys.version_info[1]}"
    for extra in EXTRAS:
        part = "" if extra == "cpu" else f"-{extra}"
        for suffix in ("", "-test"):
            (tmp_path / "venv" / f".installed{part}-{version}{suffix}").touch()
    return folder


def execute(line: str, clone: Path, job: Job, options: str) -> subprocess.CompletedProcess[str]:
    """Run a line as CI does: in a shell that ends at the first error."""
    folder = clone.parent
    environment = {
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), "/usr/bin", "/bin")),
        "HOME": str(folder),
        "PYTHONPATH": os.pathsep.join((str(clone / "harness"), str(folder / "plugins"))),
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
        "MAKEFLAGS": f"-- VENV={folder / 'venv'} PYTHON={sys.executable}",
        "PYTEST_ADDOPTS": options,
        **job.variables,
    }
    command = ["bash", "-e", "-o", "pipefail", "-c", line]
    return subprocess.run(command, cwd=clone, env=environment, capture_output=True, text=True, check=False)


def test_the_files_have_a_job_without_a_gpu_and_one_with_it_for_each_version() -> None:
    assert {(job.file, job.name) for job in ALL} == {
        (file, name) for file in ("github-actions.yml", "gitlab-ci.yml", "Jenkinsfile") for name in ("cpu", "gpu")
    }
    for file in ("github-actions.yml", "gitlab-ci.yml"):
        assert [job.variables["EXTRA"] for job in ALL if job.file == file and job.name == "gpu"] == [*EXTRAS[1:]]
    assert all(job.lines for job in ALL)
    assert not [line for job in ALL for line in job.lines if "${{" in line]


@pytest.mark.slow
@pytest.mark.parametrize("job", [job for job in ALL if job.name == "cpu"], ids=str)
def test_the_job_without_a_gpu(clone: Path, job: Job) -> None:
    for line in job.lines:
        small = "--target numpy --case stride_nd/h2_w2" if line.startswith("make conformance ") else "-k test_table"
        done = execute(line, clone, job, small)
        assert done.returncode == 0, done.stdout + done.stderr
    for name in ("suite.xml", "tests.xml"):
        assert "<testcase " in (clone / "reports" / name).read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("job", [job for job in ALL if job.name == "gpu"], ids=str)
def test_the_job_with_a_gpu(clone: Path, job: Job) -> None:
    """The first run asks for a baseline, as the file's first lines say; the next ones are compared with it."""
    small = "--no-isolation --case stride_nd/h2_w2 -p right_tensorrt"
    suite, gate = job.lines
    first = execute(suite, clone, job, small)
    assert first.returncode == 0, first.stdout + first.stderr
    missing = execute(gate, clone, job, "")
    assert missing.returncode == 2
    assert "no accepted run at reports/accepted/tensorrt-sm90" in missing.stderr
    assert "Error 4" in missing.stderr

    run = [sys.executable, "-m", "trt_conformance.cli", "accept", *map(str, (clone / "reports" / "new").iterdir())]
    subprocess.run(run, cwd=clone, env=os.environ | {"PYTHONPATH": str(clone / "harness")}, check=True)
    found = subprocess.run(["git", "status", "--short"], cwd=clone, capture_output=True, text=True, check=True).stdout
    assert found.strip() == "?? reports/accepted/", "the baseline can be committed, and a run leaves nothing else"
    assert execute(gate, clone, job, "").returncode == 0

    shutil.rmtree(clone / "reports" / "new")  # the next checkout has only what is committed
    (clone.parent / "summary.md").unlink(missing_ok=True)
    failed = execute(suite, clone, job, small.replace("right", "wrong"))
    assert failed.returncode == 2
    assert "Error 1" in failed.stderr
    stopped = execute(gate, clone, job, "")
    assert stopped.returncode == 2
    assert "Error 1" in stopped.stderr
    summary = clone.parent / "summary.md"
    told = summary.read_text(encoding="utf-8") if summary.exists() else stopped.stdout
    assert "no kernel for this layer" in told, "the job's page says nothing of the failing case"
