"""The relations that a case states between its output and another case's output, or its own input."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from trt_conformance.checks import message
from trt_conformance.checks.engine_facts import output_limits
from trt_conformance.checks.finding import Finding, finding
from trt_conformance.checks.subject import Subject, judged
from trt_conformance.core.arrays import Array, Float64, widened
from trt_conformance.core.case import Case, Relation
from trt_conformance.core.quantization_fields import Quantize
from trt_conformance.core.tensors import OUTPUT, case_data
from trt_conformance.numerics.compare import Comparison, compare, same_bits
from trt_conformance.numerics.places import place
from trt_conformance.numerics.reference.result import reference
from trt_conformance.numerics.reference.shape import extent, resolve
from trt_conformance.targets.protocols import offers

Find = Callable[[str], Case]
"""Gives a case by its full id."""
MOST_PARTS = 64
"""Images or groups that a relation runs alone; of more it takes a sample."""


def sample(count: int) -> list[int]:
    """At most MOST_PARTS of the numbers below ``count``, spread evenly, the first and the last among them."""
    if count <= MOST_PARTS:
        return list(range(count))
    return [round(turn * (count - 1) / (MOST_PARTS - 1)) for turn in range(MOST_PARTS)]


def sampling(taken: Sequence[int], count: int, what: str) -> str:
    """States that a sample was taken; empty if it is complete."""
    return f"a sample of {len(taken)} of the {count} {what} was checked" if len(taken) < count else ""


@judged("compare", results=2)
def check_relation(subject: Subject, relation: Relation, find: Find) -> Finding:
    """The stated relation holds between the target's own outputs.

    Args:
        subject: the case on its target.
        relation: one of the case's relations.
        find: gives a case by its full id.
    """
    other = find(f"{relation.to}-{subject.case.precision}") if relation.to else None
    found = _RELATIONS[relation.kind](subject, other)
    return replace(found, figures={"relation": relation.kind})


def builds_of(case: Case) -> list[Case]:
    """The cases that the checks of a case's relations derive from it and build, in their order."""
    wanted = any(relation.kind == "group_slices" for relation in case.relations)
    return group_slices(case, sample(case.attributes.groups)) if wanted else []


def _output(subject: Subject, case: Case) -> Array:
    return subject.run(case)[OUTPUT]


def _limits(subject: Subject, case: Case) -> Float64:
    """The bound around a case's output, for the GPU kernel that its engine runs."""
    return output_limits(case, reference(case), subject.engine(case))


def _equal(subject: Subject, other: Case | None) -> Finding:
    assert other is not None
    mine, theirs = _output(subject, subject.case), _output(subject, other)
    if same_bits(mine, theirs):
        return finding([])
    if mine.shape != theirs.shape:
        return finding([f"the shape is {mine.shape}, but {other.id} gives {theirs.shape}"])
    if _kernel(subject, subject.case) != _kernel(subject, other):
        return _close(subject, mine, theirs, other)
    places = np.argwhere(mine != theirs)
    at = tuple(int(i) for i in places[0])
    return finding(
        [
            f"{len(places)}/{mine.size} elements differ from {other.id}, first at {place(at)}:",
            f"here {message.number(float(mine[at]))}, there {message.number(float(theirs[at]))}",
        ]
    )


def _kernel(subject: Subject, case: Case) -> str:
    """The GPU kernel that an engine chose for the convolution; empty if the target does not report it."""
    engine = subject.engine(case)
    facts = engine.describe() if offers(engine, "describe") else None
    return facts.convolution.kernel if facts is not None and facts.convolution is not None else ""


def _close(subject: Subject, mine: Array, theirs: Array, other: Case) -> Finding:
    """Two GPU kernels sum in different orders: their outputs differ by at most the sum of both bounds."""
    allowed = _limits(subject, subject.case) + _limits(subject, other)
    found = compare(mine, widened(theirs), allowed)
    return _matching(found, f"against {other.id}, which ran another GPU kernel")


def _matching(found: Comparison, what: str) -> Finding:
    return finding([] if found.passed else message.mismatch(found, what))


def _channel_sum(subject: Subject, other: Case | None) -> Finding:
    assert other is not None
    case = subject.case
    mine = _output(subject, case)
    theirs = widened(_output(subject, other))
    with np.errstate(invalid="ignore"):  # of outputs that are not finite
        total = theirs.sum(axis=1).reshape(mine.shape)
    allowed = _limits(subject, case) + _limits(subject, other).sum(axis=1).reshape(mine.shape)
    found = compare(mine, total, allowed)
    return _matching(found, f"against the sum of the channels of {other.id}")


def _group_slices(subject: Subject, other: Case | None) -> Finding:
    case, axis = subject.case, -subject.case.spatial_rank - 1
    subject.runnable(case)
    taken = sample(case.attributes.groups)
    maps = maps_of(case, taken)
    mine = np.take(_output(subject, case), maps, axis=axis)
    parts = group_slices(case, taken)
    joined = np.concatenate([_output(subject, part) for part in parts], axis=axis)
    alone = np.concatenate([_limits(subject, part) for part in parts], axis=axis)
    allowed = np.take(_limits(subject, case), maps, axis=axis) + alone
    found = _matching(
        compare(mine, widened(joined), allowed), "against its groups, convolved separately and concatenated"
    )
    stated = sampling(taken, case.attributes.groups, "groups")
    return replace(found, lines=[*found.lines, stated]) if stated else found


def maps_of(case: Case, groups: Sequence[int]) -> list[int]:
    """The output maps of these groups of a case."""
    size = case.kernel.shape[0] // case.attributes.groups
    return [group * size + number for group in groups for number in range(size)]


def group_slices(case: Case, chosen: Sequence[int] | None = None) -> list[Case]:
    """Each group of a grouped case, or each of the ``chosen`` ones, as a separate case with one group."""
    data = case_data(case)
    channel = -case.spatial_rank - 1
    groups = case.attributes.groups
    inputs = np.split(data.input.astype(np.float64), groups, axis=channel)
    kernels = np.split(data.kernel.astype(np.float64), groups, axis=0)
    biases = [None] * groups if data.bias is None else np.split(data.bias.astype(np.float64), groups)
    quantized = _split_scales(case.quantize, groups)
    slices = []
    for index in range(groups) if chosen is None else chosen:
        x, w, b, quantize = inputs[index], kernels[index], biases[index], quantized[index]
        fields = case.model_dump() | {
            "id": f"{case.base_id}_group_{index}-{case.precision}",
            "input": {"shape": x.shape, "values": x.ravel().tolist()},
            "kernel": {"shape": w.shape, "values": w.ravel().tolist()},
            "bias": "none" if b is None else {"values": b.tolist()},
            "set": case.set | {"num_groups": 1},
            "quantize": quantize,
        }
        slices.append(Case.model_validate(fields))
    return slices


def _split_scales(quantize: Quantize | None, groups: int) -> list[dict[str, Any] | None]:
    """The scales of each group: the groups share all scales but the kernel's, of which each output map may have one."""
    if quantize is None:
        return [None] * groups
    per_map = len(quantize.kernel) > 1
    kernels = np.split(np.asarray(quantize.kernel), groups) if per_map else [quantize.kernel] * groups
    return [quantize.model_dump() | {"kernel": tuple(map(float, kernel))} for kernel in kernels]


def _units_digit(subject: Subject, other: Case | None) -> Finding:
    case = subject.case
    mine = widened(_output(subject, case))
    x = case_data(case).input.astype(np.float64)
    axes = resolve(x.shape, case.kernel.shape, case.attributes)
    centers = [
        np.arange(a.size) * a.stride + extent(f, a.dilation) // 2 - a.before
        for a, f in zip(axes, case.kernel.shape[2:], strict=True)
    ]
    window: tuple[Any, ...] = (..., *np.ix_(*centers))
    seen = x[window]
    limits = _limits(subject, case)
    with np.errstate(invalid="ignore"):  # of outputs that are not finite
        # The exact result is within the bound around the output: its units digit is one of those in this range.
        lowest, highest = np.floor(mine - limits), np.floor(mine + limits)
        wrong = np.argwhere(~((seen - lowest) % 10 <= highest - lowest))
    if not wrong.size:
        return finding([])
    at = tuple(int(i) for i in wrong[0])
    return finding(
        [
            f"{len(wrong)}/{mine.size} outputs differ in their units digit from the input at the window's center,",
            f"first at {place(at)}: output {message.number(mine[at])}, input {message.number(seen[at])}",
        ]
    )


_RELATIONS: dict[str, Callable[[Subject, Case | None], Finding]] = {
    "equal": _equal,
    "channel_sum": _channel_sum,
    "group_slices": _group_slices,
    "units_digit": _units_digit,
}
