"""Runs a target in a process of its own, so that a crash or a hang costs one case and nothing else.

The parent sends method calls through a pipe and waits. If the worker dies, hangs past its time limit, or
meets a CUDA error that ends every later call, the call raises and the next one starts a fresh worker;
engines built in the old one are built again when they are asked for. What broke while engines were built
ahead is tried once more without, so that a build that crashes costs its own case and not the one beside it.
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import count
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from harness.cuda import CudaError
from harness.data import Array
from harness.errors import ConformanceError
from harness.model import Case
from harness.targets.base import (
    BuildsAhead,
    Describes,
    Engine,
    EngineFacts,
    HasOrigin,
    NotRun,
    Refused,
    Target,
    Unsupported,
    WarmsUp,
)
from harness.targets.options import Options
from harness.targets.registry import resolve

T = TypeVar("T")

TARGET_CAPABILITIES = ("define", "missing_name", "environment", "infer_shapes", "expect")
ENGINE_CAPABILITIES = ("describe", "ways", "run_way", "measure", "modes", "run_misaligned")
KNOWN_FAULTS = (Refused, Unsupported, NotRun, ConformanceError)
TIME_LIMIT = 300.0
CLOSE_S = 30.0
# An answer waits so long at most for each thread that builds ahead to let go of the interpreter.
SWITCH_S = 0.0005
HELLO = ("hello",)
MOST_TOLD = 64


class TargetCrashed(RuntimeError):
    """The worker process died in the middle of a call."""


class TargetHung(RuntimeError):
    """A call took longer than its time limit; the worker was killed."""


class TargetFault(RuntimeError):
    """An exception of the target that is none of the protocol's; its type is part of the message."""


class TargetLost(TargetFault):
    """A CUDA error after which no later call of the worker succeeds; the worker was ended."""


LOST = (TargetCrashed, TargetHung, TargetLost)


def open_target(
    spec: str,
    isolated: bool = True,
    time_limit: float = TIME_LIMIT,
    options: Options = Options(),  # noqa: B008 - frozen
) -> Target:
    """The target of a spec, in a process of its own unless it is the plain NumPy reference.

    ``time_limit`` in seconds is for one build or one run.

    Raises ConformanceError as `resolve` does.
    """
    return start_target(spec, isolated, time_limit, options)()


def start_target(spec: str, isolated: bool, time_limit: float, options: Options) -> Callable[[], Target]:
    """Begin to open a target, which takes seconds. What is returned waits for it, and raises as `open_target` does."""
    if not isolated or spec == "numpy":
        return lambda: resolve(spec, options)
    worker = _Worker(spec, options)
    return lambda: IsolatedTarget(spec, time_limit, options, worker)


def named(fault: Exception) -> str:
    """What an exception says, with its type in front; a TargetFault has the original's type already."""
    return str(fault) if isinstance(fault, TargetFault) else f"{type(fault).__name__}: {fault}"


class IsolatedTarget:
    """A target in a worker process, with the same protocols as the target itself."""

    def __init__(
        self,
        spec: str,
        time_limit: float = TIME_LIMIT,
        options: Options = Options(),  # noqa: B008 - frozen
        worker: _Worker | None = None,
    ) -> None:
        """``worker`` has been started for the same spec. Raises ConformanceError as `resolve(spec)` does."""
        self.spec, self.options = spec, options
        self.time_limit = time_limit
        self._ahead: set[str] = set()
        self._distrusted: set[str] = set()
        self._worker = worker
        self.generation = 0
        self._told: dict[str, tuple[Case, str | None]] = {}
        self._sent: dict[str, Case] = {}
        name, capabilities = self.call(*HELLO)
        self.name: str = name
        for capability in capabilities:
            setattr(self, capability, _Method(self, "target", capability))
        if "expect" in capabilities:
            self.expect = self._expect

    @property
    def is_alive(self) -> bool:
        """Whether there is a worker; the next call starts one where there is none."""
        return self._worker is not None

    def supports(self, case: Case) -> str | None:
        told, reason = self._told.get(case.id, (None, None))
        if told is not case:
            reason = self.guarded(lambda: self.call("target", "supports", case))
            self._remember([(case, reason)])
        return reason

    def build(self, case: Case) -> IsolatedEngine:
        return IsolatedEngine(self, case)

    def _expect(self, cases: Sequence[Case]) -> None:
        """Let the worker build these ahead, but none that may have broken one; hear which of them it supports."""

        def tell() -> list[Case]:
            trusted = [case for case in cases if case.id not in self._distrusted]
            held = self._sent if self.is_alive else {}
            new = [case for case in trusted if held.get(case.id) is not case]
            reasons = self.call("expect", [case.id for case in trusted], new)
            self._remember(zip(new, reasons, strict=True))
            self._sent = {case.id: case for case in trusted}
            return trusted

        self._ahead = {case.id for case in self.guarded(tell)}

    def _remember(self, supported: Iterable[tuple[Case, str | None]]) -> None:
        """Keep the worker's answers about cases, but not for ever."""
        if len(self._told) > MOST_TOLD:
            self._told.clear()
        self._told |= {case.id: (case, reason) for case, reason in supported}

    def guarded(self, attempt: Callable[[], T]) -> T:
        """Attempt something; once more, with nothing built beside it, where that may be what ended the worker."""
        try:
            return attempt()
        except LOST:
            if not self._ahead:
                raise
            self._distrusted |= self._ahead
            self._ahead = set()
            return attempt()

    def claimed(self, case: Case) -> None:
        """A case is asked for: what breaks from now on may be its own doing."""
        self._ahead.discard(case.id)

    def call(self, *message: Any) -> Any:
        """Call the worker, starting it where there is none.

        Raises:
            TargetCrashed, TargetHung: the worker is gone.
            TargetFault: the target raised something of its own.
            Refused, Unsupported, NotRun, ConformanceError: as the target raised them.
        """
        if self._worker is None:
            self._worker = _Worker(self.spec, self.options)
            self.generation += 1
        try:
            kind, payload = self._worker.ask(message, self.time_limit)
        except (TargetCrashed, TargetHung):
            self._worker = None
            raise
        except KeyboardInterrupt:  # nobody waits for the answer any more, and a later call must not take it for its own
            self.close()
            raise
        if kind == "sticky":
            self._worker.kill()
            self._worker = None
            raise TargetLost(payload)
        if kind == "fault":
            raise TargetFault(payload)
        if kind == "raise":
            raise payload
        return payload

    def release(self, number: int) -> None:
        """Let the worker close an engine, and do not wait for it."""
        if self._worker is not None:
            self._worker.tell(("close", number))

    def close(self) -> None:
        """End the worker at once."""
        if self._worker is not None:
            self._worker.kill()
            self._worker = None

    def finish(self) -> None:
        """Let the target save what it learnt, then end the worker."""
        if self._worker is not None:
            with suppress(*LOST):
                self._worker.ask(("finish",), CLOSE_S)
        self.close()


class IsolatedEngine:
    """An engine in the worker; built again where the worker that held it is gone."""

    def __init__(self, target: IsolatedTarget, case: Case) -> None:
        self._target, self._case = target, case
        self._build()

    def _build(self) -> None:
        self._target.claimed(self._case)
        answer = self._target.guarded(lambda: self._target.call("build", self._case))
        self._number, capabilities, self.origin, self._facts = answer
        self._generation = self._target.generation
        self._closed = False
        for capability in capabilities:
            setattr(self, capability, _Method(self, "engine", capability))
        if "describe" in capabilities:
            self.describe = self._describe

    def _describe(self) -> EngineFacts | None:
        """What the engine said of itself as it was built."""
        facts: EngineFacts | None = self._facts
        return facts

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        outputs: dict[str, Array] = self.call("engine", "run", dict(feeds))
        return outputs

    def call(self, kind: str, method: str, *arguments: Any) -> Any:
        return self._target.guarded(lambda: self._call(kind, method, *arguments))

    def _call(self, kind: str, method: str, *arguments: Any) -> Any:
        if not self._is_here:
            self._build()
        return self._target.call(kind, self._number, method, *arguments)

    def close(self) -> None:
        if self._is_here and not self._closed:
            self._target.release(self._number)
        self._closed = True

    @property
    def _is_here(self) -> bool:
        """Whether the worker that built the engine is still the one that answers."""
        return self._generation == self._target.generation and self._target.is_alive


class _Method:
    """A method of the worker's target or engine, callable here."""

    def __init__(self, owner: IsolatedTarget | IsolatedEngine, kind: str, name: str) -> None:
        self._owner, self._kind, self._name = owner, kind, name

    def __call__(self, *arguments: Any) -> Any:
        return self._owner.call(self._kind, self._name, *arguments)


class _Worker:
    """The process and the parent's end of its pipe. It opens its target, and makes it ready, before anybody waits."""

    def __init__(self, spec: str, options: Options) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process: BaseProcess = context.Process(target=_serve, args=(theirs, spec, options), daemon=True)
        self._process.start()
        theirs.close()
        self._greeting: tuple[str, Any] | None = None
        self.tell(HELLO)

    def ask(self, message: tuple[Any, ...], time_limit: float) -> tuple[str, Any]:
        if self._greeting is None:
            self._greeting = self._answer(HELLO, time_limit)
        if message == HELLO or self._greeting[0] != "result":
            return self._greeting
        self.tell(message)
        return self._answer(message, time_limit)

    def tell(self, message: tuple[Any, ...]) -> None:
        """Send a message; a large one blocks until the worker reads it. That it has died, the next answer finds."""
        with suppress(OSError):
            self._connection.send(message)

    def _answer(self, message: tuple[Any, ...], time_limit: float) -> tuple[str, Any]:
        try:
            if not self._connection.poll(time_limit):
                self.kill()
                raise TargetHung(f"no answer within {time_limit:g} s: the process was killed ({_label(message)})")
            answer: tuple[str, Any] = self._connection.recv()
            return answer
        except (EOFError, OSError):
            self._process.join(timeout=10)
            raise TargetCrashed(f"the process died: {self._cause()} ({_label(message)})") from None

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


def _label(message: tuple[Any, ...]) -> str:
    words = [part for part in message if isinstance(part, str)]
    case = next((part.id for part in message if isinstance(part, Case)), "")
    return " ".join(["in", *words[-1:], case]).strip()


def _serve(connection: Connection, spec: str, options: Options) -> None:
    """The worker's loop: resolves the target, then answers calls until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.setswitchinterval(SWITCH_S)
    state = _Served(spec, options)
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


def _answer(state: _Served, message: tuple[Any, ...]) -> tuple[str, Any]:
    try:
        return "result", state.handle(*message)
    except KNOWN_FAULTS as fault:
        return "raise", fault.with_traceback(None)
    except CudaError as fault:
        return "sticky" if fault.sticky else "fault", f"{type(fault).__name__}: {fault}"
    except Exception as fault:
        return "fault", f"{type(fault).__name__}: {fault}"


class _Served:
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
        if isinstance(self._target, WarmsUp):
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
            return self.target.name, [name for name in TARGET_CAPABILITIES if hasattr(self.target, name)]
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
        assert isinstance(self.target, BuildsAhead)
        known = self._expected | {case.id: case for case in new}
        self._expected = {name: known[name] for name in ids}
        self.target.expect(list(self._expected.values()))
        return [self.target.supports(case) for case in new]

    def _keep(self, engine: Engine) -> tuple[int, list[str], Mapping[str, Any], EngineFacts | None]:
        number = next(self._numbers)
        self._engines[number] = engine
        origin = engine.origin if isinstance(engine, HasOrigin) else {}
        facts = engine.describe() if isinstance(engine, Describes) else None
        return number, [name for name in ENGINE_CAPABILITIES if hasattr(engine, name)], origin, facts


def _plain(value: Any) -> Any:
    """Iterators do not cross a pipe; what they give does."""
    return list(value) if isinstance(value, Iterator) else value
