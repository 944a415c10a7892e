"""Ctrl-C and SIGTERM end a run, even where Python loses the exception, and leave nothing behind."""

import signal
import weakref

import pytest

from trt_conformance.runner.interrupts import SIGNALS, Interrupts


@pytest.fixture
def handlers():
    before = {number: signal.getsignal(number) for number in SIGNALS}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_interrupts_the_run(handlers, number):
    interrupts = Interrupts()
    interrupts.install()
    interrupts.pytest_runtest_protocol()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)
    interrupts.pytest_unconfigure()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("number", SIGNALS)
def test_one_that_python_discards_is_raised_by_the_next_test(handlers, number):
    class Value:
        pass

    interrupts = Interrupts()
    interrupts.install()
    value = Value()
    reference = weakref.ref(value, lambda _: signal.raise_signal(number))
    del value
    assert reference() is None
    with pytest.raises(KeyboardInterrupt):
        interrupts.pytest_runtest_logfinish()
    interrupts.pytest_unconfigure()


def test_an_ignored_signal_stays_ignored(handlers):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    interrupts = Interrupts()
    interrupts.install()
    signal.raise_signal(signal.SIGINT)
    interrupts.pytest_runtest_protocol()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    interrupts.pytest_unconfigure()
