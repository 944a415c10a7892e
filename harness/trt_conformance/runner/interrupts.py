"""Ctrl-C and SIGTERM end a run in good order: the record is closed and temporary folders are removed."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

import pytest

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """Turns both signals into KeyboardInterrupt, and raises it again if it was lost.

    Python discards an exception that is raised inside a destructor or the callback of a weak reference. The next test
    then raises it again.
    """

    def __init__(self) -> None:
        self._received = False
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

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        for number, before in self._before.items():
            if before is not None:
                signal.signal(number, before)
        self._before.clear()

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self._received = True
        raise KeyboardInterrupt

    def _raise_if_received(self) -> None:
        if self._received:
            raise KeyboardInterrupt
