"""A process that serves a target through a pipe, and the pipe's other end."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import count
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler
from threading import Timer
from typing import Any

from trt_conformance.core.case import Case
from trt_conformance.core.errors import ConformanceError
from trt_conformance.targets.device.cuda import CudaError
from trt_conformance.targets.errors import NotRun, Refused, TargetCrashed, TargetHung, Unsupported
from trt_conformance.targets.isolation.stacks import Stacks, watch
from trt_conformance.targets.options import Options
from trt_conformance.targets.protocols import CAPABILITIES, Engine, EngineFacts, Target, offers
from trt_conformance.targets.registry import resolve

KNOWN_FAULTS = (Refused, Unsupported, NotRun, ConformanceError)
# An answer waits so long at most for each thread that builds ahead to let go of the interpreter.
SWITCH_S = 0.0005
HELLO = ("hello",)
# What a pipe surely takes before anybody reads it.
PIPE_BYTES = 2**15
# <linux/prctl.h>
PR_SET_PDEATHSIG = 1


class Worker:
    """The process and the parent's end of its pipe. It opens its target, and makes it ready, before anybody waits."""

    def __init__(self, spec: str, options: Options) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._stacks = Stacks(context)
        arguments = (theirs, spec, options, self._stacks.theirs)
        self._process: BaseProcess = context.Process(target=serve, args=arguments, daemon=True)
        self._process.start()
        theirs.close()
        self._stacks.theirs.close()
        self._greeting: tuple[str, Any] | None = None
        self.tell(HELLO)

    def ask(self, message: tuple[Any, ...], time_limit: float) -> tuple[str, Any]:
        if self._greeting is None:
            self._greeting = self._answer(HELLO, time_limit)
        if message == HELLO or self._greeting[0] != "result":
            return self._greeting
        self._send(message, time_limit)
        return self._answer(message, time_limit)

    def tell(self, message: tuple[Any, ...]) -> None:
        """Send a message; a large one blocks until the worker reads it. That it has died, the next answer finds."""
        self._tell(ForkingPickler.dumps(message))

    def _tell(self, pickled: memoryview) -> None:
        with suppress(OSError):
            self._connection.send_bytes(pickled)

    def _send(self, message: tuple[Any, ...], time_limit: float) -> None:
        """Send a message; what may block not for ever, since a worker that hangs does not read."""
        pickled = ForkingPickler.dumps(message)
        if len(pickled) <= PIPE_BYTES:
            self._tell(pickled)
            return
        stuck: list[list[str]] = []

        def end() -> None:
            stuck.append(self._stacks.ask(self._process.pid))
            self._process.kill()

        timer = Timer(time_limit, end)
        timer.start()
        try:
            self._tell(pickled)
        finally:
            timer.cancel()
        if stuck:
            raise self._hung(message, time_limit, stuck[0])

    def _hung(self, message: tuple[Any, ...], time_limit: float, stacks: Sequence[str]) -> TargetHung:
        self.kill()
        said = f"no answer within {time_limit:g} s: the process was killed ({_label(message)})"
        return TargetHung("\n".join([said, *stacks]))

    def _answer(self, message: tuple[Any, ...], time_limit: float) -> tuple[str, Any]:
        try:
            if not self._connection.poll(time_limit):
                raise self._hung(message, time_limit, self._stacks.ask(self._process.pid))
            answer: tuple[str, Any] = self._connection.recv()
            return answer
        except (EOFError, OSError):
            self._process.join(timeout=10)
            said = f"the process died: {self._cause()} ({_label(message)})"
            stacks = self._stacks.lines()
            self.kill()
            raise TargetCrashed("\n".join([said, *stacks])) from None

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
        self._connection.close()
        self._process.kill()
        self._process.join(timeout=10)
        self._stacks.close()


def _label(message: tuple[Any, ...]) -> str:
    words = [part for part in message if isinstance(part, str)]
    case = next((part.id for part in message if isinstance(part, Case)), "")
    return " ".join(["in", *words[-1:], case]).strip()


def serve(connection: Connection, spec: str, options: Options, stacks: Connection) -> None:
    """The worker's loop: resolves the target, then answers calls until the pipe closes."""
    _end_with_parent()
    watch(stacks)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.setswitchinterval(SWITCH_S)
    state = Served(spec, options)
    while True:
        try:
            message = connection.recv()
        except (EOFError, OSError):
            return
        if message[0] == "close":
            state.close(message[1])
            continue
        connection.send(_answer(state, message))
        if options.eager and message == HELLO:
            state.warm_up()


def _end_with_parent() -> None:
    """Let Linux end this process with the thread that started it: one that hangs sees no pipe close, and holds a GPU.

    Elsewhere it ends once it reads from the pipe again.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))
    parent = multiprocessing.parent_process()
    if parent is not None and parent.pid != os.getppid():
        os._exit(1)


def _answer(state: Served, message: tuple[Any, ...]) -> tuple[str, Any]:
    try:
        return "result", state.handle(*message)
    except KNOWN_FAULTS as fault:
        return "raise", fault.with_traceback(None)
    except CudaError as fault:
        return "sticky" if fault.sticky else "fault", f"{type(fault).__name__}: {fault}"
    except Exception as fault:
        return "fault", f"{type(fault).__name__}: {fault}"


class Served:
    """The target and its engines, inside the worker. What keeps it from opening is told whoever asks."""

    def __init__(self, spec: str, options: Options) -> None:
        self._engines: dict[int, Engine] = {}
        self._expected: dict[str, Case] = {}
        self._numbers = count(1)
        self._late: Exception | None = None
        self._target: Target | Exception
        try:
            self._target = resolve(spec, options)
        except Exception as fault:
            self._target = fault

    @property
    def target(self) -> Target:
        if isinstance(self._target, Exception):
            raise self._target.with_traceback(None)
        return self._target

    def warm_up(self) -> None:
        """Do what is slow and done once. A fault shows again, and is told, when it is needed."""
        if not isinstance(self._target, Exception) and offers(self._target, "warm_up"):
            with suppress(Exception):
                self._target.warm_up()

    def close(self, number: int) -> None:
        """Close an engine. Nobody waits for it: a fault is told whoever asks next."""
        try:
            self._engines.pop(number).close()
        except Exception as fault:
            self._late = fault

    def handle(self, kind: str, *arguments: Any) -> Any:
        if self._late is not None:
            late, self._late = self._late, None
            raise late
        if kind == HELLO[0]:
            return self.target.name, [name for name in CAPABILITIES if offers(self.target, name)]
        if kind == "target":
            return _plain(getattr(self.target, arguments[0])(*arguments[1:]))
        if kind == "expect":
            return self._expect(*arguments)
        if kind == "build":
            return self._keep(self.target.build(arguments[0]))
        if kind == "finish":
            return getattr(self.target, "close", lambda: None)()
        number, *rest = arguments
        return getattr(self._engines[number], rest[0])(*rest[1:])

    def _expect(self, ids: Sequence[str], new: Sequence[Case]) -> list[str | None]:
        """Only what was not expected before comes through the pipe, and is answered for."""
        assert offers(self.target, "expect")
        known = self._expected | {case.id: case for case in new}
        self._expected = {name: known[name] for name in ids}
        self.target.expect(list(self._expected.values()))
        return [self.target.supports(case) for case in new]

    def _keep(self, engine: Engine) -> tuple[int, list[str], Mapping[str, Any], EngineFacts | None]:
        number = next(self._numbers)
        self._engines[number] = engine
        origin = engine.origin if offers(engine, "origin") else {}
        facts = engine.describe() if offers(engine, "describe") else None
        return number, [name for name in CAPABILITIES if offers(engine, name)], origin, facts


def _plain(value: Any) -> Any:
    """Iterators do not cross a pipe; what they give does."""
    return list(value) if isinstance(value, Iterator) else value
