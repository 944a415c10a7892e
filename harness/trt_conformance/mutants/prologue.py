"""Mutants of the operations before the layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from trt_conformance.core.arrays import Array
from trt_conformance.core.case import Case
from trt_conformance.core.prologue import layer_input, pooled
from trt_conformance.core.prologue_fields import PrologueName, PrologueOperation
from trt_conformance.core.tensors import addend_of
from trt_conformance.mutants.conditions import Condition, both
from trt_conformance.mutants.mutant import Mutant

Before = Callable[[Case, Array], Array]
Step = Callable[[PrologueOperation, Array, Case], Array]


def instead(op: PrologueName, wrong: Step) -> Before:
    """Apply the case's operations, with a wrong function in place of those of one kind."""

    def changed(case: Case, x: Array) -> Array:
        for step in case.prologue:
            x = wrong(step, x, case) if step.op == op else _right((step,), x, case)
        return x

    return changed


def preceded_by(op: PrologueName) -> Condition:
    return lambda case: any(step.op == op for step in case.prologue)


def _right(steps: Sequence[PrologueOperation], x: Array, case: Case) -> Array:
    return layer_input(steps, case.spatial_rank, x, addend_of(case))


def _padded(mode: str, **how: float) -> Step:
    """Pad by ``numpy.pad`` in another way."""

    def wrong(step: PrologueOperation, x: Array, case: Case) -> Array:
        ends = [*zip(step.pre_padding or (), step.post_padding or (), strict=True)]
        return np.pad(x, [(0, 0)] * (x.ndim - 2) + ends, mode=mode, **how)  # type: ignore[call-overload,no-any-return]

    return wrong


def _exchanged(step: PrologueOperation, x: Array, case: Case) -> Array:
    ends = {"pre_padding": step.post_padding, "post_padding": step.pre_padding}
    return _right((step.model_copy(update=ends),), x, case)


def _sliced(field: Literal["start", "stride"], value: int, axis: int | None = None) -> Step:
    """Slice with another start or stride on one axis, or on all of them."""

    def wrong(step: PrologueOperation, x: Array, case: Case) -> Array:
        given = [value] * x.ndim if axis is None else list(getattr(step, field))
        given[axis or 0] = value
        return _right((step.model_copy(update={field: tuple(given)}),), x, case)

    return wrong


def _pooled(reduce: Callable[..., Array]) -> Step:
    return lambda step, x, case: pooled(x.astype(np.float64), step.window or (), reduce).astype(x.dtype)


def largest_or_0(windows: Array, axis: Any) -> Array:
    """The largest element of a window that begins with 0."""
    return np.asarray(np.maximum(np.max(windows, axis=axis), 0))


def _addend_first(step: PrologueOperation, x: Array, case: Case) -> Array:
    axis, channels = -case.spatial_rank - 1, x.shape[-case.spatial_rank - 1]
    one, other = np.split(_right((step,), x, case), [channels], axis=axis)
    return np.concatenate([other, one], axis=axis)


def _first_image(step: PrologueOperation, x: Array, case: Case) -> Array:
    addend = addend_of(case)
    assert addend is not None
    return layer_input((step,), case.spatial_rank, x, np.resize(addend[:1], addend.shape))


def _uneven(case: Case) -> bool:
    return any(step.pre_padding != step.post_padding for step in case.prologue)


def _strided(case: Case) -> bool:
    return any(max(step.stride or (1,)) > 1 for step in case.prologue)


def _offset(case: Case) -> bool:
    return any(max(step.start or (0,)) > 0 for step in case.prologue)


_WHOLE: tuple[tuple[Literal["start", "stride"], int], ...] = (("start", 0), ("stride", 1))
"""What a slice has along an axis of which it takes every element."""


def _slices(field: str, axis: int) -> Condition:
    """Whether a slice before a layer in 2D starts later, or takes larger steps, along an axis."""
    whole = dict(_WHOLE)[field]  # type: ignore[index]
    return lambda case: (
        case.spatial_rank == 2 and any((getattr(step, field) or (whole,) * 4)[axis] != whole for step in case.prologue)
    )


MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "cast_of_int8",
        "the uint8 input is read as int8",
        preceded_by("cast"),
        prologue=instead("cast", lambda step, x, case: np.where(x > 127, x - x.dtype.type(256), x).astype(x.dtype)),
    ),
    Mutant(
        "relu_before_ignored",
        "the ReLU before the layer is ignored",
        preceded_by("relu"),
        prologue=instead("relu", lambda step, x, case: x),
    ),
    Mutant(
        "pad_before_of_ones",
        "the padding layer before the layer pads with ones",
        preceded_by("pad"),
        prologue=instead("pad", _padded("constant", constant_values=1.0)),
    ),
    Mutant(
        "pad_before_of_the_edge",
        "the padding layer before the layer repeats the edge",
        preceded_by("pad"),
        prologue=instead("pad", _padded("edge")),
    ),
    Mutant(
        "pad_before_exchanged",
        "the padding layer before the layer exchanges its pre- and post-padding",
        both(preceded_by("pad"), _uneven),
        prologue=instead("pad", _exchanged),
    ),
    Mutant(
        "slice_before_from_the_start",
        "the slice before the layer starts at 0",
        both(preceded_by("slice"), _offset),
        prologue=instead("slice", _sliced("start", 0)),
    ),
    Mutant(
        "slice_before_without_stride",
        "the slice before the layer ignores its stride",
        both(preceded_by("slice"), _strided),
        prologue=instead("slice", _sliced("stride", 1)),
    ),
    *(
        Mutant(
            f"slice_before_{name}_of_{word}_ignored",
            f"the slice before the layer ignores its {name} along {word}",
            _slices(name, axis),
            prologue=instead("slice", _sliced(name, value, axis)),
        )
        for name, value in _WHOLE
        for axis, word in enumerate(("n", "c", "h", "w"))
    ),
    *(
        Mutant(
            f"max_pool_before_of_the_{what}",
            f"the pooling before the layer gives the {what} of a window",
            preceded_by("max_pool"),
            prologue=instead("max_pool", _pooled(reduce)),
        )
        for what, reduce in (("smallest", np.min), ("mean", np.mean), ("largest_or_0", largest_or_0))
    ),
    Mutant(
        "concat_before_addend_first",
        "the addend's channels come before the input's",
        preceded_by("concat"),
        prologue=instead("concat", _addend_first),
    ),
    Mutant(
        "concat_before_from_first_image",
        "every image is concatenated with the first image's addend before the layer",
        preceded_by("concat"),
        prologue=instead("concat", _first_image),
    ),
)
