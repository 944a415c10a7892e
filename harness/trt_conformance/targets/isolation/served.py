"""The loop of a target's process: it opens the target, and answers calls until pytest is gone."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import select
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import count
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from trt_conformance.core.arrays import Array
from trt_conformance.core.case import Case
from trt_conformance.numerics.compare import same_bits
from trt_conformance.targets.device.cuda import CudaError
from trt_conformance.targets.device.sharing import VISIBLE
from trt_conformance.targets.errors import named
from trt_conformance.targets.isolation import answers, requests
from trt_conformance.targets.isolation.answers import Answer, known_fault, text_of
from trt_conformance.targets.isolation.channel import Channel
from trt_conformance.targets.isolation.requests import Expected
from trt_conformance.targets.isolation.stacks import watch
from trt_conformance.targets.options import Elsewhere, Options
from trt_conformance.targets.protocols import CAPABILITIES, Engine, EngineFacts, Target, offers
from trt_conformance.targets.registry import resolve

# An answer waits at most this long for each thread that builds ahead to release the interpreter.
SWITCH_S = 0.0005
FORK_S = 0.1
"""How long an answer waits for a child to return from a call in which the target forked."""
# <linux/prctl.h>
PR_SET_PDEATHSIG = 1


def serve(
    end: socket.socket,
    spec: str,
    options: Options,
    stacks: Connection,
    start: Callable[[str, Options], Callable[[], Elsewhere]],
) -> None:
    """Open the target of a spec, then answer calls until the channel closes.

    ``start`` starts to open the target of a spec in a process of this one.
    """
    _end_with_parent()
    multiprocessing.current_process().daemon = False  # a daemon may start no process
    options = replace(options, elsewhere=partial(start, spec))
    if options.gpu is not None:  # before anything initializes CUDA
        os.environ[VISIBLE] = options.gpu
    watch(stacks)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.setswitchinterval(SWITCH_S)
    channel, forks = Channel(end), _Forks()
    served = Served(spec, options)
    forks.end_child()
    while True:
        try:
            number, message = requests.receive(channel)
        except (EOFError, OSError):
            return
        if message[0] == "close":
            served.close(message[1])
            forks.end_child()
            continue
        answer = _answer(served, number, message)
        forks.end_child()
        if forks.has_returned():
            text = "the target forked, and the child returned from the call as well as its parent"
            answer = Answer(number, "fault", text)
        try:
            channel.send(_encoded(answer))
        except (EOFError, OSError):
            return
        if options.eager and message[0] == "hello":
            served.warm_up()


def _end_with_parent() -> None:
    """Lead a process group, which the parent can kill, and on Linux end with the thread that started this process.

    A process that hangs does not see its channel close, and would keep its GPU. Elsewhere it ends once it reads again.
    """
    if sys.platform != "win32":
        with suppress(OSError):
            os.setpgid(0, 0)
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))
    parent = multiprocessing.parent_process()
    if parent is not None and parent.pid != os.getppid():
        os._exit(1)


class _Forks:
    """Ends a child that a target forked and that returned into this loop, where it would answer a second time."""

    def __init__(self) -> None:
        self._pid, self._forked = os.getpid(), False
        self._read, self._write = os.pipe()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_parent=self._note)

    def _note(self) -> None:
        self._forked = True

    def end_child(self) -> None:
        """End this process if it is not the one that pytest started."""
        if os.getpid() != self._pid:
            os.write(self._write, b"x")
            os._exit(0)

    def has_returned(self) -> bool:
        """Whether a child has reached `end_child` since the last call. A child that is slower is not seen."""
        if sys.platform == "win32":
            return False
        patience, self._forked = (FORK_S if self._forked else 0.0), False
        if not select.select([self._read], [], [], patience)[0]:
            return False
        os.read(self._read, 2**12)
        return True


def _answer(served: Served, number: int, message: tuple[Any, ...]) -> Answer:
    try:
        return Answer(number, "result", served.handle(*message))
    except CudaError as fault:
        return Answer(number, "sticky" if fault.sticky else "fault", text_of(f"{type(fault).__name__}: {fault}"))
    except BaseException as fault:  # also SystemExit, and KeyboardInterrupt, which the user cannot send here
        kind, value = known_fault(fault) or ("fault", text_of(named(fault)))
        return Answer(number, kind, value)


def _encoded(answer: Answer) -> Sequence[bytes | memoryview]:
    try:
        return answers.encode(answer)
    except Exception as fault:  # converting what a target returned may run its code
        return answers.encode(Answer(answer.number, "fault", text_of(f"the result cannot be sent: {named(fault)}")))


class Served:
    """The target and its engines, inside the worker. Every call raises what keeps the target from opening."""

    def __init__(self, spec: str, options: Options) -> None:
        self._engines: dict[int, Engine] = {}
        self._expected: dict[str, Case] = {}
        self._numbers = count(1)
        self._late: BaseException | None = None
        self._target: Target | BaseException
        try:
            self._target = resolve(spec, options)
        except BaseException as fault:
            self._target = fault

    @property
    def target(self) -> Target:
        if isinstance(self._target, BaseException):
            raise self._target.with_traceback(None)
        return self._target

    def warm_up(self) -> None:
        """Do what is slow and done once. A fault occurs again, and is reported, when the result is needed."""
        if not isinstance(self._target, BaseException) and offers(self._target, "warm_up"):
            with suppress(Exception):
                self._target.warm_up()

    def close(self, number: int) -> None:
        """Close an engine. A fault is raised by the next call, since this one has no answer."""
        try:
            self._engines.pop(number).close()
        except BaseException as fault:
            self._late = fault

    def handle(self, kind: str, *arguments: Any) -> Any:
        """The result of a call: ("target", name, *arguments), ("engine", number, name, *arguments), ..."""
        if self._late is not None:
            late, self._late = self._late, None
            raise late
        arguments = tuple(self._expected[one.id] if isinstance(one, Expected) else one for one in arguments)
        if kind == "hello":
            return self.target.name, [name for name in CAPABILITIES if offers(self.target, name)]
        if kind == "target":
            return _plain(getattr(self.target, arguments[0])(*arguments[1:]))
        if kind == "expect":
            return self._expect(*arguments)
        if kind == "build":
            return self._add(self.target.build(arguments[0]))
        if kind == "build_with":
            assert offers(self.target, "build_with")
            return self._add(self.target.build_with(*arguments))
        if kind == "finish":
            getattr(self.target, "close", lambda: None)()
            return None
        number, *rest = arguments
        if rest[0] == "run_each":
            return _run_each(self._engines[number], *rest[1:])
        return getattr(self._engines[number], rest[0])(*rest[1:])

    def _expect(self, ids: Sequence[str], new: Sequence[Case]) -> list[str | None]:
        """Only cases that were not expected before are sent, and only their support is reported."""
        assert offers(self.target, "expect")
        known = self._expected | {case.id: case for case in new}
        self._expected = {name: known[name] for name in ids}
        self.target.expect(list(self._expected.values()))
        return [self.target.supports(case) for case in new]

    def _add(self, engine: Engine) -> tuple[int, list[str], Mapping[str, Any], EngineFacts | None]:
        origin = engine.origin if offers(engine, "origin") else {}
        facts = engine.describe() if offers(engine, "describe") else None
        number = next(self._numbers)
        self._engines[number] = engine
        return number, [name for name in CAPABILITIES if offers(engine, name)], origin, facts


def _run_each(
    engine: Engine, batch: Sequence[Mapping[str, Array]], order: Sequence[int]
) -> tuple[list[Any], list[int]]:
    """Run an engine on inputs of a batch, in the given order. Returns the different outputs, and which each run gave.

    Each run has inputs of its own, and its output is compared at once: an engine may write into either later.
    """
    different: list[Any] = []
    given: list[int] = []
    for index in order:
        outputs = engine.run({name: values.copy() for name, values in batch[index].items()})
        place = next((place for place, known in enumerate(different) if _are_same(known, outputs)), len(different))
        if place == len(different):
            different.append(_copied(outputs))
        given.append(place)
    return different, given


def _are_same(known: Any, outputs: Any) -> bool:
    """Whether outputs have the bits of earlier ones. Never of something else than a dictionary of arrays."""
    if not isinstance(known, dict) or not isinstance(outputs, dict) or known.keys() != outputs.keys():
        return False
    pairs = [(known[name], outputs[name]) for name in known]
    return all(isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and same_bits(a, b) for a, b in pairs)


def _copied(outputs: Any) -> Any:
    if not isinstance(outputs, dict):
        return outputs
    return {name: values.copy() if isinstance(values, np.ndarray) else values for name, values in outputs.items()}


def _plain(value: Any) -> Any:
    """Iterators are sent as lists."""
    return list(value) if isinstance(value, Iterator) else value
