"""Ctrl-C waits for the end of a block, and is neither lost nor invented."""

import signal
import subprocess
import sys
import threading

import pytest

from trt_conformance.core.signals import uninterrupted


@pytest.fixture(autouse=True)
def as_usual():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_an_interrupt_waits_for_the_end_of_the_block():
    done = []

    @uninterrupted()
    def block():
        signal.raise_signal(signal.SIGINT)
        done.append("the rest")

    with pytest.raises(KeyboardInterrupt):
        block()
    assert done == ["the rest"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_without_one_nothing_is_raised():
    with uninterrupted():
        pass
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_fault_in_the_block_is_what_is_raised():
    @uninterrupted()
    def block():
        signal.raise_signal(signal.SIGINT)
        raise ValueError("of the block")

    with pytest.raises(ValueError, match="of the block"):
        block()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_what_is_ignored_stays_ignored():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with uninterrupted():
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_other_threads_run_as_they_are():
    ran = []

    def run():
        with uninterrupted():
            ran.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert ran == [signal.default_int_handler]


def test_a_handler_that_python_did_not_install_stays():
    """Python cannot restore such a handler, so the signal is not delayed."""
    script = (
        "import signal\n"
        "from trt_conformance.core.signals import uninterrupted\n"
        "real = signal.getsignal\n"
        "signal.getsignal = lambda number: None\n"
        "with uninterrupted():\n"
        "    print(real(signal.SIGINT) is signal.default_int_handler)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=600)
    assert done.stdout == "True\n"


def test_with_the_default_action_the_process_still_ends():
    script = (
        "import signal\n"
        "from trt_conformance.core.signals import uninterrupted\n"
        "signal.signal(signal.SIGINT, signal.SIG_DFL)\n"
        "with uninterrupted():\n"
        "    signal.raise_signal(signal.SIGINT)\n"
        "    print('the rest', flush=True)\n"
        "print('never')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=600)
    assert (done.stdout, done.returncode) == ("the rest\n", -signal.SIGINT)


def test_sigterm_waits_as_well():
    received = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: received.append(number))
    try:
        with uninterrupted():
            signal.raise_signal(signal.SIGTERM)
            assert received == []
        assert received == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)
