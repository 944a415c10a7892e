"""Runs a target in a process of its own, so that a crash or a hang costs one case and nothing else.

The parent sends method calls through a pipe and waits. If the worker dies, hangs past its time limit, or
meets a CUDA error that ends every later call, the call raises and the next one starts a fresh worker;
engines built in the old one are built again when they are asked for. What broke while engines were built
ahead is tried once more without, so that a build that crashes costs its own case and not the one beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from trt_conformance.core.arrays import Array
from trt_conformance.core.case import Case
from trt_conformance.targets.errors import TargetCrashed, TargetFault, TargetHung, TargetLost
from trt_conformance.targets.isolation.worker import HELLO, Worker
from trt_conformance.targets.options import Options
from trt_conformance.targets.protocols import EngineFacts, Target
from trt_conformance.targets.registry import resolve

T = TypeVar("T")

TIME_LIMIT = 300.0
CLOSE_S = 30.0
MOST_TOLD = 64


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
    worker = Worker(spec, options)
    return lambda: IsolatedTarget(spec, time_limit, options, worker)


class IsolatedTarget:
    """A target in a worker process, with the same protocols as the target itself."""

    def __init__(
        self,
        spec: str,
        time_limit: float = TIME_LIMIT,
        options: Options = Options(),  # noqa: B008 - frozen
        worker: Worker | None = None,
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
            setattr(self, capability, _Method(self.ask, "target", capability))
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
            self._told = {name: told for name, told in self._told.items() if name in self._sent}
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

    def ask(self, *message: Any) -> Any:
        """As `call`, but what is built beside it is not blamed on it."""
        return self.guarded(lambda: self.call(*message))

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
            self._worker = Worker(self.spec, self.options)
            self._sent = {}
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
        self._number, capabilities, self.origin, facts = answer
        self._generation = self._target.generation
        self._closed = False
        for capability in capabilities:
            if capability != "origin":
                setattr(self, capability, _Method(self.call, "engine", capability))
        if "describe" in capabilities:
            # What the engine said of itself came with it.
            self.describe: Callable[[], EngineFacts | None] = lambda: facts

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

    def __init__(self, ask: Callable[..., Any], kind: str, name: str) -> None:
        self._ask, self._kind, self._name = ask, kind, name

    def __call__(self, *arguments: Any) -> Any:
        return self._ask(self._kind, self._name, *arguments)
