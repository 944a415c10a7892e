"""Tries wrong convolutions, and finds those that the expected output of a case would not detect.

Each trial changes one thing, as little as possible, and keeps the shape of the output: a wrong shape shows in any case.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from trt_conformance.core.arrays import Float64
from trt_conformance.core.attributes import Attributes
from trt_conformance.core.errors import InvalidConvolution
from trt_conformance.core.words import counted
from trt_conformance.numerics.reference.shape import resolve

Compute = Callable[[Float64, Float64, Float64 | None, Attributes], Float64]
"""The expected output of an input, a kernel, a bias and attributes."""
MANY_MAPS = 32
"""Of more small random maps than this, some are equal by chance. The order of the others shows, if most differ."""

Trial = tuple[str, Float64, Float64, Float64 | None, Attributes]


def unseen(
    compute: Compute,
    x: Float64,
    w: Float64,
    b: Float64 | None,
    attributes: Attributes,
    output: Float64,
    drawn: bool = True,
) -> str | None:
    """Return what may be wrong without a difference in the output; None if each trial changes it.

    Args:
        compute: gives the expected output of changed tensors or attributes.
        x: the input, ``(*batch, C, *spatial)``.
        w: the kernel, ``(K, C/groups, *window)``.
        b: the bias, ``(K,)``, or None.
        attributes: those of the case.
        output: the expected output.
        drawn: the input is a fill, and no probe. Data chosen value by value may have equal channels on purpose.
    """
    first, second, twins = _equal_maps(w, b)
    if twins and (len(w) <= MANY_MAPS or twins >= len(w) / 2):
        return f"output maps {first} and {second} have equal weights, so exchanging them would not be noticed"
    for what, *changed in _trials(x, w, b, attributes, drawn):
        try:
            other = compute(*changed)  # type: ignore[arg-type]
        except InvalidConvolution:
            continue
        if other.shape == output.shape and (other == output).all():
            return f"the output stays the same if {what}"
    return None


def _equal_maps(w: Float64, b: Float64 | None) -> tuple[int, int, int]:
    """The first two output maps with the same weights and bias, and how many maps equal an earlier one."""
    seen: dict[bytes, int] = {}
    pairs = []
    for number, values in enumerate(w):
        first = seen.setdefault(values.tobytes() + (b"" if b is None else b[number].tobytes()), number)
        if first != number:
            pairs.append((first, number))
    return (*pairs[0], len(pairs)) if pairs else (0, 0, 0)


def _trials(x: Float64, w: Float64, b: Float64 | None, a: Attributes, drawn: bool) -> Iterator[Trial]:
    """Yield each change in words, with the tensors and attributes that it gives."""
    rank = w.ndim - 2
    yield "the kernel is doubled", x, 2 * w, b, a
    if drawn:
        yield from _order_trials(x, w, b, a)
    if b is not None and b.any():
        yield "the bias is dropped", x, w, None, a
        if len(b) > 1:
            yield "each map gets the bias of the previous map", x, w, np.roll(b, 1), a
    if a.groups > 1:
        shifted = np.roll(x, w.shape[1], axis=-rank - 1)
        yield f"each of the {counted(a.groups, 'group')} reads the channels of the next group", shifted, w, b, a
    for axis in range(rank):
        place = axis - rank
        if a.stride[axis] > 1 and x.shape[place] > 1:
            late = np.roll(x, 1, axis=place)
            yield (
                f"the windows start one element early on spatial axis {axis}, whose stride is {a.stride[axis]}",
                late,
                w,
                b,
                a,
            )
        if a.mode.startswith("EXPLICIT"):
            yield from _padding_trials(x, w, b, a, axis)


def _order_trials(x: Float64, w: Float64, b: Float64 | None, a: Attributes) -> Iterator[Trial]:
    if w.shape[1] > 1:
        yield "the kernel reads the channels in another order", x, np.roll(w, 1, axis=1), b, a
    for axis, taps in enumerate(_read_taps(x, w, a)):
        if any(w.shape[axis + 2] - 1 - tap != tap for tap in taps):
            yield f"the kernel is flipped on spatial axis {axis}", x, np.flip(w, axis + 2), b, a


def _read_taps(x: Float64, w: Float64, a: Attributes) -> Iterator[list[int]]:
    """The taps of each spatial axis that read an element of the input, and not only padding."""
    axes = resolve(x.shape, w.shape, a)
    for axis, window, size in zip(axes, w.shape[2:], x.shape[-len(axes) :], strict=True):
        starts = range(-axis.before, axis.size * axis.stride - axis.before, axis.stride)
        yield [tap for tap in range(window) if any(0 <= start + tap * axis.dilation < size for start in starts)]


def _padding_trials(x: Float64, w: Float64, b: Float64 | None, a: Attributes, axis: int) -> Iterator[Trial]:
    pre, post, dilation, window = a.pre[axis], a.post[axis], a.dilation[axis], w.shape[axis + 2]
    if pre != post:
        exchanged = a.model_copy(update={"pre": _with(a.pre, axis, post), "post": _with(a.post, axis, pre)})
        yield f"pre- and post-padding are exchanged on spatial axis {axis}", x, w, b, exchanged
    elif pre:
        moved = a.model_copy(update={"pre": _with(a.pre, axis, pre - 1), "post": _with(a.post, axis, post + 1)})
        yield f"one of {pre} before is padded after on spatial axis {axis}", x, w, b, moved
    if dilation > 1 and window > 1:
        # Less padding, and then a shorter input, keep the shape.
        spare = (dilation - 1) * (window - 1)
        cut = max(0, spare - post)
        place = x.ndim - (w.ndim - 2) + axis
        shorter = np.take(x, range(max(0, x.shape[place] - cut)), axis=place)
        closer = {"dilation": _with(a.dilation, axis, 1), "post": _with(a.post, axis, max(0, post - spare))}
        yield (
            f"the dilation of {dilation} is ignored on spatial axis {axis}",
            shorter,
            w,
            b,
            a.model_copy(update=closer),
        )


def _with(values: tuple[int, ...], axis: int, value: int) -> tuple[int, ...]:
    return (*values[:axis], value, *values[axis + 1 :])
