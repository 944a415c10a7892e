"""Tests start pytest in processes that are forked from one that has imported the suite."""

import os
import subprocess

import pytest

from tests.support import fork_server
from tests.support.helpers import pytest_environment, run_pytest
from trt_conformance.core.paths import ROOT

OWN = """
import os
import sys


def test_leaves_traces():
    assert "LEFT" not in os.environ and not hasattr(sys, "left")
    assert os.getcwd() == {folder!r}
    os.environ["LEFT"] = sys.left = "here"
    os.write(1, b"to stdout")
    os.write(2, b"to stderr")


def test_dies():
    os.kill(os.getpid(), 9)
"""


def test_runs_have_a_process_folder_and_streams_of_their_own(tmp_path):
    folder = ROOT / "tests"
    (tmp_path / "test_own.py").write_text(OWN.format(folder=str(folder)))
    options = ("-c", str(ROOT / "pytest.ini"), "-q", "-s")
    for _ in range(2):
        done = run_pytest(f"{tmp_path}/test_own.py::test_leaves_traces", *options, root=folder)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "to stdout" in done.stdout
        assert done.stderr == "to stderr"
    assert run_pytest(f"{tmp_path}/test_own.py::test_dies", *options, root=folder).returncode == -9
    assert "LEFT" not in os.environ


def test_a_run_without_an_end_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(fork_server, "PATIENCE_S", 0.1)
    server = fork_server.ForkServer(pytest_environment())
    with pytest.raises(subprocess.TimeoutExpired):
        server.run("pytest", ["cases/test_forward.py"], ROOT, pytest_environment())
    monkeypatch.undo()
    assert server.run("pytest", ["--version"], ROOT, pytest_environment()).returncode == 0
    server.close()
