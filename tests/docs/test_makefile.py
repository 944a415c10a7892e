"""The Makefile keeps one environment for each choice of extras and Python, and refuses what cannot be installed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from trt_conformance.cli import main
from trt_conformance.core.advice import MAKE_VARIABLE
from trt_conformance.core.paths import ROOT


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    ours = {"VENV", "EXTRA", "PYTHON", "ARGS", "CONSTRAINTS", "MAKEFLAGS", "MAKELEVEL", "MFLAGS"}
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    return subprocess.run(["make", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def interpreter(folder: Path, version: tuple[int, int]) -> str:
    """A command that takes Python's `-c` and says it has that version."""
    path = folder / "python"
    path.write_text(f"#!{sys.executable}\nimport sys\nsys.version_info = {version}\nexec(sys.argv[2])\n")
    path.chmod(0o755)
    return f"PYTHON={path}"


@pytest.mark.parametrize(
    ("extra", "environment", "extras", "constraints"),
    [
        ("cpu", ".venv-py310", "cpu,cpu,test", "constraints.txt"),
        ("tensorrt", ".venv-tensorrt-py310", "tensorrt,cpu,test", "constraints.txt"),
        ("tensorrt,torch", ".venv-tensorrt-torch-py310", "tensorrt,torch,cpu,test", "constraints.txt"),
        ("tensorrt8", ".venv-tensorrt8-py310", "tensorrt8,cpu,test", "constraints-tensorrt8.txt"),
    ],
)
def test_one_environment_per_extra_and_python(tmp_path, extra, environment, extras, constraints):
    python = interpreter(tmp_path, (3, 10))
    done = make("--dry-run", "--always-make", "test", f"EXTRA={extra}", python)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith(f"{environment}/bin/python -m pytest")
    assert f"-c {constraints} -e '.[{extras}]'" in done.stdout


def test_test_leaves_out_the_slow_tests_and_test_all_does_not():
    assert make("--dry-run", "test").stdout.splitlines()[-1].rstrip().endswith('-m pytest tests -n auto -m "not slow"')
    assert make("--dry-run", "test-all").stdout.splitlines()[-1].rstrip().endswith("-m pytest tests -n auto")


def test_the_default_environment():
    assert make("--dry-run", "conformance").stdout.splitlines()[-1].startswith(".venv/bin/python -m pytest cases")


@pytest.mark.parametrize(
    ("extra", "version", "message"),
    [
        ("cpu", (3, 9), "Python 3.10 or newer is needed"),
        ("tensorrt8", (3, 12), "TensorRT 8.6 has packages for Python 3.10 and 3.11 only"),
    ],
)
def test_what_cannot_be_installed_is_refused(tmp_path, extra, version, message):
    done = make("doctor", f"EXTRA={extra}", interpreter(tmp_path, version), f"VENV={tmp_path / 'venv'}")
    assert done.returncode == 2
    assert message in done.stderr
    assert not (tmp_path / "venv").exists()


def test_an_interpreter_that_is_not_there_is_named(tmp_path):
    done = make("doctor", "PYTHON=python3.999", f"VENV={tmp_path / 'venv'}")
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == "PYTHON=python3.999: there is no such program"


def test_wrong_arguments_of_make_lead_to_the_help_by_make(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["trt-conformance", "compare"])
    for made_by, helps in (("make compare", "make compare ARGS=--help"), ("", "trt-conformance compare --help")):
        monkeypatch.setenv(MAKE_VARIABLE, made_by)
        with pytest.raises(SystemExit, match="2"):
            main()
        assert f"(`{helps}` lists what it takes)" in capsys.readouterr().err


@pytest.mark.parametrize("goal", ["conformance", "gpu", "rebuild", "compare", "doctor"])
@pytest.mark.parametrize("python", ["python3", sys.executable])
def test_a_command_knows_how_it_was_typed(tmp_path, goal, python):
    program, stamp = tmp_path / "bin" / "python", tmp_path / "stamp"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho "$TRT_CONFORMANCE_MAKE"\n')
    program.chmod(0o755)
    stamp.touch()
    done = make(goal, f"VENV={tmp_path}", f"STAMP={stamp}", f"PYTHON={python}")
    typed = f"make {goal}" if python == "python3" else f"make {goal} PYTHON={python}"
    assert set(done.stdout.splitlines()) == {typed}


def test_help_lists_every_command():
    listed = [line.split()[1] for line in make("help").stdout.splitlines() if line.startswith("make ")]
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    (phony,) = (line for line in text.splitlines() if line.startswith(".PHONY:"))
    assert listed == phony.split()[1:]
