"""Relations that every right convolution keeps, derived from the exact cases.

A relation makes of a case others whose outputs, put together, must be its own: on exact data to the bit, since
no order of summing and no kernel rounds anything. It needs no reference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np

from trt_conformance.checks import message
from trt_conformance.checks.relations import group_slices
from trt_conformance.checks.subject import Subject, judged
from trt_conformance.core.arrays import Array, Float64
from trt_conformance.core.case import Case, Dynamic, Formats, TensorSpec
from trt_conformance.core.tensors import INPUT, NUMPY_TYPE, OUTPUT, case_data
from trt_conformance.core.types import QUANTIZED_PRECISIONS, AttributeValue
from trt_conformance.core.verdict import Verdict
from trt_conformance.numerics.compare import compare, structure_faults
from trt_conformance.numerics.exactness import inexact
from trt_conformance.numerics.reference.shape import extent, resolve
from trt_conformance.targets.errors import Unsupported

Index = tuple[Any, ...]

ALL: Index = (...,)
FLOATS, QUANTIZED = 12, 2
"""Cases for each relation, float and of each quantized type: on a GPU each engine takes up to a second to build."""


@dataclass(frozen=True)
class Step:
    """One run: the case whose engine it is, and what is fed to it."""

    case: Case
    input: Array

    @property
    def is_exact(self) -> bool:
        values = tuple(self.input.astype(np.float64).ravel().tolist())
        source = TensorSpec.model_construct(shape=self.input.shape, values=values)
        return inexact(self.case.model_copy(update={"input": source})) is None


@dataclass(frozen=True)
class Derivation:
    """``combine`` makes of the outputs of ``parts`` what that of ``whole`` must be where ``seen`` looks."""

    whole: Step
    parts: tuple[Step, ...]
    combine: Callable[[Sequence[Float64]], Float64]
    seen: Index = ALL

    @property
    def steps(self) -> tuple[Step, ...]:
        return (*self.parts, self.whole)


Relation = Callable[[Case], Derivation | None]


def _first(outputs: Sequence[Float64]) -> Float64:
    return outputs[0]


def _input(case: Case) -> Array:
    return case_data(case, case.input.shape).input


def _named(case: Case, suffix: str, **changes: Any) -> Case:
    """The case changed, under an id of its own, since engines are kept by id."""
    return case.model_copy(update={"id": f"{case.base_id}_{suffix}-{case.precision}", **changes})


def identical_rows(case: Case) -> Derivation | None:
    """Every row of a batch of identical images gives what the first row gives among different ones."""
    x = _input(case)
    if len(x) < 2:
        return None
    repeated = np.ascontiguousarray(np.broadcast_to(x[:1], x.shape))
    return Derivation(Step(case, repeated), (Step(case, x),), lambda outputs: np.repeat(outputs[0][:1], len(x), axis=0))


def batch_of_one(case: Case) -> Derivation | None:
    """A batch gives what its images give alone."""
    x = _input(case)
    if len(x) < 2:
        return None
    alone = _named(case, "batch_of_one", input=case.input.model_copy(update={"shape": (1, *x.shape[1:])}))
    return Derivation(Step(case, x), tuple(Step(alone, row[None]) for row in x), np.concatenate)


def _profile(case: Case, wide: bool) -> Dynamic:
    """Every dimension but C dynamic: from one image to twice the size, or nothing but the input's own shape."""
    n, c, *sizes = case.input.shape
    own = (n, c, *sizes)
    return Dynamic(
        shape=(-1, c, *(-1 for _ in sizes)),
        min=(1, c, *sizes) if wide else own,
        opt=(n + 1, c, *(size + 3 for size in sizes)) if wide else own,
        max=(2 * n, c, *(2 * size + 3 for size in sizes)) if wide else own,
        run=(own,),
    )


def static_as_dynamic(case: Case) -> Derivation | None:
    """A static shape gives what it gives as one of many shapes of a profile."""
    x = _input(case)
    return Derivation(Step(case, x), (Step(_named(case, "wide", dynamic=_profile(case, wide=True)), x),), _first)


def narrow_as_wide_profile(case: Case) -> Derivation | None:
    """A profile of a single shape gives what a wide one gives."""
    x = _input(case)
    narrow, wide = (_named(case, word, dynamic=_profile(case, word == "wide")) for word in ("narrow", "wide"))
    return Derivation(Step(narrow, x), (Step(wide, x),), _first)


def groups_as_slices(case: Case) -> Derivation | None:
    """A grouped convolution gives its groups convolved alone, concatenated."""
    if case.attributes.groups == 1:
        return None
    slices = group_slices(case)
    return Derivation(
        Step(case, _input(case)),
        tuple(Step(part, _input(part)) for part in slices),
        lambda outputs: np.concatenate(outputs, axis=1),
    )


def mode_as_explicit_padding(case: Case) -> Derivation | None:
    """SAME, ROUND_UP and CAFFE modes give what their pads give when they are set, rounding down."""
    attributes = case.attributes
    if attributes.mode == "EXPLICIT_ROUND_DOWN":
        return None
    axes = resolve(case.input.shape, case.kernel.shape, attributes)
    sizes, window = case.input.shape[2:], case.kernel.shape[2:]
    reach = [axis.reach(f) for axis, f in zip(axes, window, strict=True)]
    pads = [max(0, end - axis.before - size) for end, axis, size in zip(reach, axes, sizes, strict=True)]
    kept = {name: value for name, value in case.set.items() if "padding" not in name}
    assignments = kept | {"pre_padding": tuple(axis.before for axis in axes), "post_padding": tuple(pads)}
    x = _input(case)
    return Derivation(Step(case, x), (Step(_named(case, "explicit", set=assignments), x),), _first)


def depth_1_as_slices(case: Case) -> Derivation | None:
    """A 3D convolution with a kernel of depth 1 gives the 2D convolution of each slice."""
    x = _input(case)
    if case.spatial_rank != 2 or len(x) < 2:
        return None
    slices = (x, np.roll(x, 1, axis=0))
    stacked = np.stack(slices, axis=2)
    (maps, channels, *window), neutral = case.kernel.shape, {"stride": 1, "dilation": 1}

    def deep(name: str, value: AttributeValue) -> AttributeValue:
        return (neutral.get(name.removesuffix("_nd"), 0), *value) if isinstance(value, tuple) else value

    lifted = _named(
        case,
        "depth_1",
        input=case.input.model_copy(update={"shape": stacked.shape}),
        kernel=case.kernel.model_copy(update={"shape": (maps, channels, 1, *window)}),
        set={name: deep(name, value) for name, value in case.set.items()},
    )
    return Derivation(
        Step(lifted, stacked), tuple(Step(case, part) for part in slices), lambda outputs: np.stack(outputs, axis=2)
    )


def _weights_given_as(way: str) -> Relation:
    def relation(case: Case) -> Derivation | None:
        if case.weights != "constructor":
            return None
        x = _input(case)
        return Derivation(Step(case, x), (Step(_named(case, way, weights=way), x),), _first)

    return relation


def _halves(x: Array) -> tuple[Array, Array]:
    """Two integer tensors whose sum is x, neither of them larger: their sums are exact where those of x are."""
    half = np.trunc(x.astype(np.float64) / 2)
    return half.astype(x.dtype), (x.astype(np.float64) - half).astype(x.dtype)


def _bias(case: Case) -> Float64 | float:
    bias = case_data(case).bias
    return 0.0 if bias is None else bias.astype(np.float64).reshape(-1, *(1,) * case.spatial_rank)


def multiple_of_input(case: Case) -> Derivation | None:
    """f(-2x) - b = -2 (f(x) - b): the layer is linear but for its bias."""
    if case.quantize:
        return None
    half, b = _halves(_input(case))[0], _bias(case)
    return Derivation(
        Step(case, (-2 * half).astype(half.dtype)), (Step(case, half),), lambda outputs: -2 * (outputs[0] - b) + b
    )


def sum_of_inputs(case: Case) -> Derivation | None:
    """f(x + y) = f(x) + f(y) - b: the layer is additive but for its bias."""
    if case.quantize:
        return None
    x, b = _input(case), _bias(case)
    parts = tuple(Step(case, half) for half in _halves(x))
    return Derivation(Step(case, x), parts, lambda outputs: outputs[0] + outputs[1] - b)


def shifted_input(case: Case) -> Derivation | None:
    """An input moved by the stride along every axis moves the output by one, where no window reaches what fell out."""
    x = _input(case)
    axes = resolve(x.shape, case.kernel.shape, case.attributes)
    moved, ends = np.zeros_like(x), []
    for axis, size, f in zip(axes, x.shape[2:], case.kernel.shape[2:], strict=True):
        last = (size - 1 + axis.before - (extent(f, axis.dilation) - 1)) // axis.stride
        ends.append(min(last + 1, axis.size))
        if ends[-1] < 2:
            return None
    free: Index = (..., *(slice(axis.stride, None) for axis in axes))
    kept: Index = (..., *(slice(None, -axis.stride) for axis in axes))
    moved[free] = x[kept]
    target: Index = (..., *(slice(1, end) for end in ends))
    source: Index = (..., *(slice(0, end - 1) for end in ends))
    return Derivation(Step(case, moved), (Step(case, x),), lambda outputs: outputs[0][source], target)


RELATIONS: dict[str, Relation] = {
    "identical_rows": identical_rows,
    "batch_of_one": batch_of_one,
    "static_as_dynamic": static_as_dynamic,
    "narrow_as_wide_profile": narrow_as_wide_profile,
    "groups_as_slices": groups_as_slices,
    "mode_as_explicit_padding": mode_as_explicit_padding,
    "depth_1_as_slices": depth_1_as_slices,
    "constructor_as_setters": _weights_given_as("setters"),
    "constructor_as_set_input": _weights_given_as("set_input"),
    "multiple_of_input": multiple_of_input,
    "sum_of_inputs": sum_of_inputs,
    "shifted_input": shifted_input,
}


@judged("compare")
def check_metamorphic(subject: Subject, name: str) -> Verdict:
    """A relation holds without any error between the target's own outputs.

    Args:
        subject: the case on its target.
        name: one of `RELATIONS`, which fits the case.
    """
    derivation = RELATIONS[name](subject.case)
    assert derivation is not None, f"{name} does not fit {subject.case.id}"
    for step in derivation.steps:  # built before any of them runs: without a GPU, that much is known
        reason = subject.target.supports(step.case)
        if reason is not None:
            raise Unsupported(reason)
        subject.engine(step.case)
    *parts, whole = (subject.feed(step.case, {INPUT: step.input})[OUTPUT] for step in derivation.steps)
    expected = derivation.combine([part.astype(np.float64) for part in parts])
    seen = {OUTPUT: whole[derivation.seen]}
    faults = structure_faults(seen, OUTPUT, expected.shape, NUMPY_TYPE[subject.case.data_type])
    if not faults:
        found = compare(seen[OUTPUT], expected, np.zeros_like(expected))
        faults = [] if found.passed else message.mismatch(found, f"by the relation {name}")
    if faults:
        return subject.say("compare", "fail", faults, relation=name)
    return subject.say("compare", "pass", relation=name)


def choose(cases: Sequence[Case]) -> list[tuple[str, Case]]:
    """Relations with cases that they fit: a few of each, from as many files and in as many precisions as there are."""
    floats = list(_spread(case for case in cases if not case.quantize))
    quantized = [
        list(_spread(case for case in cases if case.precision == precision)) for precision in QUANTIZED_PRECISIONS
    ]
    return [
        (name, case)
        for turn, name in enumerate(RELATIONS)
        for bases, limit in ((floats, FLOATS), *((group, QUANTIZED) for group in quantized))
        for case in _fitting(name, bases[turn:] + bases[:turn], limit)
    ]


def _fitting(name: str, bases: Sequence[Sequence[Case]], limit: int) -> list[Case]:
    """The first case that fits in all its precisions, and those after it each in the one whose turn it is."""
    chosen: list[Case] = []
    for base in bases:
        wanted = [base[len(chosen) % len(base)]] if chosen else base
        chosen += [case for case in wanted if _fits(name, case)]
        if len(chosen) >= limit:
            break
    return chosen


def _fits(name: str, case: Case) -> bool:
    if case.dynamic or case.deprecated or len(case.input.shape) != case.spatial_rank + 2:
        return False
    # What is lifted, sliced or given in another way has to be the layer alone, its bias a weight, its tensors linear.
    if case.epilogue or case.bias_by_set_input or case.formats != Formats() or case.declared_first or case.typing:
        return False
    derivation = RELATIONS[name](case)
    return derivation is not None and all(step.is_exact for step in derivation.steps)


def _spread(cases: Iterable[Case]) -> Iterator[list[Case]]:
    """Exact cases in all their precisions, one case of each file after the other."""
    files: dict[str, dict[str, list[Case]]] = {}
    for case in cases:
        if case.exact and case.reject is None:
            files.setdefault(case.file, {}).setdefault(case.base_id, []).append(case)
    for row in zip_longest(*(bases.values() for bases in files.values())):
        yield from (base for base in row if base is not None)
