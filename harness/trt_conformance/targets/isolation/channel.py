"""One end of the byte stream between pytest and a target's process, with a deadline on every transfer.

A socket pair rather than a pipe of `multiprocessing`: its timeouts also cover a message that stops halfway, on every
system, and an array is received straight into its own memory.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

SOCKET_BYTES = 2**20
"""Requested from the system for each direction; it may grant less."""
LOOK_S = 1.0
"""How often a transfer that waits looks whether the other process is still there."""


class Channel:
    """Sends and receives bytes until a deadline on the clock of `time.monotonic`; None waits forever.

    ``is_alive`` reports whether the process at the other end still runs: a process that it forked may keep the socket
    open after it has died. Every transfer raises TimeoutError at its deadline, and OSError or EOFError where the
    other end is gone.
    """

    def __init__(self, end: socket.socket, is_alive: Callable[[], bool] = lambda: True) -> None:
        self._end, self._is_alive = end, is_alive
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, option, SOCKET_BYTES)

    def send(self, parts: Sequence[bytes | bytearray | memoryview], deadline: float | None = None) -> None:
        """Send all bytes of all parts."""
        for part in parts:
            rest = memoryview(part)
            while rest:
                rest = rest[self._patiently(self._end.send, rest, deadline) :]

    def receive(self, size: int, deadline: float | None = None) -> bytearray:
        """Exactly ``size`` bytes. The caller has checked that so many may be allocated."""
        data = bytearray(size)
        self.receive_into(memoryview(data), deadline)
        return data

    def receive_into(self, rest: memoryview, deadline: float | None = None) -> None:
        """Fill a writable view of bytes."""
        while rest:
            count = self._patiently(self._end.recv_into, rest, deadline)
            if not count:
                raise EOFError("the other end is closed")
            rest = rest[count:]

    def has_data(self) -> bool:
        """Whether something can be read now. A closed end has nothing to read."""
        self._end.settimeout(0)
        try:
            return bool(self._end.recv(1, socket.MSG_PEEK))
        except OSError:
            return False

    def close(self) -> None:
        self._end.close()

    def _patiently(self, transfer: Callable[[memoryview], int], view: memoryview, deadline: float | None) -> int:
        while True:
            left = LOOK_S if deadline is None else deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._end.settimeout(min(left, LOOK_S))
            try:
                return transfer(view)
            except TimeoutError:
                if not self._is_alive():
                    raise EOFError("the process at the other end is gone") from None
