"""Mutants that look in the wrong places: attributes, what they resolve to, and padding."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from trt_conformance.core.arrays import Array
from trt_conformance.core.attributes import Attributes
from trt_conformance.core.case import Case
from trt_conformance.core.types import AttributeValue, Ints, PaddingMode
from trt_conformance.mutants import conditions
from trt_conformance.mutants.mutant import Given, Mutant, Widths
from trt_conformance.numerics.reference.shape import Axis, resolve, resolve_axis

OTHER_ROUNDING: dict[PaddingMode, PaddingMode] = {
    "EXPLICIT_ROUND_DOWN": "EXPLICIT_ROUND_UP",
    "EXPLICIT_ROUND_UP": "EXPLICIT_ROUND_DOWN",
    "CAFFE_ROUND_DOWN": "CAFFE_ROUND_UP",
    "CAFFE_ROUND_UP": "CAFFE_ROUND_DOWN",
}


def changed(**changes: Callable[[Attributes], Any]) -> Callable[[Case], Attributes]:
    """The case's attributes, some of them made anew from the right ones."""

    def attributes(case: Case) -> Attributes:
        right = case.attributes
        return right.model_copy(update={name: change(right) for name, change in changes.items()})

    return attributes


def each(name: str, change: Callable[[int], int]) -> Callable[[Case], Attributes]:
    """The case's attributes, one of them changed on every axis alike."""
    return changed(**{name: lambda a: tuple(change(value) for value in getattr(a, name))})


def assigned(
    rewrite: Callable[[dict[str, AttributeValue]], dict[str, AttributeValue]],
) -> Callable[[Case], Attributes]:
    """The attributes after other assignments than the case's."""
    return lambda case: Attributes.after(rewrite(case.set), case.spatial_rank)


def mode(instead: dict[PaddingMode, PaddingMode]) -> Callable[[Case], Attributes]:
    """The case's attributes, in another padding mode."""
    return changed(mode=lambda a: instead.get(a.mode, a.mode))


def same(before: Callable[[Axis, Given], int]) -> Callable[[Axis, Given], Axis]:
    """Another padding in front in the SAME modes."""

    def axis(right: Axis, given: Given) -> Axis:
        return right._replace(before=before(right, given)) if given.mode.startswith("SAME") else right

    return axis


def sized(mode: str, size: Callable[[Axis, Given], int]) -> Callable[[Axis, Given], Axis]:
    """Another number of windows, in the modes that end so."""

    def axis(right: Axis, given: Given) -> Axis:
        return right._replace(size=max(1, size(right, given))) if given.mode.endswith(mode) else right

    return axis


def total(right: Axis, given: Given) -> int:
    """The padding that SAME modes need; negative where the windows leave the last elements out."""
    return right.reach(given.window) - given.size


def pads_of_opt(case: Case) -> Attributes:
    """SAME padding as the profile's opt shape needs it, whatever shape is run."""
    right = case.attributes
    assert case.dynamic is not None
    axes = resolve(case.dynamic.opt, case.kernel.shape, right)
    sizes = case.dynamic.opt[-len(axes) :]
    parts = zip(sizes, case.kernel.shape[2:], right.axes(), strict=True)
    given = [Given(size, window, *values, right.mode) for size, window, values in parts]
    pre = tuple(axis.before for axis in axes)
    post = tuple(max(0, total(axis, one)) - axis.before for axis, one in zip(axes, given, strict=True))
    return right.model_copy(update={"mode": "EXPLICIT_ROUND_DOWN", "pre": pre, "post": post})


def surrounded(**how: Any) -> Callable[[Array, Widths], Array]:
    """Padding as ``numpy.pad`` does it in another mode."""
    return lambda x, widths: np.pad(x, widths, **how)


def _per_attribute() -> Iterator[Mutant]:
    """Each attribute of several axes with its values mixed up, or ignored on one axis."""
    words = {"stride": "stride", "pre": "pre-padding", "post": "post-padding", "dilation": "dilation"}
    for name, word in words.items():
        neutral = 0 if "padding" in word else 1
        changes: dict[str, tuple[str, Callable[[Ints], Ints]]] = {
            "h_w_swapped": ("of H and W are exchanged", lambda v: (*v[:-2], v[-1], v[-2])),
            "reversed": ("is read from the last axis to the first", lambda v: v[::-1]),
            "of_w_everywhere": ("of W holds for every axis", lambda v: v[-1:] * len(v)),
            **{
                f"ignored_on_{axis}": (f"is ignored on {axis.upper()}", _replaced(place, neutral))
                for axis, place in (("w", 1), ("h", 2), ("d", 3))
            },
        }
        for what, (doc, change) in changes.items():
            applies = conditions.three_d if what == "ignored_on_d" else conditions.always
            yield Mutant(
                f"{name}_{what}", f"{word} {doc}", applies, attributes=changed(**{name: _applied(name, change)})
            )


def _replaced(place: int, value: int) -> Callable[[Ints], Ints]:
    """Replaces the value at a place counted from the last, where there is one."""
    return lambda values: tuple(value if len(values) - i == place else v for i, v in enumerate(values))


def _applied(name: str, change: Callable[[Ints], Ints]) -> Callable[[Attributes], Ints]:
    return lambda attributes: change(getattr(attributes, name))


def _heads_and_tails() -> Iterator[Mutant]:
    """Pre- and post-padding exchanged, on each axis."""
    for name, place in (("w", 1), ("h", 2), ("d", 3)):
        yield Mutant(
            f"pre_post_swapped_on_{name}",
            f"pre- and post-padding are exchanged on {name.upper()}",
            conditions.three_d if name == "d" else conditions.padded,
            attributes=changed(pre=_mixed("pre", "post", place), post=_mixed("post", "pre", place)),
        )


def _mixed(own: str, other: str, place: int) -> Callable[[Attributes], Ints]:
    def change(a: Attributes) -> Ints:
        pairs = zip(getattr(a, own), getattr(a, other), strict=True)
        return tuple(theirs if len(a.pre) - i == place else mine for i, (mine, theirs) in enumerate(pairs))

    return change


def _roundings() -> Iterator[Mutant]:
    """Each padding mode with floor for ceil, or ceil for floor."""
    for wrong, other in OTHER_ROUNDING.items():
        name = f"{wrong.lower()}_rounds_otherwise"
        yield Mutant(name, f"{wrong} counts outputs as {other} does", attributes=mode({wrong: other}))
    for wrong in ("SAME_UPPER", "SAME_LOWER"):
        floor = sized(wrong, lambda right, given: given.size // given.stride)
        yield Mutant(f"{wrong.lower()}_rounds_down", f"{wrong} gives floor(size / stride) outputs", axis=floor)


def _first_write_wins(assignments: dict[str, AttributeValue]) -> dict[str, AttributeValue]:
    return dict(reversed(assignments.items()))


def _renamed(name: str) -> Callable[[dict[str, AttributeValue]], dict[str, AttributeValue]]:
    """``padding_nd`` writes one attribute only."""
    return lambda assignments: {name if key in ("padding_nd", "padding") else key: v for key, v in assignments.items()}


def _without_padding_before_mode(assignments: dict[str, AttributeValue]) -> dict[str, AttributeValue]:
    names = list(assignments)
    first = names.index("padding_mode") if "padding_mode" in names else 0
    return {name: v for i, (name, v) in enumerate(assignments.items()) if i >= first or "padding" not in name}


MUTANTS: tuple[Mutant, ...] = (
    *_per_attribute(),
    *_heads_and_tails(),
    *_roundings(),
    Mutant(
        "padding_twice",
        "padding is counted twice",
        attributes=changed(pre=lambda a: tuple(2 * p for p in a.pre), post=lambda a: tuple(2 * p for p in a.post)),
    ),
    Mutant(
        "head_padding_at_tail", "the head's padding holds for the tail too", attributes=changed(post=lambda a: a.pre)
    ),
    Mutant(
        "tail_padding_at_head", "the tail's padding holds for the head too", attributes=changed(pre=lambda a: a.post)
    ),
    Mutant(
        "caffe_uses_post_padding",
        "CAFFE modes pad the tail by the post-padding",
        attributes=mode({"CAFFE_ROUND_DOWN": "EXPLICIT_ROUND_DOWN", "CAFFE_ROUND_UP": "EXPLICIT_ROUND_UP"}),
    ),
    Mutant(
        "explicit_as_caffe",
        "EXPLICIT modes pad the tail like the head",
        attributes=mode({"EXPLICIT_ROUND_DOWN": "CAFFE_ROUND_DOWN", "EXPLICIT_ROUND_UP": "CAFFE_ROUND_UP"}),
    ),
    Mutant(
        "explicit_as_same",
        "EXPLICIT modes pad like SAME_UPPER",
        attributes=mode({"EXPLICIT_ROUND_DOWN": "SAME_UPPER", "EXPLICIT_ROUND_UP": "SAME_UPPER"}),
    ),
    Mutant(
        "same_as_explicit",
        "SAME modes pad as EXPLICIT_ROUND_DOWN does",
        attributes=mode({"SAME_UPPER": "EXPLICIT_ROUND_DOWN", "SAME_LOWER": "EXPLICIT_ROUND_DOWN"}),
    ),
    Mutant("same_upper_as_lower", "SAME_UPPER pads like SAME_LOWER", attributes=mode({"SAME_UPPER": "SAME_LOWER"})),
    Mutant("same_lower_as_upper", "SAME_LOWER pads like SAME_UPPER", attributes=mode({"SAME_LOWER": "SAME_UPPER"})),
    Mutant(
        "same_ignores_dilation",
        "SAME modes pad for F where the dilated extent is meant",
        axis=same(lambda right, given: resolve_axis(*given._replace(dilation=1)).before),
    ),
    Mutant(
        "same_ignores_stride",
        "SAME modes pad as for stride 1",
        axis=same(lambda right, given: resolve_axis(*given._replace(stride=1)).before),
    ),
    Mutant("same_all_at_tail", "SAME modes pad the tail alone", axis=same(lambda right, given: 0)),
    Mutant(
        "same_all_at_head",
        "SAME modes pad the head alone",
        axis=same(lambda right, given: max(0, total(right, given))),
    ),
    Mutant(
        "same_crops_head",
        "a negative SAME padding crops the head",
        axis=same(lambda right, given: right.before + min(0, total(right, given))),
    ),
    Mutant(
        "same_adds_padding",
        "SAME modes pad by the pre-padding as well",
        axis=same(lambda right, given: right.before + given.pre),
    ),
    Mutant(
        "same_pads_of_opt",
        "SAME modes pad every run shape as the profile's opt shape",
        conditions.both(conditions.dynamic, conditions.same_mode),
        attributes=pads_of_opt,
    ),
    Mutant(
        "round_up_drops_window_in_padding",
        "ROUND_UP modes leave out a last window that starts behind the input",
        axis=sized("ROUND_UP", lambda right, given: min(right.size, -(-(given.size + right.before) // given.stride))),
    ),
    Mutant(
        "one_window_more", "every axis has one output too many", axis=sized("", lambda right, given: right.size + 1)
    ),
    Mutant("one_window_less", "every axis has one output too few", axis=sized("", lambda right, given: right.size - 1)),
    Mutant(
        "strides_start_at_1",
        "with a stride, the first window starts one element late",
        axis=lambda right, given: right._replace(before=right.before - (given.stride > 1)),
    ),
    Mutant(
        "dilation_one_more",
        "a dilation above 1 is one too large",
        attributes=changed(dilation=lambda a: tuple(d + (d > 1) for d in a.dilation)),
    ),
    Mutant(
        "dilation_one_less",
        "a dilation above 1 is one too small",
        attributes=changed(dilation=lambda a: tuple(d - (d > 1) for d in a.dilation)),
    ),
    Mutant(
        "dilation_as_stride",
        "the dilation is applied to the stride as well",
        attributes=changed(stride=lambda a: tuple(s * d for s, d in zip(a.stride, a.dilation, strict=True))),
    ),
    Mutant(
        "stride_as_dilation",
        "the stride is applied to the dilation as well",
        attributes=changed(dilation=lambda a: tuple(s * d for s, d in zip(a.stride, a.dilation, strict=True))),
    ),
    Mutant(
        "first_assignment_wins", "an attribute set twice keeps its first value", attributes=assigned(_first_write_wins)
    ),
    Mutant(
        "padding_nd_pads_head_only", "padding_nd sets pre-padding alone", attributes=assigned(_renamed("pre_padding"))
    ),
    Mutant(
        "padding_nd_pads_tail_only", "padding_nd sets post-padding alone", attributes=assigned(_renamed("post_padding"))
    ),
    Mutant(
        "padding_mode_clears_padding",
        "setting the padding mode forgets the padding set before",
        attributes=assigned(_without_padding_before_mode),
    ),
    Mutant("pads_with_edge", "padding repeats the input's edge", pad=surrounded(mode="edge")),
    Mutant("pads_with_reflection", "padding mirrors the input", pad=surrounded(mode="reflect")),
    Mutant("pads_circularly", "padding continues at the other end of the input", pad=surrounded(mode="wrap")),
    Mutant("pads_with_one", "padding holds ones", pad=surrounded(constant_values=1)),
    Mutant("pads_with_almost_zero", "padding holds 1e-30", pad=surrounded(constant_values=1e-30)),
)
