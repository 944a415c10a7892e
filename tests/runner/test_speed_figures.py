"""`benchmarks/fast_runs.py`: which runs it makes, what it says that threads wait for, and that it works at all."""

import argparse
import json
import subprocess
import sys
import threading
import time

import pytest

from benchmarks import fast_runs
from benchmarks.mps import COMMAND, LOGS, MPS_FOLDER, Mps
from benchmarks.waiting import Waiting, _role, family, lines_of
from trt_conformance.core.paths import ROOT

linux = pytest.mark.skipif(sys.platform != "linux", reason="threads are seen through /proc")


@pytest.fixture
def runs(monkeypatch):
    """The runs that were made, each of which takes the seconds that ``took`` says."""
    made, now, took = [], [0.0], [10.0]

    def run(folder, name, workers, tests, arguments, environ):
        now[0] += took[0]
        made.append((name, workers, dict(environ)))
        return {"name": name}

    monkeypatch.setattr(fast_runs, "run_pytest", run)
    monkeypatch.setattr(fast_runs.time, "monotonic", lambda: now[0])
    return made


def options(**given):
    return argparse.Namespace(**({"workers": [1, 4], "tests": "", "mps": False, "budget": float("inf")} | given))


def test_each_number_of_workers_runs_cold_and_warm(runs, tmp_path):
    assert len(list(fast_runs.measure(tmp_path, options(), []))) == 4
    assert [name for name, *_ in runs] == ["cold-1", "warm-1", "cold-4", "warm-4"]
    assert {workers for _, workers, _ in runs} == {1, 4}


def test_runs_that_would_end_after_the_budget_are_left_out(runs, tmp_path, capsys):
    list(fast_runs.measure(tmp_path, options(workers=[1, 2, 4], budget=45), []))
    assert [name for name, *_ in runs] == ["cold-1", "warm-1", "cold-2", "warm-2"]
    assert "4 workers left out: the budget of 45 s is used up" in capsys.readouterr().out


def fake_mps(folder, code=0):
    """A command that notes how it is called, in place of NVIDIA's."""
    command = folder / "bin" / COMMAND
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\necho "$1 $(cat) ${MPS_FOLDER}" >> {folder}/said\necho why\nexit {code}\n')
    command.chmod(0o755)
    return command.parent


@linux
def test_mps_serves_the_runs_of_several_workers_and_is_ended(runs, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{fake_mps(tmp_path)}:/bin:/usr/bin")
    list(fast_runs.measure(tmp_path, options(mps=True), []))
    pipe = str(tmp_path / "mps" / "pipe")
    assert [name for name, *_ in runs[4:]] == ["mps-cold-4", "mps-warm-4"]
    assert all(environ == {} for *_, environ in runs[:4])
    assert all(environ == {MPS_FOLDER: pipe, LOGS: str(tmp_path / "mps" / "log")} for *_, environ in runs[4:])
    assert (tmp_path / "said").read_text().splitlines() == [f"-d  {pipe}", f" quit {pipe}"]


@linux
def test_mps_that_does_not_start_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", f"{fake_mps(tmp_path, code=1)}:/bin:/usr/bin")
    with Mps(tmp_path / "mps") as environ:
        assert environ is None
    assert f"{COMMAND} -d: exit code 1: why" in capsys.readouterr().out
    monkeypatch.setattr("benchmarks.mps.shutil.which", lambda command, path: None)
    with Mps(tmp_path / "other") as environ:
        assert environ is None
    assert "nothing is measured under MPS" in capsys.readouterr().out


@linux
def test_what_threads_wait_for_is_seen(monkeypatch):
    monkeypatch.setattr("benchmarks.waiting.SAMPLING_S", 0.01)
    program = """
import sys, threading
def spin():
    while True: sum(range(1000))
threading.Thread(target=spin, daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "ready\n"
        waiting = Waiting(process.pid)
        deadline = time.monotonic() + 30
        while waiting._samples < 20 and time.monotonic() < deadline:
            threading.Event().wait(0.01)
        found = waiting.stop()
        process.stdin.close()
    main, other = found["pytest, main thread"], found["pytest, other threads"]
    assert any(state.startswith("read") for state in main["threads"]), main
    assert "running" in other["threads"] or "futex with a time limit" in other["threads"], other
    assert any("pytest, main thread: " in line for line in lines_of(found))


@linux
def test_threads_are_told_apart_by_what_their_process_is_for():
    """A target's process is spawned by pytest, and one that builds for it by the target's."""
    program = """
import subprocess, sys
depth = int(sys.argv[1])
if depth:
    words = [sys.executable, "-c", sys.argv[2], str(depth - 1), sys.argv[2], "spawn" + "_main"]
    subprocess.Popen(words, stdin=0).wait()
else:
    print("ready", flush=True)
    sys.stdin.read()
"""
    words = [sys.executable, "-c", program, "2", program]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        roles = [_role(pid) for pid in family(process.pid)]
        process.stdin.close()
    assert roles == ["pytest", "target", "slow builder"]


@pytest.mark.slow
def test_the_figures_of_a_small_run(tmp_path):
    table, figures = tmp_path / "table.md", tmp_path / "figures.json"
    command = [sys.executable, "benchmarks/fast_runs.py", "--target", "numpy", "--polygraphy", "0", "--workers", "1"]
    command += ["--table", str(table), "--json", str(figures), "--", "--case", "stride_nd/h2_w2"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    cold, warm = json.loads(figures.read_text())["runs"]
    assert (cold["name"], warm["name"]) == ("cold-1", "warm-1")
    assert cold["statuses"] == warm["statuses"] == {"pass": cold["cases"]}
    assert "| cold-1 | 1 | " in table.read_text(encoding="utf-8")
