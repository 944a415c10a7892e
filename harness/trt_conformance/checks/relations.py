"""How a case's output relates to another's, or to its own input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from trt_conformance.checks import message
from trt_conformance.checks.subject import Subject, judged
from trt_conformance.core.arrays import Array
from trt_conformance.core.case import Case, Quantize, Relation
from trt_conformance.core.tensors import OUTPUT, case_data
from trt_conformance.core.verdict import Verdict
from trt_conformance.numerics.bounds.elementwise import bound
from trt_conformance.numerics.compare import compare, same_bits
from trt_conformance.numerics.places import place
from trt_conformance.numerics.reference.result import reference
from trt_conformance.numerics.reference.shape import extent, resolve
from trt_conformance.targets.protocols import offers

Find = Callable[[str], Case]


@judged("compare")
def check_relation(subject: Subject, relation: Relation, find: Find) -> Verdict:
    """The stated relation holds on the target's own outputs.

    Args:
        subject: the case on its target.
        relation: one of the case's relations.
        find: gives a case by its full id.
    """
    other = find(f"{relation.to}-{subject.case.precision}") if relation.to else None
    fault = _RELATIONS[relation.kind](subject, other)
    if fault:
        return subject.say("compare", "fail", fault, relation=relation.kind)
    return subject.say("compare", "pass", relation=relation.kind)


def _output(subject: Subject, case: Case) -> Array:
    return subject.run(case)[OUTPUT]


def _equal(subject: Subject, other: Case | None) -> list[str]:
    assert other is not None
    mine, theirs = _output(subject, subject.case), _output(subject, other)
    if same_bits(mine, theirs):
        return []
    if mine.shape != theirs.shape:
        return [f"the shape is {mine.shape}, but {other.id} gives {theirs.shape}"]
    if _kernel(subject, subject.case) != _kernel(subject, other):
        return _close(subject, mine, theirs, other)
    places = np.argwhere(mine != theirs)
    at = tuple(int(i) for i in places[0])
    return [
        f"{len(places)}/{mine.size} elements differ from {other.id}, first at {place(at)}:",
        f"here {message.number(float(mine[at]))}, there {message.number(float(theirs[at]))}",
    ]


def _kernel(subject: Subject, case: Case) -> str:
    """The convolution kernel that an engine chose; empty where the target does not say."""
    engine = subject.engine(case)
    facts = engine.describe() if offers(engine, "describe") else None
    return facts.convolution.kernel if facts is not None and facts.convolution is not None else ""


def _close(subject: Subject, mine: Array, theirs: Array, other: Case) -> list[str]:
    """Two kernels sum in different orders: their results differ by no more than both bounds."""
    case = subject.case
    allowed = bound(case, reference(case)) + bound(other, reference(other))
    found = compare(mine, theirs.astype(np.float64), allowed)
    return [] if found.passed else message.mismatch(found, f"against {other.id}, which ran another kernel")


def _channel_sum(subject: Subject, other: Case | None) -> list[str]:
    assert other is not None
    case = subject.case
    mine = _output(subject, case)
    theirs = _output(subject, other).astype(np.float64)
    total = theirs.sum(axis=1).reshape(mine.shape)
    allowed = bound(case, reference(case)) + bound(other, reference(other)).sum(axis=1).reshape(mine.shape)
    found = compare(mine, total, allowed)
    return [] if found.passed else message.mismatch(found, f"against the sum of the channels of {other.id}")


def _group_slices(subject: Subject, other: Case | None) -> list[str]:
    case = subject.case
    mine = _output(subject, case)
    alone = [_output(subject, part) for part in group_slices(case)]
    joined = np.concatenate(alone, axis=-case.spatial_rank - 1)
    found = compare(mine, joined.astype(np.float64), 2 * bound(case, reference(case)))
    return [] if found.passed else message.mismatch(found, "against its groups convolved alone and concatenated")


def group_slices(case: Case) -> list[Case]:
    """Each group of a grouped case as a case of its own, with one group."""
    data = case_data(case)
    channel = -case.spatial_rank - 1
    groups = case.attributes.groups
    inputs = np.split(data.input.astype(np.float64), groups, axis=channel)
    kernels = np.split(data.kernel.astype(np.float64), groups, axis=0)
    biases = [None] * groups if data.bias is None else np.split(data.bias.astype(np.float64), groups)
    quantized = _split_scales(case.quantize, groups)
    slices = []
    for index, (x, w, b, quantize) in enumerate(zip(inputs, kernels, biases, quantized, strict=True)):
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
    """The scales of each group: all share them, but for those that each output map has of its own."""
    if quantize is None:
        return [None] * groups
    per_map = len(quantize.kernel) > 1
    kernels = np.split(np.asarray(quantize.kernel), groups) if per_map else [quantize.kernel] * groups
    return [quantize.model_dump() | {"kernel": tuple(map(float, kernel))} for kernel in kernels]


def _units_digit(subject: Subject, other: Case | None) -> list[str]:
    case = subject.case
    x, mine = case_data(case).input.astype(np.float64), _output(subject, case).astype(np.float64)
    axes = resolve(x.shape, case.kernel.shape, case.attributes)
    centres = [
        np.arange(a.size) * a.stride + extent(f, a.dilation) // 2 - a.before
        for a, f in zip(axes, case.kernel.shape[2:], strict=True)
    ]
    window: tuple[Any, ...] = (..., *np.ix_(*centres))
    seen = x[window]
    wrong = np.argwhere(np.floor(mine) % 10 != seen)
    if not wrong.size:
        return []
    at = tuple(int(i) for i in wrong[0])
    return [
        f"{len(wrong)}/{mine.size} outputs have another units digit than the input under the window's centre,",
        f"first at {place(at)}: output {message.number(mine[at])}, input {message.number(seen[at])}",
    ]


_RELATIONS: dict[str, Callable[[Subject, Case | None], list[str]]] = {
    "equal": _equal,
    "channel_sum": _channel_sum,
    "group_slices": _group_slices,
    "units_digit": _units_digit,
}
