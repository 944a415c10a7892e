"""Checks the output of a case on a target: run it, compare, judge the precision that ran, explain what is wrong.

The path of the data: case -> Target.build -> Engine.run -> compare -> verdict.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from trt_conformance.checks import message
from trt_conformance.checks.engine_facts import basis_of, describe
from trt_conformance.checks.explanation import Explanation
from trt_conformance.checks.finding import Finding
from trt_conformance.checks.precision import UNKNOWN, arithmetic, judge_precision
from trt_conformance.checks.subject import Subject, judged
from trt_conformance.core.arrays import Array, Float64
from trt_conformance.core.tensors import NUMPY_TYPE, OUTPUT
from trt_conformance.numerics.bounds.basis import Basis, bound_on
from trt_conformance.numerics.compare import Comparison, compare, figures_of, structure_faults
from trt_conformance.numerics.reference.epilogue import network_result
from trt_conformance.numerics.reference.result import Result
from trt_conformance.targets.protocols import EngineFacts


@judged("compare")
def check_forward(subject: Subject) -> Finding:
    """Every run shape's output lies within the bound around the golden reference."""
    case = subject.case
    facts, described = describe(case, subject.runnable(case))
    basis = basis_of(case, facts)
    runs = _run_all(subject, basis)
    if runs.structure_faults:
        return _explain_structure(subject, facts, runs)
    assert runs.worst is not None
    figures = figures_of(runs.worst) | {"bound_for": basis} | described
    if runs.probed:
        figures["arithmetic"] = runs.probed
    if runs.worst.passed:
        return judge_precision(case, facts, runs.probed, figures | {"output_sha256": runs.sha256})
    return _explain(subject, facts, runs, figures)


@dataclass
class _Wrong:
    """A run whose output is not within the bound."""

    index: int
    shape: Sequence[int]
    golden: Result
    actual: Array
    expected: Float64
    limits: Float64


@dataclass
class _Runs:
    """What the runs of a case gave, up to the first wrong one: the worst comparison, and a hash of all outputs."""

    structure_faults: Sequence[str] = ()
    misshapen: tuple[int, Result, Array] | None = None
    worst: Comparison | None = None
    wrong: _Wrong | None = None
    probed: str | None = None
    sha256: str = ""


def _run_all(subject: Subject, basis: Basis) -> _Runs:
    """Run the case on each of its run shapes and compare the outputs, until one is wrong."""
    case, runs, bits = subject.case, _Runs(), hashlib.sha256()
    for index, shape in enumerate(case.run_shapes):
        golden = subject.golden(case, index)
        outputs = subject.run(case, index)
        expected, limits = network_result(case, golden, bound_on(case, golden, basis), shape)
        runs.structure_faults = structure_faults(outputs, OUTPUT, expected.shape, NUMPY_TYPE[case.data_type])
        if runs.structure_faults:
            runs.misshapen = (index, golden, outputs[OUTPUT]) if OUTPUT in outputs else None
            break
        actual = outputs[OUTPUT]
        bits.update(actual.tobytes())
        if not expected.size and len(case.run_shapes) > 1:  # an empty batch has a shape and a type, and no more
            continue
        runs.probed = runs.probed or arithmetic(case, actual)
        found = compare(actual, expected, limits)
        if runs.worst is None or not found.fraction <= runs.worst.fraction:
            runs.worst = found
        if not found.passed:
            runs.wrong = _Wrong(index, shape, golden, actual, expected, limits) if found.elements else None
            break
    runs.sha256 = bits.hexdigest()[:16]
    return runs


def _explain_structure(subject: Subject, facts: EngineFacts | None, runs: _Runs) -> Finding:
    """The names, the shape or the type are wrong: a fail with them, and with what explains them."""
    explanation = Explanation()
    if runs.misshapen is not None:
        index, golden, actual = runs.misshapen
        explanation.name_suspects(subject, subject.case, index, actual, golden)
    lines = [*runs.structure_faults, *explanation.lines, *message.engine_line(facts)]
    return Finding("fail", lines, explanation.figures)


def _explain(subject: Subject, facts: EngineFacts | None, runs: _Runs, figures: dict[str, Any]) -> Finding:
    """The values are wrong: a fail with them, and with what explains them."""
    assert runs.worst is not None
    explanation, wrong = Explanation(), runs.wrong
    if wrong is not None:
        explanation.add_evidence(
            subject.case,
            wrong.shape,
            actual=wrong.actual,
            expected=wrong.expected,
            bound=wrong.limits,
            worst=runs.worst.worst,
        )
        explanation.name_suspects(subject, subject.case, wrong.index, wrong.actual, wrong.golden)
    lines = message.mismatch(runs.worst)
    if runs.probed and runs.probed != UNKNOWN:
        lines.append(f"the values match those of {runs.probed} arithmetic")
    lines += [*explanation.lines, *message.engine_line(facts)]
    return Finding("fail", lines, figures | {"as_if": []} | explanation.figures)
