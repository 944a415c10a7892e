"""Ctrl-C and SIGTERM end a run cleanly: the record is closed and temporary folders are removed."""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator
from types import FrameType
from typing import Any

import pytest

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """Turns both signals into KeyboardInterrupt, and raises it again if it was lost.

    Python discards an exception that is raised inside a destructor or the callback of a weak reference. The next test
    then raises it again. Once the last test has ended, pytest handles KeyboardInterrupt no longer: the first signal
    then only changes the exit code, if the record is not yet closed, and the next one stops the run at once.
    """

    def __init__(self) -> None:
        self._received = self._is_ending = False
        self._before: dict[int, Any] = {}

    def install(self) -> None:
        """Handle the signals, unless they are ignored or this is not the main thread, which alone can."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._receive)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self) -> None:
        self._raise_if_received()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logfinish(self) -> None:
        """After the last test, and in pytest-xdist's controller."""
        self._raise_if_received()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self) -> Generator[None, Any, Any]:
        try:
            return (yield)
        finally:
            self._is_ending = True

    @pytest.hookimpl(tryfirst=True)
    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """pytest formats the traceback next, and fails on a frame that was at an instruction without a line number."""
        self._is_ending = True
        excinfo.traceback = excinfo.traceback.filter(lambda entry: entry._rawentry.tb_lineno is not None)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Before the record is closed, which stores the exit code."""
        if self._received and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            session.exitstatus = pytest.ExitCode.INTERRUPTED

    def restore(self) -> None:
        """Install the previous handlers again."""
        for number, before in self._before.items():
            if before is not None:
                signal.signal(number, before)
        self._before.clear()

    def _receive(self, number: int, frame: FrameType | None) -> None:
        is_tolerated = self._is_ending and not self._received
        self._received = True
        if not is_tolerated:
            raise KeyboardInterrupt

    def _raise_if_received(self) -> None:
        if self._received:
            raise KeyboardInterrupt
