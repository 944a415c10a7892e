"""Relations between outputs that every correct convolution satisfies, derived from the exact cases.

A relation derives other cases from a case; their outputs, combined, must equal the case's own output. On exact data
they must be equal to the bit, since nothing is rounded in any order of summation. No reference is needed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from trt_conformance.checks import message
from trt_conformance.checks.engine_facts import basis_on, limits_of
from trt_conformance.checks.finding import Finding
from trt_conformance.checks.relations import group_slices, maps_of, sample, sampling
from trt_conformance.checks.subject import Subject, judged
from trt_conformance.core.arrays import Array, Float64, widened
from trt_conformance.core.case import Case, Dynamic, TensorSpec
from trt_conformance.core.tensors import INPUT, NUMPY_TYPE, OUTPUT, case_data
from trt_conformance.core.types import AttributeValue
from trt_conformance.numerics.bounds.basis import is_transform
from trt_conformance.numerics.compare import Comparison, compare, structure_faults
from trt_conformance.numerics.exactness import inexact
from trt_conformance.numerics.reference.result import reference
from trt_conformance.numerics.reference.shape import extent, resolve
from trt_conformance.targets.errors import Unsupported
from trt_conformance.targets.protocols import Engine

Index = tuple[Any, ...]

ALL: Index = (...,)


@dataclass(frozen=True)
class Step:
    """One run: the case that is built, and the input that its engine is given."""

    case: Case
    input: Array

    @property
    def given(self) -> Case:
        """The case with this input in place of its own."""
        values = tuple(self.input.astype(np.float64).ravel().tolist())
        source = TensorSpec.model_construct(shape=self.input.shape, values=values)
        return self.case.model_copy(update={"input": source})

    @property
    def is_exact(self) -> bool:
        """Whether no order of summation rounds anything."""
        return inexact(self.given) is None


@dataclass(frozen=True)
class Derivation:
    """``combine`` computes, from the outputs of ``parts``, what the output of ``whole`` must be at the index ``seen``.

    ``sampled`` states which part of the relation is checked, where that is not all of it.
    """

    whole: Step
    parts: tuple[Step, ...]
    combine: Callable[[Sequence[Float64]], Float64]
    seen: Index = ALL
    sampled: str = ""

    @property
    def steps(self) -> tuple[Step, ...]:
        """Every run, that of the whole last."""
        return (*self.parts, self.whole)


Derive = Callable[[Case], Derivation | None]
"""Derives the runs of a relation from a case; None if the relation does not apply to it."""


def _first(outputs: Sequence[Float64]) -> Float64:
    return outputs[0]


def given_input(case: Case) -> Array:
    """The input that a case states, in the type of the network."""
    return case_data(case, case.input.shape).input


def _named(case: Case, suffix: str, **changes: Any) -> Case:
    """The case with changed fields and another id, since engines are stored by id."""
    return case.model_copy(update={"id": f"{case.base_id}_{suffix}-{case.precision}", **changes})


def identical_rows(case: Case) -> Derivation | None:
    """In a batch of identical images, every image gives what the first one gives in a batch of different images."""
    x = given_input(case)
    if len(x) < 2:
        return None
    repeated = np.ascontiguousarray(np.broadcast_to(x[:1], x.shape))
    return Derivation(Step(case, repeated), (Step(case, x),), lambda outputs: np.repeat(outputs[0][:1], len(x), axis=0))


def batch_of_one(case: Case) -> Derivation | None:
    """A batch gives what each of its images gives separately."""
    x = given_input(case)
    if len(x) < 2:
        return None
    alone = _named(case, "batch_of_one", input=case.input.model_copy(update={"shape": (1, *x.shape[1:])}))
    taken = sample(len(x))
    return Derivation(
        Step(case, x),
        tuple(Step(alone, x[number][None]) for number in taken),
        np.concatenate,
        ALL if len(taken) == len(x) else (taken,),
        sampling(taken, len(x), "images"),
    )


def _profile(case: Case, wide: bool) -> Dynamic:
    """A profile with every dimension but C dynamic: from one image to twice the size, or only the input's shape."""
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
    """A static shape gives what the same shape gives under a wide dynamic profile."""
    x = given_input(case)
    return Derivation(Step(case, x), (Step(_named(case, "wide", dynamic=_profile(case, wide=True)), x),), _first)


def narrow_as_wide_profile(case: Case) -> Derivation | None:
    """A profile of a single shape gives what a wide profile gives."""
    x = given_input(case)
    narrow, wide = (_named(case, word, dynamic=_profile(case, word == "wide")) for word in ("narrow", "wide"))
    return Derivation(Step(narrow, x), (Step(wide, x),), _first)


def groups_as_slices(case: Case) -> Derivation | None:
    """A grouped convolution gives the concatenation of its groups, each convolved separately."""
    if case.attributes.groups == 1:
        return None
    groups = case.attributes.groups
    taken = sample(groups)
    return Derivation(
        Step(case, given_input(case)),
        tuple(Step(part, given_input(part)) for part in group_slices(case, taken)),
        lambda outputs: np.concatenate(outputs, axis=1),
        ALL if len(taken) == groups else (slice(None), maps_of(case, taken)),
        sampling(taken, groups, "groups"),
    )


def mode_as_explicit_padding(case: Case) -> Derivation | None:
    """The SAME, ROUND_UP and CAFFE modes give what EXPLICIT_ROUND_DOWN gives with the padding that they imply."""
    attributes = case.attributes
    if attributes.mode == "EXPLICIT_ROUND_DOWN":
        return None
    axes = resolve(case.input.shape, case.kernel.shape, attributes)
    sizes, window = case.input.shape[2:], case.kernel.shape[2:]
    reach = [axis.reach(f) for axis, f in zip(axes, window, strict=True)]
    pads = [max(0, end - axis.before - size) for end, axis, size in zip(reach, axes, sizes, strict=True)]
    others = {name: value for name, value in case.set.items() if "padding" not in name}
    assignments = others | {"pre_padding": tuple(axis.before for axis in axes), "post_padding": tuple(pads)}
    x = given_input(case)
    return Derivation(Step(case, x), (Step(_named(case, "explicit", set=assignments), x),), _first)


def depth_1_as_slices(case: Case) -> Derivation | None:
    """A 3D convolution with a kernel of depth 1 gives the 2D convolution of each slice."""
    x = given_input(case)
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


def _weights_given_by(how: str) -> Derive:
    def derive(case: Case) -> Derivation | None:
        if case.weights != "constructor":
            return None
        x = given_input(case)
        return Derivation(Step(case, x), (Step(_named(case, how, weights=how), x),), _first)

    return derive


def _halves(x: Array) -> tuple[Array, Array]:
    """Two integer tensors whose sum is x, neither of larger magnitude: their sums are exact where those of x are."""
    half = np.trunc(x.astype(np.float64) / 2)
    return half.astype(x.dtype), (x.astype(np.float64) - half).astype(x.dtype)


def _bias(case: Case) -> Float64 | float:
    bias = case_data(case).bias
    return 0.0 if bias is None else bias.astype(np.float64).reshape(-1, *(1,) * case.spatial_rank)


def multiple_of_input(case: Case) -> Derivation | None:
    """f(-2x) - b = -2 (f(x) - b): the layer without its bias is linear."""
    if case.quantize:
        return None
    half, b = _halves(given_input(case))[0], _bias(case)
    return Derivation(
        Step(case, (-2 * half).astype(half.dtype)), (Step(case, half),), lambda outputs: -2 * (outputs[0] - b) + b
    )


def sum_of_inputs(case: Case) -> Derivation | None:
    """f(x + y) = f(x) + f(y) - b: the layer without its bias is additive."""
    if case.quantize:
        return None
    x, b = given_input(case), _bias(case)
    parts = tuple(Step(case, half) for half in _halves(x))
    return Derivation(Step(case, x), parts, lambda outputs: outputs[0] + outputs[1] - b)


def shifted_input(case: Case) -> Derivation | None:
    """An input shifted by the stride shifts the output by one, where no window reads what was shifted out."""
    x = given_input(case)
    axes = resolve(x.shape, case.kernel.shape, case.attributes)
    moved, ends = np.zeros_like(x), []
    for axis, size, f in zip(axes, x.shape[2:], case.kernel.shape[2:], strict=True):
        last = (size - 1 + axis.before - (extent(f, axis.dilation) - 1)) // axis.stride
        ends.append(min(last + 1, axis.size))
        if ends[-1] < 2:
            return None
    free: Index = (..., *(slice(axis.stride, None) for axis in axes))
    rest: Index = (..., *(slice(None, -axis.stride) for axis in axes))
    moved[free] = x[rest]
    target: Index = (..., *(slice(1, end) for end in ends))
    source: Index = (..., *(slice(0, end - 1) for end in ends))
    return Derivation(Step(case, moved), (Step(case, x),), lambda outputs: outputs[0][source], target)


RELATIONS: dict[str, Derive] = {
    "identical_rows": identical_rows,
    "batch_of_one": batch_of_one,
    "static_as_dynamic": static_as_dynamic,
    "narrow_as_wide_profile": narrow_as_wide_profile,
    "groups_as_slices": groups_as_slices,
    "mode_as_explicit_padding": mode_as_explicit_padding,
    "depth_1_as_slices": depth_1_as_slices,
    "constructor_as_setters": _weights_given_by("setters"),
    "constructor_as_set_input": _weights_given_by("set_input"),
    "multiple_of_input": multiple_of_input,
    "sum_of_inputs": sum_of_inputs,
    "shifted_input": shifted_input,
}


def builds_of(name: str, case: Case) -> list[Case]:
    """The cases that the check of a relation builds, in its order. A relation that does not apply builds none."""
    derivation = RELATIONS[name](case)
    return [] if derivation is None else [step.case for step in derivation.steps]


@judged("compare", results=2)
def check_metamorphic(subject: Subject, name: str) -> Finding:
    """A relation holds between the target's own outputs, without any error but that of transforms.

    Args:
        subject: the case on its target.
        name: one of `RELATIONS` that applies to the case.
    """
    derivation = RELATIONS[name](subject.case)
    assert derivation is not None, f"{name} does not apply to {subject.case.id}"
    for step in derivation.steps:  # build all before any runs: builds can be checked without a GPU
        reason = subject.target.supports(step.case)
        if reason is not None:
            raise Unsupported(reason)
        subject.engine(step.case)
    *parts, whole = (subject.feed(step.case, {INPUT: step.input})[OUTPUT] for step in derivation.steps)
    with np.errstate(invalid="ignore"):  # of outputs that are not finite
        expected = derivation.combine([widened(part) for part in parts])
    seen = {OUTPUT: whole[derivation.seen]}
    faults = structure_faults(seen, OUTPUT, expected.shape, NUMPY_TYPE[subject.case.data_type])
    if not faults:
        found = compare(seen[OUTPUT], expected, _allowed(subject, derivation, parts, expected))
        faults = [] if found.passed else _mismatch(found, name, derivation, whole.shape)
    lines = [*faults, derivation.sampled] if derivation.sampled else faults
    return Finding("fail" if faults else "pass", lines, {"relation": name})


def _allowed(subject: Subject, derivation: Derivation, parts: Sequence[Array], expected: Float64) -> Float64:
    """The error that the GPU kernels allow: none, except where one is a transform and not exact.

    ``combine`` is affine, so the outputs' errors pass through it as the difference that they make.
    """
    engines = [subject.engine(step.case) for step in derivation.steps]
    if not any(
        is_transform(basis_on(step.case, engine)) for step, engine in zip(derivation.steps, engines, strict=True)
    ):
        return np.zeros_like(expected)
    *limits, own = (_limits(step, engine) for step, engine in zip(derivation.steps, engines, strict=True))
    with np.errstate(invalid="ignore"):  # of outputs that are not finite
        moved = derivation.combine([widened(part) + limit for part, limit in zip(parts, limits, strict=True)])
        return np.asarray(np.abs(moved - expected) + own[derivation.seen])


def _limits(step: Step, engine: Engine) -> Float64:
    given = step.given
    return limits_of(given, reference(given), engine)


def _mismatch(found: Comparison, name: str, derivation: Derivation, shape: tuple[int, ...]) -> list[str]:
    """The lines of a mismatch. Its place is an index of the whole output, not of the part that was compared."""
    numbers = np.arange(math.prod(shape)).reshape(shape)[derivation.seen]
    place = tuple(int(i) for i in np.unravel_index(int(numbers[found.worst]), shape)) if found.elements else ()
    where = "" if derivation.sampled else found.where
    return message.mismatch(replace(found, worst=place, where=where), f"by the relation {name}")
