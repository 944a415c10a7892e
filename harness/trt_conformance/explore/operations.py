"""The operations before and after a drawn layer: where each can be, its numbers, and what shapes it reads and gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from trt_conformance.catalog.sweeps.layer import mixed
from trt_conformance.core.epilogue_fields import JOINS, POOLINGS, ROUNDING, EpilogueName, FurtherLayer
from trt_conformance.core.errors import InvalidConvolution
from trt_conformance.core.prologue_fields import PrologueName
from trt_conformance.core.types import QUANTIZED_PRECISIONS
from trt_conformance.numerics.reference.shape import output_shape

if TYPE_CHECKING:
    from trt_conformance.explore.layer import DrawnLayer

Sizes = tuple[int, ...]

# An operation that a layer cannot say: its scale is not drawn.
NOT_DRAWN: tuple[EpilogueName, ...] = ("quantize",)
INEXACT: frozenset[EpilogueName] = frozenset((*ROUNDING, "convolution"))
"""Operations after which an output is rounded."""
POOLED = 2
"""The window of a pooling, on each axis."""
PADDED: tuple[tuple[int, int], tuple[int, int]] = ((1, 0), (1, 2))
"""Rows and columns that a padding before the layer adds: before and after."""
STEP = 2
"""The step of a slice along the columns."""
CASTS = ("fp32", "tf32", "int8")
"""Precisions in which the layer can read the values of uint8 without rounding."""
MOST_WRITTEN = 64
"""Up to this many maps have a factor each, since a case states every one."""
FURTHER_MAPS = 5

# The numbers of operations, one of which the seed chooses. Those of 24 bits are rounded where a kernel keeps fewer.
_CLIPS = ((-4.0, 6.0), (0.0, 6.0), (2.0, 9.0), (-9.0, -2.0), (-3.0001220703125, 5.0001220703125))
_SLOPES = (0.25, -0.5, 2.0, 0.10000000149011612)
_CLIPS_OF_HALVES, _SLOPES_OF_HALVES = _CLIPS[:-1], _SLOPES[:-1]


def possible_before(layer: DrawnLayer) -> Iterator[PrologueName]:
    """Those of the layer's operations before it that its type and its dynamic dimensions allow."""
    for op in layer.prologue:
        cast = op == "cast" and layer.precision in CASTS
        fixed = op in ("slice", "concat") and not layer.free and (op == "slice" or layer.groups * layer.channels > 1)
        if op in ("relu", "pad", "max_pool") or cast or fixed:
            yield op


def least_before(layer: DrawnLayer) -> Sizes:
    """The smallest size of each axis that the operations before a layer can give: a padding adds to something."""
    sizes = [1] * layer.rank
    if "pad" in layer.prologue:
        sizes[-2:] = [1 + before + after for before, after in PADDED]
    return tuple(sizes)


def network_shape(layer: DrawnLayer, shape: Sizes) -> Sizes:
    """The shape of the network's input where the layer's own is ``shape``: what the operations before it read."""
    found = list(shape)
    for op in layer.prologue[::-1]:
        if op == "pad":
            ends = zip(found[-2:], PADDED, strict=True)
            found[-2:] = [size - before - after for size, (before, after) in ends]
        elif op == "slice":
            found[-1] *= STEP
        elif op == "max_pool":
            found[-layer.rank :] = [size * POOLED for size in found[-layer.rank :]]
        elif op == "concat":
            found[-layer.rank - 1] -= _added(layer)
    return tuple(found)


def _added(layer: DrawnLayer) -> int:
    """The channels that a concatenation before the layer adds."""
    return layer.groups * layer.channels // 2


def before(layer: DrawnLayer) -> dict[str, Any]:
    """The fields ``prologue`` and ``addend`` of a case."""
    found: list[dict[str, Any]] = []
    added: dict[str, Any] = {}
    for place, op in enumerate(layer.prologue):
        given: dict[str, Any] = {"op": op}
        read = network_shape(replace(layer, prologue=layer.prologue[place:]), layer.input_shape)
        if op == "pad":
            given |= {"pre_padding": PADDED[0][:1] + PADDED[1][:1], "post_padding": PADDED[0][1:] + PADDED[1][1:]}
        elif op == "slice":
            ones = (1,) * (len(read) - 1)
            given |= {"start": (*(0,) * len(ones), STEP - 1), "stride": (*ones, STEP)}
            given["shape"] = (*read[:-1], read[-1] // STEP)
        elif op == "max_pool":
            given["window"] = (POOLED,) * layer.rank
        elif op == "concat":
            axis = -layer.rank - 1
            shape = (*read[:axis], _added(layer), *read[axis + 1 :])
            added["addend"] = {"shape": shape, "fill": "exact_integers", "seed": layer.seed + 4}
        found.append(given)
    return added | ({"prologue": tuple(found)} if found else {})


def possible_after(layer: DrawnLayer) -> Iterator[EpilogueName]:
    """Those of the layer's operations after it that can follow. Those that read its input need its shape."""
    for op, _, _ in _followed(layer):
        yield op


def _followed(layer: DrawnLayer) -> Iterator[tuple[EpilogueName, Sizes, Sizes]]:
    """The operations that can follow, each with the shape that it reads and the one that it gives."""
    try:
        output = layer.output_shape()
    except InvalidConvolution:
        return
    given, axis = network_shape(layer, layer.input_shape), -layer.rank - 1
    joined = False
    for op in layer.epilogue:
        read, sizes = output, output[axis + 1 :]
        joins = op in (*JOINS, "concat")
        if joins and not _joins(layer, op, read, given, joined):
            continue
        if op in POOLINGS and (min(sizes) < POOLED or set(layer.free) - {"batch"}):
            continue  # a smaller run may not have the sizes for it
        if op in POOLINGS:
            output = (*output[: axis + 1], *(size // POOLED for size in sizes))
        elif op == "concat":
            output = (*output[:axis], output[axis] + given[axis], *output[axis + 1 :])
        elif op == "convolution":
            output = output_shape(output, _further(layer, read).shape, _further(layer, read).attributes)
        joined = joined or joins
        yield op, read, output


def _joins(layer: DrawnLayer, op: EpilogueName, output: Sizes, given: Sizes, again: bool) -> bool:
    """Whether an operation can read the network's input, or an addend of the output's shape, once."""
    axis = -layer.rank - 1
    if _reads_addend(layer, op):
        return not again and not layer.free and "concat" not in layer.prologue
    if layer.free and (layer.prologue or max(layer.stride) > 1):  # another run would have other shapes
        return False
    if "cast" in layer.prologue:  # the network's input is of another type
        return False
    same = output[:axis] + output[axis + 1 :] == given[:axis] + given[axis + 1 :]
    return same and (op == "concat" or output[axis] == given[axis])


def _reads_addend(layer: DrawnLayer, op: EpilogueName) -> bool:
    return layer.joined == "addend" and op in JOINS


def after(layer: DrawnLayer) -> dict[str, Any]:
    """The fields ``epilogue`` and ``addend`` of a case."""
    found: list[dict[str, Any]] = []
    added: dict[str, Any] = {}
    for op, read, _ in _followed(layer):
        given: dict[str, Any] = {"op": op, **_numbers(layer, op, read)}
        if _reads_addend(layer, op):
            given["of"] = "addend"
            added["addend"] = {"shape": read, "fill": "exact_integers", "seed": layer.seed + 5}
        found.append(given)
    return added | ({"epilogue": tuple(found)} if found else {})


def _numbers(layer: DrawnLayer, op: EpilogueName, read: Sizes) -> dict[str, Any]:
    """The numbers of an operation after the layer, which the layer's seed chooses."""
    halves, seed = layer.precision in ("fp16", "bf16"), layer.seed
    if op in POOLINGS:
        return {"window": (POOLED,) * layer.rank}
    if op == "clip":
        clips = _CLIPS_OF_HALVES if halves else _CLIPS
        return dict(zip(("low", "high"), clips[seed % len(clips)], strict=True))
    if op == "leaky_relu":
        slopes = _SLOPES_OF_HALVES if halves else _SLOPES
        return {"alpha": slopes[seed % len(slopes)]}
    if op == "scale":
        maps = read[-layer.rank - 1]
        count = maps if seed % 2 and maps <= MOST_WRITTEN else 1
        # Builders fold factors into weights: where no sum is rounded, powers of two, with which no weight is either.
        unit = 0.0625 * (1 + 2.0**-12) if layer.content == "uniform" and not halves else 0.0625
        factors = tuple(unit * 2.0 ** (mixed(place) % 4) * (-1) ** place for place in range(4, 4 + count))
        shifts = {} if seed % 3 == 0 else {"shift": tuple(2.0 - place % 5 for place in range(count))}
        return {"scale": factors} | shifts
    if op == "convolution":
        further = _further(layer, read)
        return {"layer": further.model_dump(exclude_none=True)}
    if op in JOINS and layer.precision in QUANTIZED_PRECISIONS and seed % 2:
        return {"of_scale": 0.5}
    return {}


def _further(layer: DrawnLayer, read: Sizes) -> FurtherLayer:
    """A layer after the layer, as networks have it: pointwise, or depthwise with a stride of 2."""
    maps, rank = read[-layer.rank - 1], layer.rank
    scale = (0.0078125,) if layer.precision in QUANTIZED_PRECISIONS else None
    if layer.seed % 2:
        shape = (maps, 1, *(3,) * rank)
        steps: dict[str, Any] = {"stride_nd": (2,) * rank, "padding_nd": (1,) * rank, "num_groups": maps}
    else:
        shape, steps = (FURTHER_MAPS, maps, *(1,) * rank), {}
    return FurtherLayer(shape=shape, fill="uniform", seed=layer.seed + 6, bias="uniform", scale=scale, **steps)
