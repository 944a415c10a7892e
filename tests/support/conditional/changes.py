"""What goes wrong: in a part of the output, in some terms of the sums, in the operands and after the layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.support.conditional.conditions import groups, maps
from trt_conformance.core.arrays import Array
from trt_conformance.core.attributes import Attributes
from trt_conformance.core.case import Case
from trt_conformance.core.epilogue_fields import EpilogueOperation
from trt_conformance.core.quantization_fields import Quantize
from trt_conformance.mutants.mutant import multiply, truncated
from trt_conformance.numerics.reference.epilogue import applied, apply
from trt_conformance.numerics.reference.quantization import Grid
from trt_conformance.numerics.reference.quantization import quantize as rightly_quantized

Index = tuple[Any, ...]
Select = Callable[[Array, Case], Index]
"""The part of an output ``(N, K, *spatial)`` that is wrong."""
Change = Callable[[Array, Case], Array]


def at(case: Case, axis: str, part: Any) -> Index:
    """An index of an output: ``part`` along N, K, D, H or W, everything along the others."""
    places = {"W": -1, "H": -2, "D": -3, "K": -case.spatial_rank - 1}
    if axis == "N":
        return (part, ...)
    return (..., part, *(slice(None),) * (-places[axis] - 1))


def part(axis: str, which: Any) -> Select:
    return lambda y, case: at(case, axis, which)


def zeroed(select: Select) -> Change:
    def changed(y: Array, case: Case) -> Array:
        y = y.copy()
        y[select(y, case)] = 0
        return y

    return changed


def doubled(select: Select) -> Change:
    def changed(y: Array, case: Case) -> Array:
        y = y.copy()
        y[select(y, case)] *= 2
        return y

    return changed


def copied(axis: str, to: Callable[[int], Any], source: Callable[[int], Any]) -> Change:
    """Overwrite a part of an axis with another one; both are functions of the axis's size."""

    def changed(y: Array, case: Case) -> Array:
        place = {"N": 0, "W": -1, "H": -2, "D": -3, "K": -case.spatial_rank - 1}[axis]
        size = y.shape[place]
        result = y.copy()
        result[at(case, axis, to(size))] = y[at(case, axis, source(size))]
        return result

    return changed


def tail(axis: str, tile: int) -> Change:
    """What is beyond the last whole tile of an axis is not written."""

    def changed(y: Array, case: Case) -> Array:
        place = {"N": 0, "W": -1, "H": -2, "D": -3, "K": -case.spatial_rank - 1}[axis]
        return zeroed(part(axis, slice(y.shape[place] // tile * tile, None)))(y, case)

    return changed


def pixel_tail(first: Callable[[int], int]) -> Change:
    """Pixels of each plane from the first one on, counted in rows, are not written."""

    def changed(y: Array, case: Case) -> Array:
        flat = y.reshape(*y.shape[: -case.spatial_rank], -1).copy()
        flat[..., first(flat.shape[-1]) :] = 0
        return flat.reshape(y.shape)

    return changed


def flat_tail(first: Callable[[int], int]) -> Change:
    """Elements of the whole output from the first one on are not written."""

    def changed(y: Array, case: Case) -> Array:
        flat = y.ravel().copy()
        flat[first(flat.size) :] = 0
        return flat.reshape(y.shape)

    return changed


Sums = Callable[[Array, Array, Attributes, Case], Array]


def weights(select: Callable[[Array, Case], Index], factor: float = 0.0) -> Sums:
    """Terms of the sums are left out, or counted ``factor`` times."""

    def changed(x: Array, kernel: Array, attributes: Attributes, case: Case) -> Array:
        kernel = kernel.copy()
        kernel[select(kernel, case)] *= factor
        return multiply(x, kernel, attributes, case)

    return changed


def flat_terms(select: Callable[[int], Any], factor: float = 0.0) -> Sums:
    """As `weights`, by the number of the term in the sum of a map."""

    def changed(x: Array, kernel: Array, attributes: Attributes, case: Case) -> Array:
        flat = kernel.reshape(len(kernel), -1).copy()
        flat[:, select(flat.shape[1])] *= factor
        return multiply(x, flat.reshape(kernel.shape), attributes, case)

    return changed


def channel(which: Any) -> Callable[[Array, Case], Index]:
    return lambda kernel, case: (slice(None), which)


def tap(axis: str, which: Any) -> Callable[[Array, Case], Index]:
    return lambda kernel, case: at(case, axis, which)


def halo(axis: str, tile: int, which: Any = 0, every: bool = False) -> Sums:
    """A tile's first output misses the taps that lie in the tile before."""

    def changed(x: Array, kernel: Array, attributes: Attributes, case: Case) -> Array:
        right = multiply(x, kernel, attributes, case)
        short = weights(tap(axis, which))(x, kernel, attributes, case)
        where = at(case, axis, slice(tile, None, tile) if every else slice(tile, tile + 1))
        right[where] = short[where]
        return right

    return changed


def only(holds: Callable[[Array, Case], bool], change: Change) -> Change:
    """A change where the run's own shapes meet a condition."""
    return lambda y, case: change(y, case) if holds(y, case) else y


def narrowed(x: Array, kernel: Array, attributes: Attributes, case: Case) -> Array:
    """TF32 where FP32 is promised."""
    return multiply(truncated(x), truncated(kernel), attributes, case)


def in_halves(x: Array, kernel: Array, attributes: Attributes, case: Case) -> Array:
    """Each 256 terms are summed in FP32 and rounded to FP16 before they are added up."""
    flat = kernel.reshape(len(kernel), -1)
    total = None
    for first in range(0, flat.shape[1], 256):
        some = np.zeros_like(flat)
        some[:, first : first + 256] = flat[:, first : first + 256]
        sums = multiply(x, some.reshape(kernel.shape), attributes, case).astype(np.float16).astype(np.float32)
        total = sums if total is None else total + sums
    return np.asarray(total)


def exchanged_groups(count: int) -> Sums:
    """Groups beyond the first ``count`` read the weights of the groups before."""

    def changed(x: Array, kernel: Array, attributes: Attributes, case: Case) -> Array:
        size, wrong = len(kernel) // attributes.groups, kernel.copy()
        wrong[count * size :] = kernel[: len(kernel) - count * size]
        return multiply(x, wrong, attributes, case)

    return changed


def of_each_group(which: Any) -> Select:
    """Maps of each group."""

    def select(y: Array, case: Case) -> Index:
        size = maps(case) // groups(case)
        numbers = np.arange(maps(case)).reshape(groups(case), size)[:, which].ravel()
        return at(case, "K", numbers)

    return select


def interleaved(y: Array, case: Case) -> Array:
    """The maps of a depthwise layer are written multiplier by multiplier."""
    size = maps(case) // groups(case)
    order = np.arange(maps(case)).reshape(groups(case), size).T.ravel()
    return np.take(y, order, axis=-case.spatial_rank - 1)


def shifted(axis: int) -> Callable[[Array, Any], Array]:
    """The padded input is read one element late along an axis."""

    def pad(x: Array, widths: Any) -> Array:
        return np.roll(np.pad(x, widths), -1, axis=axis)

    return pad


def edge_padded(x: Array, widths: Any) -> Array:
    """The padding repeats the edge."""
    return np.pad(x, widths, mode="edge")


def wrapped(x: Array, widths: Any) -> Array:
    """What is read behind a row is the beginning of the row."""
    y = np.pad(x, widths)
    before, after = widths[-1]
    if after:
        width = x.shape[-1]
        y[..., before + width :] = np.take(x, np.arange(after) % width, axis=-1)
    return y


def last_zero(bias: Array, case: Case) -> Array:
    bias = bias.copy()
    bias[-1] = 0
    return bias


def late_bias(bias: Array, case: Case) -> Array:
    """Maps beyond 256 get the bias of the map 256 before."""
    return bias[np.arange(len(bias)) % 256]


def no_bias(bias: Array, case: Case) -> Array:
    return np.zeros_like(bias)


def scales_by(index: Callable[[int], Any]) -> Callable[[Quantize], Quantize]:
    """Which scale each map uses."""

    def changed(quantize: Quantize) -> Quantize:
        given = np.asarray(quantize.kernel)
        return quantize.model_copy(update={"kernel": tuple(given[index(len(given))].tolist())})

    return changed


def away_from_zero(x: Array, scale: Array, role: str, grid: Grid) -> Array:
    if role != "output":
        return rightly_quantized(x, scale, grid)
    return np.clip(np.sign(x) * np.floor(np.abs(x / scale) + 0.5), -128, 127)


def symmetric(x: Array, scale: Array, role: str, grid: Grid) -> Array:
    """-128 becomes -127."""
    return np.maximum(rightly_quantized(x, scale, grid), -127)


def without(op: str, select: Select) -> Callable[[Case, Array, Array], Array]:
    """An operation after the layer leaves a part out."""

    def changed(case: Case, y: Array, x: Array) -> Array:
        right = np.array(apply(case, y, x))
        steps = tuple(step for step in case.epilogue if step.op != op)
        wrong = applied(case, steps, y, x)
        where = select(y, case)
        right[where] = wrong[where]
        return right

    return changed


def added_first_image(case: Case, y: Array, x: Array) -> Array:
    return apply(case, y, np.broadcast_to(x[:1], x.shape))


def backwards(case: Case, y: Array, x: Array) -> Array:
    """The operations are applied in the opposite order."""
    steps: tuple[EpilogueOperation, ...] = case.epilogue[::-1]
    return applied(case, steps, y, x)


def copied_late(case: Case, y: Array, x: Array) -> Array:
    """concat copies the input's channels from the second on."""
    return apply(case, y, np.roll(x, -1, axis=-case.spatial_rank - 1))
