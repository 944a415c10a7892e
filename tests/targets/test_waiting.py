"""What the end of a run waits for is reported, and only then."""

import subprocess
import sys
import threading

import pytest

from tests.support.helpers import run_pytest
from trt_conformance.targets.isolation import waiting

LINGERS = """
import threading, time
from trt_conformance.targets.isolation.waiting import announce_exit
def linger():
    time.sleep(5)
threading.Thread(target=linger, name="lingering").start()
announce_exit(0.1)
"""
HANGS_AT_EXIT = """
import atexit, time
from trt_conformance.targets.isolation.waiting import announce_exit
def hang():
    time.sleep(5)
atexit.register(hang)
announce_exit(0.1)
"""
GOES_ON = """
import threading, time
from trt_conformance.targets.isolation.waiting import announce_exit
threading.Thread(target=time.sleep, args=(1,), name="lingering").start()
announce_exit(0.1)
time.sleep(2)
"""
ENDS = """
from trt_conformance.targets.isolation.waiting import announce_exit
announce_exit(0.1)
"""


def stderr_of(program):
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=600, check=True)
    return done.stderr


@pytest.mark.parametrize(
    ("program", "thread"),
    [(LINGERS, "thread lingering in linger"), (HANGS_AT_EXIT, "thread MainThread in hang")],
    ids=["thread", "atexit"],
)
def test_what_keeps_the_process_alive_is_reported(program, thread):
    first, *threads = stderr_of(program).splitlines()
    assert first == "trt-conformance: the process has not ended within 0.1 s. It waits for:"
    assert [line.strip().partition(" (")[0] for line in threads] == [thread]


@pytest.mark.parametrize("program", [GOES_ON, ENDS], ids=["goes on", "ends"])
def test_a_process_that_ends_or_goes_on_is_not_reported(program):
    assert stderr_of(program) == ""


def test_a_wait_is_reported_once_it_takes_long(capfd, monkeypatch):
    said, told = threading.Event(), []

    def note(text):
        told.append(text)
        said.set()

    monkeypatch.setattr(waiting, "say", note)
    with waiting.announced("target slow to close", after_s=0.05):
        assert said.wait(60)
    assert told == ["waiting for target slow to close"]


def test_a_short_wait_is_not_reported(monkeypatch):
    told = []
    monkeypatch.setattr(waiting, "say", told.append)
    before = threading.active_count()
    with waiting.announced("target quick to close", after_s=3600) as _:
        assert threading.active_count() == before + 1
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.join(60)
    assert told == []


def test_a_closed_stderr_is_tolerated(monkeypatch):
    monkeypatch.setattr(sys, "__stderr__", None)
    waiting.say("nobody reads this")


LINGERING_TARGET = """
import threading, time
from trt_conformance.targets.numpy import NumpyTarget

class Lingers(NumpyTarget):
    name = "lingers"

    def __init__(self):
        super().__init__()
        threading.Thread(target=time.sleep, args=(LINGER,), name="left behind").start()
"""


@pytest.mark.slow
def test_a_target_without_isolation_that_keeps_pytest_from_ending_is_reported(tmp_path):
    lingers = tmp_path / "lingers.py"
    lingers.write_text(LINGERING_TARGET.replace("LINGER", str(3 * waiting.EXIT_S)))
    options = ["--target", f"{lingers}:Lingers", "--case", "stride_nd/h2_w2", "--no-record", "-q", "--no-isolation"]
    done = run_pytest("cases/test_forward.py::test_forward", *options)
    assert done.returncode == 0, done.stdout
    assert "trt-conformance: the process has not ended within 10 s. It waits for:\n  thread left behind" in done.stderr
