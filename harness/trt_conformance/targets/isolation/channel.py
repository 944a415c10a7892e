"""One end of the byte stream between pytest and a target's process, with a deadline on every transfer.

A socket pair rather than a pipe of `multiprocessing`: its timeouts cover a message that stops halfway, on every
system, and an array is received straight into its own memory.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from contextlib import suppress

SOCKET_BYTES = 2**20
"""Asked of the system for each direction; it may grant less."""


class Channel:
    """Sends and receives bytes until a deadline on the clock of `time.monotonic`; None waits for as long as it takes.

    Every method raises TimeoutError at the deadline, and OSError or EOFError where the other end is gone.
    """

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, option, SOCKET_BYTES)

    def send(self, parts: Sequence[bytes | memoryview], deadline: float | None = None) -> None:
        """Send all bytes of all parts."""
        for part in parts:
            view = memoryview(part).cast("B") if len(part) else memoryview(b"")
            while view:
                self._end.settimeout(_remaining(deadline))
                view = view[self._end.send(view) :]

    def receive(self, size: int, deadline: float | None = None) -> bytearray:
        """Exactly ``size`` bytes. The caller has checked that so many may be allocated."""
        data = bytearray(size)
        self.receive_into(memoryview(data), deadline)
        return data

    def receive_into(self, view: memoryview, deadline: float | None = None) -> None:
        """Fill a writable view of bytes."""
        while view:
            self._end.settimeout(_remaining(deadline))
            count = self._end.recv_into(view)
            if not count:
                raise EOFError("the other end is closed")
            view = view[count:]

    def has_data(self) -> bool:
        """Whether something can be read now. A closed end counts as nothing to read."""
        self._end.settimeout(0)
        try:
            return bool(self._end.recv(1, socket.MSG_PEEK))
        except OSError:  # nothing there, or the other end is gone
            return False

    def close(self) -> None:
        self._end.close()


def _remaining(deadline: float | None) -> float | None:
    if deadline is None:
        return None
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
