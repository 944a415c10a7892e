"""Cases that are slow to build are built in processes of their own, and nothing that fails there is lost."""

import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import pytest

from tests.support.helpers import make_case
from tests.targets.test_exclusion import entered
from tests.targets.test_isolation import alive
from tests.targets.test_plans import Builder
from trt_conformance.core.disk_cache import DiskCache
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.paths import ROOT
from trt_conformance.targets import slow_builds
from trt_conformance.targets.device.gpu_lock import GpuLock
from trt_conformance.targets.errors import NotRun, Refused, TargetCrashed, TargetHung
from trt_conformance.targets.isolation.proxy import open_target, start_elsewhere
from trt_conformance.targets.options import Options
from trt_conformance.targets.slow_builds import is_slow_to_build, slow_processes
from trt_conformance.targets.tensorrt import TensorRTTarget
from trt_conformance.targets.tensorrt.build import PlanBuilder
from trt_conformance.targets.tensorrt.build_cache import BuildCache
from trt_conformance.targets.tensorrt.exclusion import Exclusion
from trt_conformance.targets.tensorrt.plans import Plans
from trt_conformance.targets.tensorrt.processes import SPARE, BuildProcesses

FAILS_AT_SOME = f"{ROOT / 'tests' / 'doubles' / 'slow_builder.py'}:FailsAtSome"
WAIT_S, SOON_S = 60, 0.05
SLOW = [make_case(id=f"example/{op}", epilogue=[{"op": op}]) for op in ("silu", "tanh", "sigmoid", "gelu", "softsign")]
WRONG = make_case(id="example/wrong", kernel={"shape": [1, 1, 7, 3], "fill": "ones"}, epilogue=[{"op": "silu"}])
KILLED = make_case(id="example/killed", epilogue=[{"op": "elu", "alpha": 0.5}])


class Process:
    """Stands for a target in another process: its builds go into the cache, as those of ``Builder``."""

    def __init__(self, built, fault=None):
        self.built, self.fault, self.ended = built, fault, []

    def build(self, case):
        if self.fault is not None:
            raise self.fault
        return self.built(case)

    def finish(self):
        self.ended.append("finished")

    def close(self):
        self.ended.append("killed")


def cached(folder):
    return BuildCache(DiskCache(folder, 2**20))


def held(folder, processes, log=None, slow=2):
    builders = [Builder([] if log is None else log) for _ in range(2 + slow)]
    return Plans(builders, cached(folder), {"version": "1"}, Exclusion(GpuLock(None)), slow, processes)


def building_into(folder, log):
    """What a process builds with: plans of its own, and the same cache."""
    own = Plans([Builder(log)], cached(folder), {"version": "1"}, Exclusion(GpuLock(None)))

    class Engine:
        def __init__(self, plan):
            self.origin = plan.origin

        def close(self):
            pass

    return lambda case: Engine(own.get(case))


def test_an_engine_of_another_process_is_built_not_cached(tmp_path):
    here, there = [], []
    plans = held(tmp_path, BuildProcesses(lambda: lambda: Process(building_into(tmp_path, there)), 2), here)
    plans.expect(SLOW)
    found = [plans.get(case) for case in SLOW]
    plans.close()
    assert [plan.content.decode() for plan in found] == [case.id for case in SLOW]
    assert {plan.origin["engine"] for plan in found} == {"built"}
    assert all(plan.origin["build_s"] >= 0 and plan.origin["workspace_bytes"] == 64 for plan in found)
    assert [name for what, name, _ in there if what == "begin"]
    both = [name for what, name, _ in (*here, *there) if what == "begin"]
    assert sorted(both) == sorted(case.id for case in SLOW)
    again = held(tmp_path, None)
    assert again.get(SLOW[0]).origin["engine"] == "cached"
    again.close()


def test_a_refusal_of_another_process_is_new_to_this_run(tmp_path):
    there = []
    plans = held(tmp_path, BuildProcesses(lambda: lambda: Process(building_into(tmp_path, there)), 1), slow=1)
    plans.expect([WRONG, *SLOW[:2]])
    with pytest.raises(Refused, match="no implementation for example/wrong") as refused:
        plans.get(WRONG)
    assert not refused.value.remembered
    assert ("begin", WRONG.id) in [(what, name) for what, name, _ in there]
    with pytest.raises(Refused) as again:
        plans.get(WRONG)
    assert again.value.remembered
    plans.close()


@pytest.mark.parametrize(
    "fault", [TargetCrashed("it died"), TargetHung("no answer"), NotRun("lacks a library"), RuntimeError("any")]
)
def test_what_a_process_fails_at_is_built_here_one_at_a_time(tmp_path, fault, capfd):
    log, inside = [], []

    class Alone(Builder):
        def build(self, definition, case):
            if threading.current_thread() is not threading.main_thread():
                inside.append(case.id)
                assert len(inside) == 1
                time.sleep(0.01)
                inside.remove(case.id)
            return super().build(definition, case)

    started = []

    def start():
        started.append(Process(None, fault))
        return lambda: started[-1]

    plans = Plans(
        [Alone(log) for _ in range(6)], cached(tmp_path), {}, Exclusion(GpuLock(None)), 4, BuildProcesses(start, 4)
    )
    plans.expect(SLOW)
    assert [plans.get(case).origin["engine"] for case in SLOW] == ["built"] * len(SLOW)
    plans.close()
    assert sorted(name for what, name, _ in log if what == "begin") == sorted(case.id for case in SLOW)
    if isinstance(fault, TargetCrashed | TargetHung):
        assert f"built again in this one: {fault}" in capfd.readouterr().err


def test_processes_that_fail_are_replaced_within_a_limit(capfd):
    started = []

    def start():
        started.append(Process(None, TargetCrashed("it died")))
        return lambda one=started[-1]: one

    processes = BuildProcesses(start, 1)
    processes.want(9)
    assert [processes.build(case) for case in (*SLOW, *SLOW)] == [None] * 10
    assert len(started) == 1 + SPARE
    assert all(one.ended == ["killed"] for one in started)


def test_a_target_that_does_not_open_elsewhere_is_given_up(capfd):
    opened = []

    def fails():
        opened.append(1)
        raise ConformanceError("needs a GPU to build")

    processes = BuildProcesses(lambda: fails, 2)
    processes.want(9)
    assert [processes.build(case) for case in (*SLOW, *SLOW)] == [None] * 10
    assert len(opened) <= 2 + SPARE
    assert "needs a GPU to build" in capfd.readouterr().err


def test_a_system_without_processes_is_no_fault(capfd):
    def start():
        raise OSError("no process left")

    processes = BuildProcesses(start, 2)
    processes.want(9)
    assert processes.build(SLOW[0]) is None
    assert "no process left" in capfd.readouterr().err


def test_processes_are_started_for_many_builds_and_end_with_them(tmp_path):
    started = []

    def start():
        started.append(Process(building_into(tmp_path, [])))
        return lambda one=started[-1]: one

    processes = BuildProcesses(start, 4)
    processes.want(2)
    assert not started and processes.build(SLOW[0]) is None
    processes.want(3)
    assert len(started) == 3
    assert processes.build(SLOW[0])["engine"] == "built"
    processes.want(1)
    assert len(started) == 3
    processes.want(0)
    processes.close()
    assert [one.ended for one in started] == [["finished"], [], []]  # two were never opened
    assert processes.build(SLOW[1]) is None


def test_what_is_timed_waits_for_another_process_whose_thread_holds_no_lock(tmp_path):
    """A process that builds shares the GPU itself. Were its thread to share it as well, both could wait for ever."""
    begun, go = threading.Event(), threading.Event()
    build = building_into(tmp_path / "cache", [])
    here, other = Exclusion(GpuLock(tmp_path / "gpu")), Exclusion(GpuLock(tmp_path / "gpu"))

    def slowly(case):
        begun.set()
        assert go.wait(WAIT_S)
        return build(case)

    processes = BuildProcesses(lambda: lambda: Process(slowly), 1)
    plans = Plans([Builder([]) for _ in range(3)], cached(tmp_path / "cache"), {"version": "1"}, here, 1, processes)
    plans.expect(SLOW[:3])
    assert begun.wait(WAIT_S)
    assert entered(other.alone).wait(WAIT_S)  # another process on this GPU does not wait for the thread
    timed = entered(here.alone)
    assert not timed.wait(SOON_S)
    go.set()
    assert timed.wait(WAIT_S)
    plans.close()


GIB = 2**30


@pytest.mark.parametrize(
    ("changes", "cpus", "memory", "gpu", "expected"),
    [
        ({}, 16, 128, 141, 4),
        ({}, 64, 512, 141, 4),
        ({}, 8, 128, 141, 2),
        ({}, 7, 128, 141, 0),
        ({}, 16, 32, 141, 3),
        ({}, 16, 16, 141, 0),
        ({}, 16, 128, 8, 2),
        ({}, 16, 128, None, 0),
        ({"sharers": 2}, 16, 128, 141, 2),
        ({"sharers": 4}, 16, 128, 141, 0),
        ({"slow_builders": 3}, 2, 8, None, 3),
        ({"slow_builders": 0}, 16, 128, 141, 0),
        ({"builders": 1}, 16, 128, 141, 0),
        ({"builders": 0, "slow_builders": 2}, 16, 128, 141, 0),
        ({"cache": None}, 16, 128, 141, 0),
        ({"elsewhere": None}, 16, 128, 141, 0),
    ],
)
def test_there_are_as_many_processes_as_the_machine_has_room_for(monkeypatch, changes, cpus, memory, gpu, expected):
    monkeypatch.setattr(slow_builds, "usable_cpus", lambda: cpus)
    monkeypatch.setattr(slow_builds, "machine_memory", lambda: memory * GIB)
    options = {"builders": 4, "cache": Path("cache"), "elsewhere": start_elsewhere} | changes
    assert slow_processes(Options(**options), gpu and gpu * GIB) == expected


def rtx(folder, spec="tensorrt_rtx", **options):
    try:
        return TensorRTTarget(
            "tensorrt_rtx",
            Options(cache=folder, builders=2, slow_builders=2, elsewhere=partial(start_elsewhere, spec), **options),
        )
    except ConformanceError as fault:  # no TensorRT-RTX for this platform
        pytest.skip(str(fault))


def outcome(target, case):
    try:
        return target.build(case).origin["engine"]
    except Refused as refusal:
        return refusal.phase, refusal.remembered


@pytest.mark.parametrize("fresh", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_tensorrt_builds_in_two_other_processes(tmp_path, monkeypatch, fresh):
    """What is asked for is built ahead elsewhere: this process builds none of these cases."""
    target = rtx(tmp_path, fresh=fresh)
    here = []
    monkeypatch.setattr(PlanBuilder, "build", lambda self, definition, case: here.append(case.id))
    assert all(map(is_slow_to_build, [*SLOW, WRONG]))
    target.expect([*SLOW, WRONG])
    keys = [target._plans.key(case) for case in (*SLOW, WRONG)]
    ended = time.monotonic() + WAIT_S
    while not all(map(cached(tmp_path / "engines").has_build, keys)) and time.monotonic() < ended:
        time.sleep(0.02)
    assert [outcome(target, case) for case in SLOW] == ["built"] * len(SLOW)
    assert outcome(target, WRONG) == ("network", False)
    target.close()
    assert not here
    again = rtx(tmp_path)
    assert [outcome(again, case) for case in (*SLOW, WRONG)] == ["cached"] * len(SLOW) + [("network", True)]
    again.close()


def test_a_process_that_is_killed_in_a_build_costs_nothing_else(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("CACHE", str(tmp_path))
    target = rtx(tmp_path, FAILS_AT_SOME)
    target.expect([KILLED, *SLOW, WRONG])
    assert outcome(target, KILLED) == "built"
    assert [outcome(target, case) for case in SLOW] == ["built"] * len(SLOW)
    assert outcome(target, WRONG) == ("network", False)
    target.close()
    assert "the process died: SIGKILL" in capfd.readouterr().err


@pytest.mark.slow
def test_a_build_that_crashes_everywhere_is_an_error_of_its_own_case(tmp_path, monkeypatch):
    open_target_or_skip()
    monkeypatch.setenv("CACHE", str(tmp_path))
    target = open_target(FAILS_AT_SOME.replace("FailsAtSome", "FailsHereAndThere"))
    try:
        target.expect([KILLED, *SLOW])
        assert [outcome(target, case) for case in SLOW[:2]] == ["built", "built"]
        with pytest.raises(TargetCrashed, match=r"SIGKILL.*in build example/killed"):
            target.build(KILLED)
        assert {outcome(target, case) for case in SLOW} <= {"built", "cached"}
    finally:
        target.close()


@pytest.mark.slow
def test_closing_does_not_wait_for_a_process_that_hangs(tmp_path, monkeypatch):
    monkeypatch.setenv("CACHE", str(tmp_path))
    target = rtx(tmp_path, FAILS_AT_SOME)
    waits = make_case(id="example/waits", epilogue=[{"op": "elu", "alpha": 0.5}])
    target.expect([waits, *SLOW[:2]])
    ended = time.monotonic() + WAIT_S
    while not (tmp_path / "waits").exists() and time.monotonic() < ended:
        time.sleep(0.02)
    assert (tmp_path / "waits").exists()
    target.close()
    assert not cached(tmp_path / "engines").has_build(target._plans.key(waits))


PROGRAM = """
import sys
from pathlib import Path
from tests.targets.test_build_processes import SLOW
from trt_conformance.targets.isolation.proxy import open_target
from trt_conformance.targets.options import Options

target = open_target("tensorrt_rtx", options=Options(cache=Path({folder!r}), builders=2, slow_builders=2))
target.expect(SLOW)
print([target.build(case).origin["engine"] for case in SLOW], flush=True)
sys.stdin.readline()
target.finish()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
@pytest.mark.parametrize("end", [pytest.param("finished", marks=pytest.mark.slow), "killed"])
def test_the_processes_of_a_target_in_its_own_process_end_with_it(tmp_path, end):
    open_target_or_skip()
    program = [sys.executable, "-c", PROGRAM.format(folder=str(tmp_path))]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(program, cwd=ROOT, text=True, **pipes) as parent:
        assert parent.stdout.readline() == f"{['built'] * len(SLOW)}\n"
        (worker,) = spawned(parent.pid)
        further = spawned(worker)
        assert len(further) == 2
        if end == "killed":
            parent.kill()
        else:
            parent.stdin.write("\n")
            parent.stdin.flush()
            assert parent.wait(WAIT_S) == 0
    ended = time.monotonic() + WAIT_S
    while any(map(alive, [worker, *further])) and time.monotonic() < ended:
        time.sleep(0.05)
    assert not any(map(alive, [worker, *further]))


def open_target_or_skip():
    try:
        open_target("tensorrt_rtx").close()
    except ConformanceError as fault:
        pytest.skip(str(fault))


def spawned(pid):
    """The processes of Python's that a process has started."""
    paths = Path(f"/proc/{pid}/task").glob("*/children")
    pids = [int(child) for path in paths for child in path.read_text().split()]
    return [child for child in pids if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]
