"""In which order and to which workers the tests of a run are dealt."""

from collections import deque
from types import SimpleNamespace

import pytest
from xdist.scheduler import worksteal

from tests.support.helpers import ROOT, run_pytest
from tests.support.suite import small_cases
from trt_conformance.results.record.record import read_record
from trt_conformance.runner.phases import LAST, comes_last
from trt_conformance.runner.scheduling import TwoPhases

ON_A_GPU = """
from trt_conformance.targets.numpy import NumpyTarget

class Named(NumpyTarget):
    name = "mine-1.0-sm90"
"""


class Worker:
    """A worker of pytest-xdist, which holds its last test until it is given another or is shut down."""

    def __init__(self, name):
        self.name, self.queue, self.shutting_down = name, deque(), False
        self.gateway = SimpleNamespace(id=name)

    def send_runtest_some(self, indices):
        self.queue.extend(indices)

    def send_steal(self, indices):
        self.asked = list(indices)

    def shutdown(self):
        self.shutting_down = True


def names(cases, checks=("forward", "execution_modes", "quick_latency")):
    return [f"cases/test_x.py::test_{check}[c{n}-mine]" for check in checks for n in range(cases)]


class Run:
    """A scheduler with workers that are driven by hand."""

    def __init__(self, monkeypatch, tests, workers=2):
        monkeypatch.setattr(worksteal, "parse_tx_spec_config", lambda config: [None] * workers)
        self.tests, self.workers = tests, [Worker(f"gw{n}") for n in range(workers)]
        self.scheduler = TwoPhases(None)
        self.ran = []
        for worker in self.workers:
            self.scheduler.add_node(worker)
            self.scheduler.add_node_collection(worker, tests)
        self.scheduler.schedule()

    def step(self, worker):
        """Let a worker run its next test, if it may; then let those that were asked return tests."""
        if worker not in self.scheduler.node2pending or len(worker.queue) < (1 if worker.shutting_down else 2):
            return False
        index = worker.queue.popleft()
        self.ran.append((worker.name, self.tests[index]))
        self.scheduler.mark_test_complete(worker, index)
        self.return_stolen()
        return True

    def return_stolen(self):
        while (asked := self.scheduler.steal_requested_from_node) is not None:
            given = asked.asked if set(asked.asked) <= set(asked.queue) else []
            asked.queue = deque(index for index in asked.queue if index not in given)
            self.scheduler.remove_pending_tests_from_node(asked, given)

    def finish(self, *order):
        """Step the workers in turn until nothing is left to do."""
        order = order or self.workers
        while sum(self.step(worker) for worker in order):
            pass


def test_the_suite_has_the_tests_of_the_second_phase_and_no_others():
    text = "".join(path.read_text() for path in (ROOT / "cases").glob("test_*.py"))
    assert all(f"def {name}(" in text for name in LAST)
    assert comes_last("cases/test_quick_latency.py::test_quick_latency[a/b-fp32-my.py::test_forward]")
    assert not comes_last("cases/test_forward.py::test_forward[x-my.py::test_quick_latency]")


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_the_second_phase_begins_when_each_worker_has_one_test_left(monkeypatch, workers):
    run = Run(monkeypatch, names(8), workers)
    run.finish()
    ran = [test for _, test in run.ran]
    assert sorted(ran) == sorted(run.tests)
    assert run.scheduler.tests_finished
    assert not run.scheduler.has_pending
    first = next(place for place, test in enumerate(ran) if comes_last(test))
    assert sum(not comes_last(test) for test in ran[first:]) < workers


def test_a_worker_that_is_done_takes_judging_tests_rather_than_timing_too_early(monkeypatch):
    run = Run(monkeypatch, names(8))
    quick, slow = run.workers
    while run.step(quick):
        pass
    assert sum(name == "gw0" for name, _ in run.ran) > 4
    assert not any(comes_last(test) for _, test in run.ran)
    assert not any(worker.shutting_down for worker in run.workers)
    run.finish(slow, quick)
    assert sorted(test for _, test in run.ran) == sorted(run.tests)


def test_a_worker_gets_the_second_phase_of_its_own_cases(monkeypatch):
    run = Run(monkeypatch, names(6, ("forward", "quick_latency")))
    run.finish()
    owner = {test.partition("[")[2]: name for name, test in run.ran if not comes_last(test)}
    timed = [(name, test.partition("[")[2]) for name, test in run.ran if comes_last(test)]
    assert len(timed) == 6
    assert sum(owner[case] == name for name, case in timed) >= 5


def test_the_tests_of_a_worker_that_died_are_dealt_again(monkeypatch):
    run = Run(monkeypatch, names(8))
    dead, left = run.workers
    for _ in range(3):
        run.step(dead)
    crashed = run.scheduler.remove_node(dead)
    run.finish(left)
    assert crashed is not None
    assert sorted([crashed, *(test for _, test in run.ran)]) == sorted(run.tests)


def test_a_run_of_the_second_phase_alone(monkeypatch):
    run = Run(monkeypatch, names(5, ("quick_latency",)))
    run.finish()
    assert sorted(test for _, test in run.ran) == sorted(run.tests)


@pytest.mark.slow
def test_workers_on_a_gpu_time_each_case_once_its_values_are_judged(tmp_path):
    (tmp_path / "mine.py").write_text(ON_A_GPU)
    done = run_pytest(
        "cases/test_forward.py", "cases/test_quick_latency.py", "--target", f"{tmp_path}/mine.py:Named",
        "-q", "-n", "2", "--case", "stride_nd/*-fp32", "--record-root", str(tmp_path / "runs"),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    (path,) = tmp_path.rglob("record.jsonl")
    record = read_record(path)
    checks = [verdict.check for verdict in record.verdicts]
    assert checks.count("quick_latency") == checks.count("forward") == 3
    assert all(verdict.status == "pass" for verdict in record.verdicts if verdict.check == "quick_latency")


def test_workers_without_a_gpu_cannot_take_turns():
    options = ("--cases", small_cases(), "--target", "numpy", "--latency", "quick", "-n", "2")
    done = run_pytest("cases/test_quick_latency.py", *options)
    assert done.returncode == 2
    assert "--latency=quick cannot be combined with -n on numpy" in done.stdout
