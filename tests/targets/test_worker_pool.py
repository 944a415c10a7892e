"""Work is shared out among processes of a target, bounded in time, and a crash costs one unit of it."""

import threading
from itertools import count, islice

import pytest

from tests.support.helpers import make_case
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.paths import ROOT
from trt_conformance.targets.isolation.proxy import IsolatedTarget
from trt_conformance.targets.numpy import NumpyTarget
from trt_conformance.targets.worker_pool import AHEAD, WorkerPool

DOUBLES = ROOT / "tests" / "doubles" / "tactics.py"


def test_each_thread_opens_the_target_once():
    opened = []
    barrier = threading.Barrier(2, timeout=30)

    def open_one():
        opened.append(threading.current_thread().name)
        return NumpyTarget()

    def work(target, unit):
        if unit < 2:
            barrier.wait()  # so that both threads take part
        return unit * unit

    with WorkerPool(open_one, 2) as pool:
        assert sorted(pool.each(range(6), work)) == [(unit, unit * unit) for unit in range(6)]
        assert pool.ask(lambda target: target.name) == NumpyTarget().name
    assert len(opened) == len(set(opened)) == 2


def test_nothing_is_started_once_the_time_is_up():
    with WorkerPool(NumpyTarget, 1, budget_s=-1) as pool:
        assert list(pool.each([1, 2], lambda target, unit: unit)) == []
        assert pool.remaining < 0


def test_endless_work_is_taken_until_the_time_is_up():
    taken = []

    def numbers():
        for number in count():
            taken.append(number)
            yield number

    with WorkerPool(NumpyTarget, 2) as pool:
        done = list(islice(pool.each(numbers(), lambda target, unit: unit), 20))
    assert len(done) == 20
    assert len(taken) <= 20 + AHEAD * 2
    with WorkerPool(NumpyTarget, 1, budget_s=-1) as pool:
        assert list(pool.each(numbers(), lambda target, unit: unit)) == []


def test_a_target_that_does_not_open_is_the_users_error():
    def broken():
        raise ConformanceError("--target nothing: no such target")

    with WorkerPool(broken, 1) as pool, pytest.raises(ConformanceError, match="no such target"):
        pool.ask(lambda target: target.name)


def test_calls_of_a_process_end_soon_after_the_time_is_up():
    case = make_case()
    with WorkerPool(lambda: IsolatedTarget(f"{DOUBLES}:Tactics"), 1, budget_s=50) as pool:
        ((_, limit),) = pool.each([case], lambda target, unit: (target.supports(unit), target.time_limit)[1])
        assert limit <= 60
        target = pool.ask(lambda opened: opened)
        assert target.is_alive
    assert not target.is_alive


def test_a_target_is_told_what_comes_next():
    told = []
    with WorkerPool(NumpyTarget, 1) as pool:
        list(pool.each(range(6), lambda target, unit: unit, lambda target, units: told.append(tuple(units)), ahead=1))
    assert [units[0] for units in told] == list(range(6))
    assert all(list(units) == list(range(units[0], units[-1] + 1)) for units in told)
    assert max(map(len, told)) == AHEAD + 1
    assert told[-1] == (5,)


def test_each_thread_is_told_of_its_own_units_only():
    told = {}
    barrier = threading.Barrier(2, timeout=30)

    def foresee(target, units):
        told.setdefault(threading.current_thread().name, []).append(set(units))

    def work(target, unit):
        if unit < 2:
            barrier.wait()
        return unit

    with WorkerPool(NumpyTarget, 2) as pool:
        assert len(list(pool.each(range(12), work, foresee, ahead=2))) == 12
    first, second = ({unit for units in each for unit in units} for each in told.values())
    assert not first & second
    assert first | second == set(range(12))


def test_targets_can_be_opened_before_there_is_work():
    opened = threading.Barrier(3, timeout=30)

    def open_one():
        opened.wait()
        return NumpyTarget()

    with WorkerPool(open_one, 2) as pool:
        pool.open()
        opened.wait()
        assert pool.ask(lambda target: target.name) == NumpyTarget().name
