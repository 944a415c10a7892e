"""Every execution mode of an engine gives the same bits."""

from __future__ import annotations

from trt_conformance.checks.finding import Finding, finding
from trt_conformance.checks.subject import Subject, judged
from trt_conformance.core.tensors import OUTPUT, feeds_of
from trt_conformance.numerics.compare import same_bits
from trt_conformance.targets.protocols import offers


@judged("run", results=1)
def check_execution_modes(subject: Subject) -> Finding:
    """Every other execution mode of the engine, run after all run shapes, gives the bits of the first run."""
    case = subject.case
    engine = subject.engine(case)
    if not offers(engine, "execution_modes", "run_in_mode"):
        return Finding("unsupported", ["the engine has a single execution mode"])
    first = [subject.run(case, index)[OUTPUT] for index in range(len(case.run_shapes))]
    faults, done = [], []
    with subject.running(case):
        for mode in engine.execution_modes():
            if same_bits(first[0], engine.run_in_mode(mode, feeds_of(case))[OUTPUT]):
                done.append(mode)
            else:
                faults.append(f"execution mode {mode}: the output's bits differ from those of the first run")
    return finding(faults, ways=done)
