"""Checks the output of a case on a target: run it, compare, judge the precision that ran, explain what is wrong.

The path of the data: case -> Target.build -> Engine.run -> compare -> verdict.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trt_conformance.checks import message
from trt_conformance.checks.engine_facts import basis_of, describe, further_bases
from trt_conformance.checks.explanation import Explanation
from trt_conformance.checks.finding import Finding
from trt_conformance.checks.in_pieces import WORKERS, compare_in_pieces
from trt_conformance.checks.memory_limit import cut_to_fit, fits_whole
from trt_conformance.checks.precision import UNKNOWN, arithmetic, judge_precision
from trt_conformance.checks.subject import Subject, judged
from trt_conformance.core.arrays import Array, Float64
from trt_conformance.core.tensors import INPUT, NUMPY_TYPE, OUTPUT, case_data
from trt_conformance.golden.computed import forget
from trt_conformance.numerics.bounds.basis import Basis, bound_on
from trt_conformance.numerics.bounds.epilogue import network_result
from trt_conformance.numerics.compare import Comparison, compare, figures_of, structure_faults
from trt_conformance.numerics.reference.epilogue import network_shape
from trt_conformance.numerics.reference.result import Result
from trt_conformance.numerics.reference.shape import layer_output
from trt_conformance.targets.protocols import EngineFacts


@judged("compare")
def check_forward(subject: Subject) -> Finding:
    """Every run shape's output is within the bound around the golden reference."""
    case = subject.case
    facts, described = describe(case, subject.runnable(case))
    basis = basis_of(case, facts)
    further = further_bases(case, facts)
    runs = _run_all(subject, basis, further)
    if runs.structure_faults:
        return _explain_structure(subject, facts, runs)
    assert runs.worst is not None
    figures = figures_of(runs.worst) | {"bound_for": basis} | described
    if further:
        figures["further_bound_for"] = list(further)
    if runs.probed:
        figures["arithmetic"] = runs.probed
    if runs.worst.passed:
        return judge_precision(case, subject.target.name, facts, runs.probed, figures | {"output_sha256": runs.sha256})
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


@dataclass
class _Run:
    """The outputs of one run, what is wrong with their structure, and the comparison where nothing is.

    ``golden`` is the layer's reference where it was computed or read as a whole; ``expected`` and ``limits`` are those
    of the network's output.
    """

    outputs: dict[str, Array]
    faults: Sequence[str]
    found: Comparison | None = None
    golden: Result | None = None
    expected: Float64 | None = None
    limits: Float64 | None = None


def _run_all(subject: Subject, basis: Basis, further: Sequence[Basis] | None) -> _Runs:
    """Run the case on each of its run shapes and compare the outputs, until one is wrong."""
    case, runs, bits = subject.case, _Runs(), hashlib.sha256()
    for index, shape in enumerate(case.run_shapes):
        is_whole = fits_whole(case, shape, subject.memory_limit)
        run = _run_whole(subject, index, basis, further) if is_whole else _run_cut(subject, index, basis, further)
        runs.structure_faults = run.faults
        if runs.structure_faults:
            if OUTPUT in run.outputs and run.golden is not None:
                runs.misshapen = index, run.golden, run.outputs[OUTPUT]
            break
        actual, found = run.outputs[OUTPUT], run.found
        assert found is not None
        bits.update(actual.reshape(-1).view(np.uint8).data)
        if not actual.size and len(case.run_shapes) > 1:  # an empty batch has a shape and a type, and no more
            continue
        runs.probed = runs.probed or arithmetic(case, actual)
        if runs.worst is None or not found.fraction <= runs.worst.fraction:
            runs.worst = found
        if not found.passed:
            if found.elements and run.golden is not None and run.expected is not None and run.limits is not None:
                runs.wrong = _Wrong(index, shape, run.golden, actual, run.expected, run.limits)
            break
    runs.sha256 = bits.hexdigest()[:16]
    return runs


def _run_whole(subject: Subject, index: int, basis: Basis, further: Sequence[Basis] | None) -> _Run:
    """Run a case and compare its output with its golden."""
    case = subject.case

    def expect() -> tuple[Result, Float64, Float64]:
        golden = subject.golden(case, index)
        limits = bound_on(case, golden, basis)
        return golden, *network_result(case, golden, limits, case.run_shapes[index], further)

    outputs, (golden, expected, limits) = subject.run_beside(case, index, expect)
    faults = structure_faults(outputs, OUTPUT, expected.shape, NUMPY_TYPE[case.data_type])
    found = None if faults else compare(outputs[OUTPUT], expected, limits)
    return _Run(outputs, faults, found, golden, expected, limits)


def _run_cut(subject: Subject, index: int, basis: Basis, further: Sequence[Basis] | None) -> _Run:
    """Run a case whose reference would exceed the memory limit, and compare its output in pieces.

    Raises:
        NotRun: not even a piece fits.
    """
    case, shape = subject.case, subject.case.run_shapes[index]
    assert subject.memory_limit is not None
    cut, workers = cut_to_fit(case, shape, subject.memory_limit, WORKERS)
    forget()
    data = case_data(case, shape)
    outputs = subject.feed(case, {INPUT: data.input})
    expected = network_shape(case, layer_output(case, shape), shape)
    faults = structure_faults(outputs, OUTPUT, expected, NUMPY_TYPE[case.data_type])
    found = None if faults else compare_in_pieces(case, data, outputs[OUTPUT], basis, cut, workers, further)
    return _Run(outputs, faults, found)


def _explain_structure(subject: Subject, facts: EngineFacts | None, runs: _Runs) -> Finding:
    """The names, the shape or the type are wrong: a fail with them, and with what explains them."""
    explanation, engine = Explanation(), message.engine_line(facts)
    if runs.misshapen is not None:
        index, golden, actual = runs.misshapen
        if not subject.is_known("forward", [*runs.structure_faults, *engine]):
            explanation.name_suspects(subject, subject.case, index, actual, golden)
    lines = [*runs.structure_faults, *explanation.lines, *engine]
    return Finding("fail", lines, explanation.figures)


def _explain(subject: Subject, facts: EngineFacts | None, runs: _Runs, figures: dict[str, Any]) -> Finding:
    """The values are wrong: a fail with them, and with what explains them."""
    assert runs.worst is not None
    explanation, wrong = Explanation(), runs.wrong
    lines, engine = message.mismatch(runs.worst), message.engine_line(facts)
    if runs.probed and runs.probed != UNKNOWN:
        lines.append(f"the values match those of {runs.probed} arithmetic")
    if wrong is not None:
        explanation.add_evidence(
            subject.case,
            wrong.shape,
            actual=wrong.actual,
            expected=wrong.expected,
            bound=wrong.limits,
            worst=runs.worst.worst,
        )
        if not subject.is_known("forward", [*lines, *engine]):
            explanation.name_suspects(subject, subject.case, wrong.index, wrong.actual, wrong.golden)
    lines += [*explanation.lines, *engine]
    return Finding("fail", lines, figures | {"as_if": []} | explanation.figures)
