"""Mutants that read at the wrong positions: attributes, resolved axes and padding."""

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
    """Return the case's attributes, with some of them computed from the correct ones."""

    def attributes(case: Case) -> Attributes:
        right = case.attributes
        return right.model_copy(update={name: change(right) for name, change in changes.items()})

    return attributes


def each(name: str, change: Callable[[int], int]) -> Callable[[Case], Attributes]:
    """Return the case's attributes, with one of them changed in the same way on every axis."""
    return changed(**{name: lambda a: tuple(change(value) for value in getattr(a, name))})


def assigned(
    rewrite: Callable[[dict[str, AttributeValue]], dict[str, AttributeValue]],
) -> Callable[[Case], Attributes]:
    """Return the attributes after changed assignments."""
    return lambda case: Attributes.after(rewrite(case.set), case.spatial_rank)


def mode(instead: dict[PaddingMode, PaddingMode]) -> Callable[[Case], Attributes]:
    """Return the case's attributes, in another padding mode."""
    return changed(mode=lambda a: instead.get(a.mode, a.mode))


def same(before: Callable[[Axis, Given], int]) -> Callable[[Axis, Given], Axis]:
    """Change the padding before the input in the SAME modes."""

    def axis(right: Axis, given: Given) -> Axis:
        return right._replace(before=before(right, given)) if given.mode.startswith("SAME") else right

    return axis


def sized(mode: str, size: Callable[[Axis, Given], int]) -> Callable[[Axis, Given], Axis]:
    """Change the number of windows in the modes whose names end in ``mode``."""

    def axis(right: Axis, given: Given) -> Axis:
        return right._replace(size=max(1, size(right, given))) if given.mode.endswith(mode) else right

    return axis


def total(right: Axis, given: Given) -> int:
    """The total padding of a SAME mode; negative if the windows do not reach the last elements."""
    return right.reach(given.window) - given.size


def pads_of_opt(case: Case) -> Attributes:
    """SAME padding computed for the profile's opt shape, for every run shape."""
    right = case.attributes
    assert case.dynamic is not None
    optimum = case.layer_shape(case.dynamic.opt)
    axes = resolve(optimum, case.kernel.shape, right)
    sizes = optimum[-len(axes) :]
    parts = zip(sizes, case.kernel.shape[2:], right.axes(), strict=True)
    given = [Given(size, window, *values, right.mode) for size, window, values in parts]
    pre = tuple(axis.before for axis in axes)
    post = tuple(max(0, total(axis, one)) - axis.before for axis, one in zip(axes, given, strict=True))
    return right.model_copy(update={"mode": "EXPLICIT_ROUND_DOWN", "pre": pre, "post": post})


def surrounded(**how: Any) -> Callable[[Array, Widths], Array]:
    """Pad by ``numpy.pad`` in another mode."""
    return lambda x, widths: np.pad(x, widths, **how)


def _per_attribute() -> Iterator[Mutant]:
    """Each attribute with one value per axis: values exchanged, or ignored on one axis."""
    words = {"stride": "stride", "pre": "pre-padding", "post": "post-padding", "dilation": "dilation"}
    for name, word in words.items():
        neutral = 0 if "padding" in word else 1
        changes: dict[str, tuple[str, Callable[[Ints], Ints]]] = {
            "h_w_swapped": ("of H and W are exchanged", lambda v: (*v[:-2], v[-1], v[-2])),
            "reversed": ("has its axes reversed", lambda v: v[::-1]),
            "of_w_everywhere": ("of W is used for every axis", lambda v: v[-1:] * len(v)),
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
    """Replace the value of an axis, counted from the last, if there is one."""
    return lambda values: tuple(value if len(values) - i == place else v for i, v in enumerate(values))


def _applied(name: str, change: Callable[[Ints], Ints]) -> Callable[[Attributes], Ints]:
    return lambda attributes: change(getattr(attributes, name))


def _exchanged_padding() -> Iterator[Mutant]:
    """Pre- and post-padding exchanged on each axis."""
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
    """Each padding mode with floor instead of ceil, or ceil instead of floor."""
    for wrong, other in OTHER_ROUNDING.items():
        name = f"{wrong.lower()}_rounds_otherwise"
        yield Mutant(name, f"{wrong} counts outputs as {other} does", attributes=mode({wrong: other}))
    for wrong in ("SAME_UPPER", "SAME_LOWER"):
        floor = sized(wrong, lambda right, given: given.size // given.stride)
        yield Mutant(f"{wrong.lower()}_rounds_down", f"{wrong} gives floor(size / stride) outputs", axis=floor)


def _first_write_wins(assignments: dict[str, AttributeValue]) -> dict[str, AttributeValue]:
    return dict(reversed(assignments.items()))


def _renamed(name: str) -> Callable[[dict[str, AttributeValue]], dict[str, AttributeValue]]:
    """Assign ``padding_nd`` to one attribute only."""
    return lambda assignments: {name if key in ("padding_nd", "padding") else key: v for key, v in assignments.items()}


def _without_padding_before_mode(assignments: dict[str, AttributeValue]) -> dict[str, AttributeValue]:
    names = list(assignments)
    first = names.index("padding_mode") if "padding_mode" in names else 0
    return {name: v for i, (name, v) in enumerate(assignments.items()) if i >= first or "padding" not in name}


MUTANTS: tuple[Mutant, ...] = (
    *_per_attribute(),
    *_exchanged_padding(),
    *_roundings(),
    Mutant(
        "padding_twice",
        "padding is applied twice",
        attributes=changed(pre=lambda a: tuple(2 * p for p in a.pre), post=lambda a: tuple(2 * p for p in a.post)),
    ),
    Mutant(
        "head_padding_at_tail", "pre-padding is used after the input as well", attributes=changed(post=lambda a: a.pre)
    ),
    Mutant(
        "tail_padding_at_head",
        "post-padding is used before the input as well",
        attributes=changed(pre=lambda a: a.post),
    ),
    Mutant(
        "caffe_uses_post_padding",
        "CAFFE modes use post-padding after the input",
        attributes=mode({"CAFFE_ROUND_DOWN": "EXPLICIT_ROUND_DOWN", "CAFFE_ROUND_UP": "EXPLICIT_ROUND_UP"}),
    ),
    Mutant(
        "explicit_as_caffe",
        "EXPLICIT modes use pre-padding after the input",
        attributes=mode({"EXPLICIT_ROUND_DOWN": "CAFFE_ROUND_DOWN", "EXPLICIT_ROUND_UP": "CAFFE_ROUND_UP"}),
    ),
    Mutant(
        "explicit_as_same",
        "EXPLICIT modes pad like SAME_UPPER",
        attributes=mode({"EXPLICIT_ROUND_DOWN": "SAME_UPPER", "EXPLICIT_ROUND_UP": "SAME_UPPER"}),
    ),
    Mutant(
        "same_as_explicit",
        "SAME modes pad like EXPLICIT_ROUND_DOWN",
        attributes=mode({"SAME_UPPER": "EXPLICIT_ROUND_DOWN", "SAME_LOWER": "EXPLICIT_ROUND_DOWN"}),
    ),
    Mutant("same_upper_as_lower", "SAME_UPPER pads like SAME_LOWER", attributes=mode({"SAME_UPPER": "SAME_LOWER"})),
    Mutant("same_lower_as_upper", "SAME_LOWER pads like SAME_UPPER", attributes=mode({"SAME_LOWER": "SAME_UPPER"})),
    Mutant(
        "same_ignores_dilation",
        "SAME modes pad for the window without its dilation",
        axis=same(lambda right, given: resolve_axis(*given._replace(dilation=1)).before),
    ),
    Mutant(
        "same_ignores_stride",
        "SAME modes pad as if the stride were 1",
        axis=same(lambda right, given: resolve_axis(*given._replace(stride=1)).before),
    ),
    Mutant("same_all_at_tail", "SAME modes pad after the input only", axis=same(lambda right, given: 0)),
    Mutant(
        "same_all_at_head",
        "SAME modes pad before the input only",
        axis=same(lambda right, given: max(0, total(right, given))),
    ),
    Mutant(
        "same_crops_head",
        "negative SAME padding crops the start of the input",
        axis=same(lambda right, given: right.before + min(0, total(right, given))),
    ),
    Mutant(
        "same_adds_padding",
        "SAME modes add the pre-padding",
        axis=same(lambda right, given: right.before + given.pre),
    ),
    Mutant(
        "same_pads_of_opt",
        "SAME modes pad every run shape like the profile's opt shape",
        conditions.both(conditions.dynamic, conditions.same_mode),
        attributes=pads_of_opt,
    ),
    Mutant(
        "round_up_drops_window_in_padding",
        "ROUND_UP modes omit a last window that starts after the input",
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
        "first_assignment_wins",
        "an attribute that is set twice has its first value",
        attributes=assigned(_first_write_wins),
    ),
    Mutant(
        "padding_nd_pads_head_only", "padding_nd sets only pre-padding", attributes=assigned(_renamed("pre_padding"))
    ),
    Mutant(
        "padding_nd_pads_tail_only", "padding_nd sets only post-padding", attributes=assigned(_renamed("post_padding"))
    ),
    Mutant(
        "padding_mode_clears_padding",
        "setting the padding mode resets the padding that was set before",
        attributes=assigned(_without_padding_before_mode),
    ),
    Mutant("pads_with_edge", "padding repeats the input's edge", pad=surrounded(mode="edge")),
    Mutant("pads_with_reflection", "padding mirrors the input", pad=surrounded(mode="reflect")),
    Mutant("pads_circularly", "padding wraps around to the other end of the input", pad=surrounded(mode="wrap")),
    Mutant("pads_with_one", "padding is 1", pad=surrounded(constant_values=1)),
    Mutant("pads_with_almost_zero", "padding is 1e-30", pad=surrounded(constant_values=1e-30)),
)
