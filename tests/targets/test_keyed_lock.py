"""Threads that work on one thing work together; those that work on another wait until they have finished."""

import threading

from trt_conformance.targets.tensorrt.keyed_lock import KeyedLock

WAIT = 20


def test_one_thing_is_worked_on_together():
    lock, together = KeyedLock(), threading.Barrier(2)

    def work():
        with lock.on("sm120"):
            together.wait(WAIT)  # breaks if the other does not come in

    other = threading.Thread(target=work)
    other.start()
    work()
    other.join(WAIT)
    assert not together.broken


def test_another_thing_waits_until_no_thread_works():
    lock, inside, entered = KeyedLock(), threading.Event(), threading.Event()

    def work():
        inside.set()
        with lock.on("sm75"):
            entered.set()

    other = threading.Thread(target=work)
    with lock.on("sm120"):
        other.start()
        inside.wait(WAIT)
        assert not entered.wait(0.05)
    assert entered.wait(WAIT)
    other.join(WAIT)


def test_a_failure_ends_the_turn():
    lock = KeyedLock()
    try:
        with lock.on("sm75"):
            raise ValueError
    except ValueError:
        pass
    entered = threading.Event()

    def work():
        with lock.on("sm80"):
            entered.set()

    threading.Thread(target=work).start()
    assert entered.wait(WAIT)
