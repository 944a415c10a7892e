"""What builds, runs and is timed at the same time, in one process and in several."""

import threading

import pytest

from trt_conformance.targets.device.gpu_lock import GpuLock
from trt_conformance.targets.tensorrt.exclusion import Exclusion

WAIT_S, SOON_S = 30, 0.05


@pytest.fixture
def processes(tmp_path):
    """Two processes on one GPU, as far as a lock of files can tell them from two objects of one process."""
    return Exclusion(GpuLock(tmp_path / "gpu")), Exclusion(GpuLock(tmp_path / "gpu"))


def entered(enter):
    found = threading.Event()

    def take():
        with enter():
            found.set()

    threading.Thread(target=take, daemon=True).start()
    return found


@pytest.mark.parametrize("first", ["building", "running"])
@pytest.mark.parametrize("second", ["building", "running", "unbuilt"])
def test_processes_build_run_and_capture_at_the_same_time(processes, first, second):
    one, other = processes
    with getattr(one, first)():
        assert entered(getattr(other, second)).wait(WAIT_S)


@pytest.mark.parametrize("what", ["building", "running", "alone"])
def test_what_is_timed_is_alone_on_the_gpu(processes, what):
    one, other = processes
    with one.alone():
        waiting = entered(getattr(other, what))
        assert not waiting.wait(SOON_S)
    assert waiting.wait(WAIT_S)


def test_a_process_builds_nothing_while_it_captures(processes):
    one, other = processes
    with one.unbuilt():
        mine = entered(one.building)
        assert not mine.wait(SOON_S)
        assert entered(one.running).wait(WAIT_S)
        assert entered(other.building).wait(WAIT_S)
    assert mine.wait(WAIT_S)


def test_a_builder_that_waits_for_another_process_keeps_none_from_capturing(processes):
    """The thread that captures runs only after its gate is closed: it would wait for a builder that waits for it."""
    one, other = processes
    with other.alone():
        building = entered(one.building)
        assert not building.wait(SOON_S)
        capturing = entered(one.unbuilt)
        assert not capturing.wait(SOON_S)
    assert building.wait(WAIT_S)
    assert capturing.wait(WAIT_S)


def test_what_is_timed_may_build_and_time_what_it_needs(processes):
    one, _ = processes
    with one.alone(), one.alone(), one.unbuilt(), one.running():
        pass
    with one.building():
        pass
