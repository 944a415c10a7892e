"""The lock of a GPU: shared by threads and processes, or one thread's alone; a killed process leaves nothing locked."""

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from trt_conformance.targets.device.gpu_lock import ENTRANCE, GPU, GpuLock, lock_of_gpu

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="processes on Windows share no lock")

WAIT_S, SOON_S = 30, 0.05
HOLDER = """
import sys
from pathlib import Path
from trt_conformance.targets.device.gpu_lock import GpuLock

with getattr(GpuLock(Path(sys.argv[1])), sys.argv[2])():
    print("held", flush=True)
    sys.stdin.read()
"""


class Holder:
    """Another process that holds the lock until its input is closed; ``entered`` says whether it has it yet."""

    def __init__(self, path, how):
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(path), how], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.entered = threading.Event()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        if self.process.stdout.readline() == "held\n":
            self.entered.set()

    def leave(self):
        self.process.stdin.close()
        assert self.process.wait(WAIT_S) == 0
        self._reader.join(WAIT_S)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(WAIT_S)
        self._reader.join(WAIT_S)

    def close(self):
        if self.process.poll() is None:
            self.kill()
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture
def holder(tmp_path):
    started = []

    def start(how):
        started.append(Holder(tmp_path / "gpu", how))
        return started[-1]

    yield start
    for one in started:
        one.close()


def entered(path, how):
    """An event that a thread of this process sets once it has had the lock."""
    found = threading.Event()

    def take():
        with getattr(GpuLock(path), how)():
            found.set()

    threading.Thread(target=take, daemon=True).start()
    return found


def test_two_processes_share_the_gpu(holder, tmp_path):
    assert holder("shared").entered.wait(WAIT_S)
    assert holder("shared").entered.wait(WAIT_S)
    assert entered(tmp_path / "gpu", "shared").wait(WAIT_S)


@pytest.mark.parametrize(("first", "second"), [("alone", "shared"), ("shared", "alone"), ("alone", "alone")])
def test_one_that_is_alone_keeps_out_another_process(holder, tmp_path, first, second):
    other = holder(first)
    assert other.entered.wait(WAIT_S)
    mine = entered(tmp_path / "gpu", second)
    assert not mine.wait(SOON_S)
    other.leave()
    assert mine.wait(WAIT_S)


@pytest.mark.parametrize("how", ["alone", "shared"])
def test_a_killed_process_keeps_out_nobody(holder, tmp_path, how):
    other = holder(how)
    assert other.entered.wait(WAIT_S)
    mine = entered(tmp_path / "gpu", "alone")
    assert not mine.wait(SOON_S)
    other.kill()
    assert mine.wait(WAIT_S)


def test_one_that_waits_to_be_alone_is_let_in_before_those_that_come_later(holder, tmp_path):
    first = holder("shared")
    assert first.entered.wait(WAIT_S)
    alone = holder("alone")
    with ThreadPoolExecutor(1) as pool:
        # It holds the entrance once nobody else can enter.
        while pool.submit(_can_pass, tmp_path / "gpu").result():
            assert alone.process.poll() is None
    late = entered(tmp_path / "gpu", "shared")
    assert not late.wait(SOON_S)
    assert not alone.entered.is_set()
    first.leave()
    assert alone.entered.wait(WAIT_S)
    assert not late.wait(SOON_S)
    alone.leave()
    assert late.wait(WAIT_S)


def _can_pass(path):
    import fcntl

    descriptor = os.open(path.with_name(path.name + ENTRANCE), os.O_RDONLY | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def test_threads_of_a_process_exclude_each_other_as_processes_do(tmp_path):
    lock, inside = GpuLock(tmp_path / "gpu"), threading.Event()

    def take():
        with lock.shared():
            inside.set()

    with lock.alone():
        threading.Thread(target=take, daemon=True).start()
        assert not inside.wait(SOON_S)
    assert inside.wait(WAIT_S)


def test_a_thread_holds_the_lock_once(tmp_path):
    lock = GpuLock(tmp_path / "gpu")
    with lock.alone(), lock.alone(), lock.shared():
        pass
    with lock.shared(), lock.shared(), pytest.raises(RuntimeError, match="would wait for itself"), lock.alone():
        pass
    assert entered(tmp_path / "gpu", "alone").wait(WAIT_S)


def test_a_failure_releases_the_lock(tmp_path):
    lock = GpuLock(tmp_path / "gpu")
    for how in (lock.alone, lock.shared):
        with pytest.raises(ZeroDivisionError), how():
            raise ZeroDivisionError
    assert entered(tmp_path / "gpu", "alone").wait(WAIT_S)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"gpu{ENTRANCE}", f"gpu{GPU}"]


def test_files_that_cannot_be_made_lock_nothing(tmp_path):
    lock = GpuLock(tmp_path / "missing" / "gpu")
    with lock.alone():
        assert entered(tmp_path / "missing" / "gpu", "alone").wait(WAIT_S)


def test_the_files_are_named_by_the_gpu(monkeypatch):
    from trt_conformance.targets.device import gpu_lock

    monkeypatch.setattr(gpu_lock.cuda, "gpus", lambda: ((), "no GPU"))
    assert lock_of_gpu()._path is None
    monkeypatch.setattr(gpu_lock.cuda, "gpus", lambda: (("a GPU",), ""))
    monkeypatch.setattr(gpu_lock, "bus_id", lambda: "0000:65:00.0")
    assert lock_of_gpu()._path.name == "trt-conformance-gpu-0000-65-00.0"
