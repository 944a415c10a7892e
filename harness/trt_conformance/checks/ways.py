"""Every execution mode of an engine gives the same bits."""

from __future__ import annotations

from trt_conformance.checks.subject import Subject, judged
from trt_conformance.core.tensors import OUTPUT, feeds_of
from trt_conformance.core.verdict import Verdict
from trt_conformance.numerics.compare import same_bits
from trt_conformance.targets.protocols import (
    RunsInWays,
)


@judged("run")
def check_ways(subject: Subject) -> Verdict:
    """Every other way to run the engine, and a run after another shape, give the bits of the first run."""
    case = subject.case
    engine = subject.engine(case)
    if not isinstance(engine, RunsInWays):
        return subject.say("run", "unsupported", "the engine runs in one way only")
    first = [subject.run(case, index)[OUTPUT] for index in range(len(case.run_shapes))]
    faults, done = [], []
    with subject.running(case):
        for way in engine.ways():
            if same_bits(first[0], engine.run_way(way, feeds_of(case))[OUTPUT]):
                done.append(way)
            else:
                faults.append(f"{way.replace('_', ' ')}: other bits than the first run")
    if faults:
        return subject.say("run", "fail", faults, ways=done)
    return subject.say("run", "pass", ways=done)
