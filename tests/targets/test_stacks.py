"""A process that crashed or hung says where, even one that waits for Python's lock for ever."""

import ctypes
import multiprocessing
import time

import pytest

from trt_conformance.targets.isolation.stacks import MOST_FRAMES, MOST_THREADS, Stacks, shown, watch


def crashes(pipe):
    watch(pipe)
    ctypes.string_at(0)


def holds_the_lock(pipe, ready):
    watch(pipe)
    ready.set()
    ctypes.PyDLL(None).sleep(60)  # a PyDLL keeps Python's lock while it is called


def waits(pipe, ready):
    watch(pipe)
    ready.set()
    time.sleep(60)


CONTEXT = multiprocessing.get_context("spawn")


@pytest.fixture
def stacks():
    made = Stacks(CONTEXT)
    yield made
    made.close()


def start(stacks, function, *arguments):
    process = CONTEXT.Process(target=function, args=(stacks.theirs, *arguments), daemon=True)
    process.start()
    stacks.theirs.close()
    return process


def test_a_crash_says_where(stacks):
    start(stacks, crashes).join()
    (line,) = stacks.lines()
    assert line.startswith("at string_at (__init__.py:")
    assert "< crashes (test_stacks.py:" in line


@pytest.mark.parametrize("function", [holds_the_lock, waits])
def test_a_hang_says_where(stacks, function):
    ready = CONTEXT.Event()
    process = start(stacks, function, ready)
    assert ready.wait(30)
    time.sleep(0.2)
    lines = stacks.ask(process.pid)
    assert lines[0].startswith(f"at {function.__name__} (test_stacks.py:")
    process.kill()
    process.join()


def test_a_process_that_is_gone_says_nothing(stacks):
    process = start(stacks, print)
    process.join()
    assert stacks.ask(None) == []


def test_threads_that_wait_for_work_are_left_out():
    dump = """Fatal Python error: Aborted

Thread 0x00007f (most recent call first):
  File "/x/lib/python3.11/concurrent/futures/thread.py", line 81 in _worker
  File "/x/lib/python3.11/threading.py", line 982 in run

Current thread 0x00007e (most recent call first):
  File "/y/harness/targets/tensorrt/api.py", line 61 in runtime
"""
    assert shown(dump) == ["at runtime (api.py:61)"]


def test_there_are_only_so_many_frames_and_threads():
    thread = "Thread 0x1 (most recent call first):\n" + "".join(
        f'  File "/a/b.py", line {n} in call_{n}\n' for n in range(MOST_FRAMES + 3)
    )
    lines = shown("\n".join([thread] * (MOST_THREADS + 2)))
    assert len(lines) == MOST_THREADS
    assert lines[0].count(" < ") == MOST_FRAMES - 1
