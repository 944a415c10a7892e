"""Runs a target in a process of its own, so that a crash or a hang costs one case and nothing else.

The parent sends method calls to a worker process and waits. If the worker dies, exceeds its time limit, sends something
else than one answer per call, or meets a CUDA error after which no call succeeds, the call raises and the next one
starts a fresh worker. Engines that were built in the old worker are built again when they are needed. A call that
failed while other engines were built ahead is repeated once without them, so that a build that crashes costs its own
case and no other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import prod
from typing import Any, TypeVar

from trt_conformance.core.arrays import Array
from trt_conformance.core.case import Case
from trt_conformance.core.errors import InvalidConvolution
from trt_conformance.numerics.reference.epilogue import network_shape
from trt_conformance.numerics.reference.shape import layer_output
from trt_conformance.targets.errors import TargetCrashed, TargetFault, TargetHung, TargetLost
from trt_conformance.targets.isolation import answers
from trt_conformance.targets.isolation.requests import Expected
from trt_conformance.targets.isolation.waiting import announced, say
from trt_conformance.targets.isolation.worker import HELLO, MOST_BYTES, Worker
from trt_conformance.targets.options import Options
from trt_conformance.targets.protocols import CAPABILITIES, EngineFacts, Tactic, TacticChoices, Target
from trt_conformance.targets.registry import resolve

T = TypeVar("T")

TIME_LIMIT = 300.0
SLOW_LIMIT_S = 120.0
"""The seconds of a build in a further process: short enough for the target to do it within its own limit afterwards."""
CLOSE_S = 30.0
MOST_REMEMBERED = 64

LOST = (TargetCrashed, TargetHung, TargetLost)

_Work = str | tuple[str, Tactic | None]
"""Work done ahead: a case's build by its id, a build with a tactic, or (None) the list of its tactics."""


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
    """Start to open a target, which takes seconds; returns a function that waits for it and raises as `open_target`."""
    if not isolated or spec == "numpy":
        return lambda: resolve(spec, options)
    return _started(spec, time_limit, options)


def start_elsewhere(spec: str, options: Options) -> Callable[[], IsolatedTarget]:
    """As `start_target`, for a target's own builds in a further process."""
    return _started(spec, SLOW_LIMIT_S, options)


def _started(spec: str, time_limit: float, options: Options) -> Callable[[], IsolatedTarget]:
    worker = Worker(spec, options, start_elsewhere)
    return lambda: IsolatedTarget(spec, time_limit, options, worker)


@contextmanager
def limited(target: Any, seconds: float) -> Iterator[None]:
    """Let each call of an isolated target take so many seconds at most, or its usual limit where that is less."""
    usual = getattr(target, "time_limit", None)
    if usual is None:  # it runs in this process, where nothing can end a call
        yield
        return
    target.time_limit = min(usual, seconds)
    try:
        yield
    finally:
        target.time_limit = usual


class IsolatedTarget:
    """A target in a worker process, with the members of the target itself."""

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
        self._ahead: set[_Work] = set()
        self._distrusted: set[_Work] = set()
        self._worker = worker
        self.generation = 0
        self._supported: dict[str, tuple[Case, str | None]] = {}
        self._sent: dict[str, Case] = {}
        self._last_case = ""
        self._condemned: dict[str, str] = {}
        try:
            name, capabilities = self.call(*HELLO)
        except BaseException:  # without a target, nothing else ends its worker
            self.close()
            raise
        self.name: str = name
        for capability in capabilities:
            if capability in CAPABILITIES:
                setattr(self, capability, _Method(self.ask, "target", capability))
        if "expect" in capabilities:
            self.expect = self._expect
        if "build_with" in capabilities:
            self.build_with = self._build_with
        if "tactics" in capabilities:
            self.tactics = self._tactics
        if "expect_tactics" in capabilities:
            self.expect_tactics = self._expect_tactics

    @property
    def is_alive(self) -> bool:
        """Whether there is a worker; the next call starts one where there is none."""
        return self._worker is not None

    def supports(self, case: Case) -> str | None:
        known, reason = self._supported.get(case.id, (None, None))
        if known is not case:
            reason = self.guarded(lambda: self.call("target", "supports", case))
            self._remember([(case, reason)])
        return reason

    def build(self, case: Case) -> IsolatedEngine:
        return IsolatedEngine(self, case)

    def _build_with(self, case: Case, tactic: Tactic) -> IsolatedEngine:
        return IsolatedEngine(self, case, tactic)

    def _expect(self, cases: Sequence[Case]) -> None:
        """Let the worker build these ahead, except those that may have broken one; record which of them it supports."""

        def send() -> list[Case]:
            trusted = [case for case in cases if case.id not in self._distrusted]
            held = self._sent if self.is_alive else {}
            new = [case for case in trusted if held.get(case.id) is not case]
            self._sent = {}  # until the call succeeds, the worker may have either list
            reasons = self.call("expect", [case.id for case in trusted], new)
            self._remember(zip(new, reasons, strict=True))
            self._sent = {case.id: case for case in trusted}
            return trusted

        self._ahead = {case.id for case in self.guarded(send)}

    def _tactics(self, case: Case) -> TacticChoices:
        self.claimed((case.id, None))
        found: TacticChoices = self.ask("target", "tactics", case)
        return found

    def _expect_tactics(self, asked: Sequence[tuple[Case, Tactic | None]]) -> None:
        """As `_expect`: work that may have broken a worker is left out."""

        def send() -> list[tuple[Case, Tactic | None]]:
            trusted = [(case, tactic) for case, tactic in asked if (case.id, tactic) not in self._distrusted]
            self.call("target", "expect_tactics", trusted)
            return trusted

        self._ahead = {(case.id, tactic) for case, tactic in self.guarded(send)}

    def _remember(self, supported: Iterable[tuple[Case, str | None]]) -> None:
        """Store the worker's answers about cases, and drop old ones."""
        if len(self._supported) > MOST_REMEMBERED:
            self._supported = {name: known for name, known in self._supported.items() if name in self._sent}
        self._supported |= {case.id: (case, reason) for case, reason in supported}

    def guarded(self, attempt: Callable[[], T]) -> T:
        """Attempt something; repeat it with nothing built ahead if such a build may have ended the worker."""
        try:
            return attempt()
        except LOST:
            if not self._ahead:
                raise
            self._distrusted |= self._ahead
            self._ahead = set()
            return attempt()

    def ask(self, *message: Any) -> Any:
        """As `call`, but a fault of an engine that is built ahead is not attributed to it."""
        return self.guarded(lambda: self.call(*message))

    def claimed(self, work: _Work) -> None:
        """Something is built because it is needed: from now on a crash may be its own."""
        self._ahead.discard(work)

    def settle(self, case: str = "") -> None:
        """End a worker that has sent an answer too many, which the case of the last call caused; then begin a call.

        Raises TargetCrashed if ``case`` is one that caused it earlier.
        """
        if self._worker is not None and self._worker.has_surplus():
            self.close()
            if self._last_case:
                self._condemned[self._last_case] = (
                    f"the process was killed because it sent more than one answer to a call (of {self._last_case})"
                )
        self._last_case = case
        if case in self._condemned:
            raise TargetCrashed(self._condemned[case])

    def call(self, *message: Any, most_bytes: int = MOST_BYTES) -> Any:
        """Call the worker, starting it where there is none. ``most_bytes`` bounds the arrays of its answer.

        Raises:
            TargetCrashed, TargetHung: the worker is gone.
            TargetFault: the target raised something of its own.
            Refused, Unsupported, NotRun, ConformanceError: as the target raised them.
        """
        case = next((part.id for part in message if isinstance(part, Case)), self._last_case)
        self.settle(case)
        if self._worker is None:
            self._worker = Worker(self.spec, self.options, start_elsewhere)
            self._sent = {}
            self.generation += 1
        worker, sent = self._worker, tuple(map(self._as_sent, message))
        return self._answered(message, lambda: worker.ask(sent, self.time_limit, most_bytes))

    def _as_sent(self, part: Any) -> Any:
        """A part of a message: in place of a case that the worker expects, only its id."""
        return Expected(part.id) if isinstance(part, Case) and self._sent.get(part.id) is part else part

    def begin(self, *message: Any, most_bytes: int = MOST_BYTES) -> Callable[[], Any]:
        """Call a worker that is there, and wait for the answer in the function that is returned; raises as `call`.

        No other call may be made before that.
        """
        worker = self._worker
        assert worker is not None
        self._answered(message, lambda: worker.post(message, self.time_limit))
        return lambda: self._answered(message, lambda: worker.collect(message, self.time_limit, most_bytes))

    def _answered(self, message: tuple[Any, ...], transfer: Callable[[], answers.Answer | None]) -> Any:
        """What a transfer to or from the worker gives. Raises as `call`."""
        try:
            answer = transfer()
        except (TargetCrashed, TargetHung):
            self._worker = None
            raise
        except KeyboardInterrupt:  # the answer is still to come, and no later call may receive it
            self.close()
            raise
        if answer is None:
            return None
        if answer.kind == "sticky":
            self.close()
            raise TargetLost(answers.text_of(answer.value))
        return answers.result(answer, answers.method_of(message))

    def release(self, number: int) -> None:
        """Let the worker close an engine, and do not wait for it."""
        if self._worker is not None:
            try:
                self._worker.tell(("close", number))
            except TargetHung:  # nothing waits for the engine's end; the next call starts a fresh worker
                self._worker = None

    def close(self) -> None:
        """End the worker at once."""
        if self._worker is not None:
            self._worker.kill()
            self._worker = None

    def finish(self) -> None:
        """Let the target save what it learned, then end the worker. Says so on stderr where that takes long."""
        if self._worker is not None:
            what = f"target {self.name} to close; its process is killed after {CLOSE_S:g} s"
            with announced(what):
                try:
                    self._worker.ask(("finish",), CLOSE_S)
                except LOST as fault:
                    say(f"target {self.name} did not close: {fault}")
        self.close()


class IsolatedEngine:
    """An engine in the worker, built again where the worker that contained it is gone."""

    def __init__(self, target: IsolatedTarget, case: Case, tactic: Tactic | None = None) -> None:
        """``tactic`` is what to build it with; None leaves the choice to the builder."""
        self._target, self._case = target, case
        self._work: _Work = case.id if tactic is None else (case.id, tactic)
        self._how = ("build", case) if tactic is None else ("build_with", case, tactic)
        self._build()

    def _build(self) -> None:
        self._target.claimed(self._work)
        answer = self._target.guarded(lambda: self._target.call(*self._how))
        self._number, capabilities, self.origin, facts = answer
        self._generation = self._target.generation
        self._closed = False
        for capability in capabilities:
            if capability in CAPABILITIES and capability not in ("origin", "describe"):
                setattr(self, capability, _Method(self.call, "engine", capability))
        if "describe" in capabilities:
            # The facts came with the engine.
            self.describe: Callable[[], EngineFacts | None] = lambda: facts

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        outputs: dict[str, Array] = self.call("engine", "run", dict(feeds))
        return outputs

    def begin_run(self, feeds: Mapping[str, Array]) -> Callable[[], dict[str, Array]]:
        """As `run`, which the function that is returned waits for. No other call may be made before that."""
        begun = [self._target.guarded(lambda: self._call(self._target.begin, "engine", "run", dict(feeds)))]

        def attempt() -> Any:
            return begun.pop()() if begun else self._call(self._target.call, "engine", "run", dict(feeds))

        return lambda: self._target.guarded(attempt)

    def run_each(self, batch: Sequence[Mapping[str, Array]], order: Sequence[int]) -> list[dict[str, Array]]:
        """The outputs of runs on inputs of a batch, in the given order, in one call and within its time limit."""
        found: list[dict[str, Array]] = self.call("engine", "run_each", list(map(dict, batch)), list(order))
        if len(found) != len(order):
            raise TargetFault(f"{len(order)} runs were asked for, and the outputs of {len(found)} were sent")
        return found

    def call(self, kind: str, method: str, *arguments: Any) -> Any:
        return self._target.guarded(lambda: self._call(self._target.call, kind, method, *arguments))

    def _call(self, call: Callable[..., Any], kind: str, method: str, *arguments: Any) -> Any:
        self._target.settle(self._case.id)
        if not self._is_here:
            self._build()
        return call(kind, self._number, method, *arguments, most_bytes=largest_answer(self._case))

    def close(self) -> None:
        if self._is_here and not self._closed:
            self._target.release(self._number)
        self._closed = True

    @property
    def _is_here(self) -> bool:
        """Whether the worker that built the engine is still the one that answers."""
        return self._generation == self._target.generation and self._target.is_alive


def largest_answer(case: Case) -> int:
    """Bytes that a case's outputs may take: far more than they should, so that a wrong output is still compared."""
    try:
        shapes = [layer_output(case, shape) for shape in case.run_shapes]
        sizes = [prod(network_shape(case, y, x)) for y, x in zip(shapes, case.run_shapes, strict=True)]
    except InvalidConvolution:
        return MOST_BYTES
    return MOST_BYTES + 16 * max(sizes, default=0)


class _Method:
    """A method of the worker's target or engine, callable here."""

    def __init__(self, ask: Callable[..., Any], kind: str, name: str) -> None:
        self._ask, self._kind, self._name = ask, kind, name

    def __call__(self, *arguments: Any) -> Any:
        return self._ask(self._kind, self._name, *arguments)
