"""The process that serves a target, as its parent sees it: calls with a time limit, answers, and its end."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.process import BaseProcess
from threading import Lock
from types import ModuleType
from typing import Any

from trt_conformance.core.case import Case
from trt_conformance.targets.errors import TargetCrashed, TargetHung
from trt_conformance.targets.isolation import answers, requests
from trt_conformance.targets.isolation.answers import Answer, Malformed
from trt_conformance.targets.isolation.channel import Channel
from trt_conformance.targets.isolation.requests import Expected
from trt_conformance.targets.isolation.served import serve
from trt_conformance.targets.isolation.stacks import Stacks
from trt_conformance.targets.options import Elsewhere, Options

HELLO = ("hello",)
MOST_BYTES = 2**28
"""Bytes of arrays in an answer to a call that does not state how many it expects."""
TELL_S = 10.0
_STARTING = Lock()
Start = Callable[[str, Options], Callable[[], Elsewhere]]
"""Starts to open the target of a spec in a process, and returns a function that waits for it."""


class Worker:
    """The process and the parent's end of its channel.

    The process opens its target, and makes it ready, before the parent waits for it. Calls are numbered, and an answer
    is accepted only if it has the number of the call that waits for it.
    """

    def __init__(self, spec: str, options: Options, start: Start) -> None:
        """``start`` is for the target, which may build in further processes."""
        context = multiprocessing.get_context("spawn")
        ours, theirs = socket.socketpair()
        self._stacks = Stacks(context)
        arguments = (theirs, spec, options, self._stacks.theirs, start)
        self._process: BaseProcess = context.Process(target=serve, args=arguments, daemon=True)
        _start(self._process)
        self._channel = Channel(ours, self._process.is_alive)
        theirs.close()
        self._stacks.theirs.close()
        self._number = 0
        self._greeting: Answer | None = None
        self.tell(HELLO)

    def ask(self, message: tuple[Any, ...], time_limit: float, most_bytes: int = MOST_BYTES) -> Answer:
        """The answer to a call. ``most_bytes`` is how many bytes its arrays may take.

        Raises:
            TargetHung: the answer was not complete within ``time_limit`` seconds; the process was killed.
            TargetCrashed: the process died, or sent something else than an answer and was killed.
        """
        if self._greeting is None:
            self._greeting = self.collect(HELLO, time_limit, most_bytes)
        if message == HELLO or self._greeting.kind != "result":
            return self._greeting
        self.post(message, time_limit)
        return self.collect(message, time_limit, most_bytes)

    def post(self, message: tuple[Any, ...], time_limit: float) -> None:
        """Send a call whose answer is the next to `collect`; the process has answered `ask` before. Raises as `ask`."""
        self._number += 1
        with self._attributing(message, time_limit), suppress(BrokenPipeError, ConnectionResetError):
            # What it sent before it died is still received.
            self._channel.send(requests.encode(self._number, message), time.monotonic() + time_limit)

    def collect(self, message: tuple[Any, ...], time_limit: float, most_bytes: int = MOST_BYTES) -> Answer:
        """The answer to what was sent last, within ``time_limit`` seconds from now. Otherwise as `ask`."""
        with self._attributing(message, time_limit):
            answer = answers.receive(self._channel, time.monotonic() + time_limit, most_bytes)
            if answer.number != self._number:
                raise Malformed(f"it answered call {answer.number} when call {self._number} was made")
            if self._channel.has_data():
                raise Malformed("it sent more than one answer to a call")
            return answer

    def tell(self, message: tuple[Any, ...]) -> None:
        """Send a message that has no answer, or whose answer is received later.

        The next answer shows that the process has died. Raises TargetHung if it does not read what it is sent.
        """
        with suppress(OSError):
            try:
                self._channel.send(requests.encode(self._number, message), time.monotonic() + TELL_S)
            except EOFError:
                return
            except TimeoutError:
                raise self._hung(message, TELL_S) from None

    def has_surplus(self) -> bool:
        """Whether there is something to receive although no call waits for an answer."""
        return self._greeting is not None and self._channel.has_data()

    @contextmanager
    def _attributing(self, message: tuple[Any, ...], limit: float) -> Iterator[None]:
        """Turn what goes wrong in a transfer into what has become of the process, and end it."""
        try:
            yield
        except TimeoutError:
            raise self._hung(message, limit) from None
        except (EOFError, OSError):
            self._process.join(timeout=10)
            said = f"the process died: {self._cause()} ({_label(message)})"
            stacks = self._stacks.lines()
            self.kill()
            raise TargetCrashed("\n".join([said, *stacks])) from None
        except Malformed as fault:
            self.kill()
            raise TargetCrashed(f"the process was killed because {fault} ({_label(message)})") from None

    def _hung(self, message: tuple[Any, ...], time_limit: float) -> TargetHung:
        stacks = self._stacks.ask(self._process.pid)
        self.kill()
        said = f"no answer within {time_limit:g} s: the process was killed ({_label(message)})"
        return TargetHung("\n".join([said, *stacks]))

    def _cause(self) -> str:
        code = self._process.exitcode
        if code is None or code >= 0:
            return f"exit code {code}"
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        return f"{name}, perhaps out of memory" if name == "SIGKILL" else name

    def kill(self) -> None:
        """End the process, and those that it forked."""
        self._channel.close()
        if sys.platform != "win32" and self._process.pid is not None:
            with suppress(OSError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.join(timeout=10)
        self._stacks.close()


def _start(process: BaseProcess) -> None:
    """Start a process that does not import this one's main module, such as pytest, for which it has no use."""
    with _STARTING:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            process.start()
        finally:
            sys.modules["__main__"] = main


def _label(message: tuple[Any, ...]) -> str:
    words = [part for part in message if isinstance(part, str)]
    case = next((part.id for part in message if isinstance(part, (Case, Expected))), "")
    return " ".join(["in", *words[-1:], case]).strip()
