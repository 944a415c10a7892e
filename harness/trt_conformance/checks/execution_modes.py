"""Every execution mode of an engine gives the bits of a plain run, also on an input that it has not seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from trt_conformance.checks.finding import Finding
from trt_conformance.checks.other_input import other_input
from trt_conformance.checks.subject import Subject, judged
from trt_conformance.core.arrays import Array
from trt_conformance.core.tensors import INPUT, OUTPUT, feeds_of
from trt_conformance.numerics.compare import same_bits
from trt_conformance.targets.errors import NotRun, Refused, TargetCrashed, TargetHung, TargetLost, Unsupported, named
from trt_conformance.targets.protocols import OTHER_OUTPUT, offers

TOGETHER = "together"
"""The name, among execution modes, of two runs at the same time."""

Feeds = Mapping[str, Array]


@judged("run", results=3)
def check_execution_modes(subject: Subject) -> Finding:
    """Every other execution mode of the engine, run after all run shapes, gives the bits of a plain run.

    The case's own input is run first, then another one. Modes take the other and the own in turn, so that each but the
    first gets an input that was not run just before. Then both run at the same time. What breaks in one mode is an
    error only where no other mode is wrong.
    """
    case = subject.case
    engine = subject.engine(case)
    if not offers(engine, "execution_modes", "run_in_mode"):
        return Finding("unsupported", ["the engine has a single execution mode"])
    own, *_ = [subject.run(case, index)[OUTPUT] for index in range(len(case.run_shapes))]
    feeds = feeds_of(case)
    others = feeds | {INPUT: other_input(case, case.run_shapes[0])}
    other = subject.feed(case, others)[OUTPUT]
    modes = _Modes()
    with subject.running(case):
        for number, mode in enumerate(engine.execution_modes()):
            given, wanted = (feeds, own) if number % 2 else (others, other)
            modes.attempt(mode, lambda m=mode, g=given: engine.run_in_mode(m, g), {OUTPUT: wanted})  # type: ignore[misc]
        if offers(engine, "run_together"):
            wanted_of_both = {OUTPUT: own, OTHER_OUTPUT: other}
            modes.attempt(TOGETHER, lambda: engine.run_together(feeds, others), wanted_of_both)
    return modes.finding()


class _Modes:
    """What the modes gave so far."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self._done: list[str] = []
        self._broken: list[str] = []
        self._left_out: dict[str, str] = {}

    def attempt(self, mode: str, run: Callable[[], Feeds], wanted: Feeds) -> None:
        """Run a mode and compare each output. Raises what ends the target's process."""
        try:
            outputs = run()
        except (Unsupported, NotRun) as reason:
            self._left_out[mode] = str(reason)
        except Refused as fault:
            self.faults.append(f"execution mode {mode}: refused: {fault}")
        except (TargetCrashed, TargetHung, TargetLost):
            raise
        except Exception as fault:  # the other modes are still run
            self._broken.append(f"execution mode {mode}: {named(fault)}")
        else:
            wrong = [name for name in wanted if name not in outputs or not same_bits(wanted[name], outputs[name])]
            for name in wrong:
                self.faults.append(f"execution mode {mode}: the bits of the {name} differ from those of a plain run")
            self._done += [] if wrong else [mode]

    def finding(self) -> Finding:
        figures = {"ways": self._done} | ({"ways_left_out": self._left_out} if self._left_out else {})
        lines = [line for text in (*self.faults, *self._broken) for line in text.splitlines()]
        return Finding("fail" if self.faults else "error" if self._broken else "pass", lines, figures)
