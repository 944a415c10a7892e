"""Themes: each pushes some choices of a layer to an edge where GPU kernels branch."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any, get_args

from trt_conformance.catalog.edges import SPATIAL, around
from trt_conformance.core.epilogue_fields import ROUNDING, EpilogueName
from trt_conformance.core.layouts import LAYOUTS
from trt_conformance.core.prologue_fields import PrologueName
from trt_conformance.core.types import PaddingMode, Precision
from trt_conformance.explore.drawing import LARGE, MEDIUM, Drawing
from trt_conformance.explore.layer import FREE, DrawnLayer
from trt_conformance.explore.operations import CASTS
from trt_conformance.numerics.reference.shape import extent

Theme = Callable[[Drawing], None]

PRECISIONS: tuple[Precision, ...] = get_args(Precision)
MODES: tuple[PaddingMode, ...] = get_args(PaddingMode)


def edge(rng: random.Random, low: int, high: int) -> list[int]:
    """Numbers at powers of two from 2^low to 2^high, one less and one more, and as many between them.

    A third of those between are at three halves of a power of two, of which tiles are, too: 24, 48, 96, 192.
    """
    between = [rng.randrange(2**n, 2 ** (n + 1)) for n in range(low, high) for _ in range(2)]
    tiles = [3 * 2 ** (n - 1) + rng.choice((-1, 0, 1)) for n in range(max(low, 1), high)]
    return [*around(range(low, high + 1)), *between, *tiles]


STRIDES = (2, 2, 3, 4, 5, 6, 7, 8, 9, 12, 15, 16, 16, 17, 24, 31, 32, 33)
DILATIONS = (2, 2, 3, 4, 5, 6, 7, 8, 9, 12, 15, 16, 17, 23, 31, 32, 33, 37)
WINDOWS = (1, 2, 2, 4, 5, 5, 6, 7, 8, 9, 11, 13, 15, 16, 17, 24, 31, 32, 33, 35, 63, 64, 65)


def _channels(d: Drawing) -> None:
    d.number("channels", edge(d.rng, 2, 10))


def _maps(d: Drawing) -> None:
    d.number("maps", edge(d.rng, 2, 9))


def _width(d: Drawing) -> None:
    d.axis("size", edge(d.rng, 3, 11), d.layer.rank - 1)


def _height(d: Drawing) -> None:
    d.axis("size", edge(d.rng, 3, 10), d.layer.rank - 2)


def _planes(d: Drawing) -> None:
    """Both sizes of a plane, unequal."""
    _height(d)
    _width(d)


def _depth(d: Drawing) -> None:
    d.change(**of_rank(d.layer, 3))
    d.axis("size", edge(d.rng, 2, 6), 0)
    d.axis("window", (2, 3, 4, 5), 0)


def of_rank(layer: DrawnLayer, rank: int) -> dict[str, Any]:
    """The changes that give a layer another number of spatial axes."""
    other = layer.of_rank(rank)
    return {name: getattr(other, name) for name in SPATIAL}


def _line(d: Drawing) -> None:
    """A height of 1, as a layer in one dimension has."""
    plain = {name: (*getattr(d.layer, name)[:-2], value, getattr(d.layer, name)[-1]) for name, value in _ONE.items()}
    d.change(**plain)
    _width(d)


_ONE = {"size": 1, "window": 1, "stride": 1, "dilation": 1, "pre": 0, "post": 0}


def _batch(d: Drawing) -> None:
    d.number("batch", edge(d.rng, 1, 8))


def _groups(d: Drawing) -> None:
    d.change(channels=d.rng.choice((1, 2, 3, 3, 4, 5, 7)), maps=d.rng.choice((1, 2, 3, 4, 5, 8)))
    d.number("groups", edge(d.rng, 1, 8))


def _depthwise(d: Drawing) -> None:
    d.change(channels=1, maps=d.rng.choice((1, 1, 1, 2, 3, 4)))
    d.number("groups", edge(d.rng, 3, 10))
    if d.rng.random() < 0.5:
        window = d.rng.choice((3, 5, 7))
        d.change(window=(*d.layer.window[:-2], window, window), pre=d.layer.post)
        step = d.rng.choice((1, 2))
        d.change(stride=(*d.layer.stride[:-2], step, step))


def _wide_groups(d: Drawing) -> None:
    """Few groups with many channels or maps each."""
    d.change(groups=d.rng.choice((2, 3, 4, 5)))
    d.number(d.rng.choice(("channels", "maps")), edge(d.rng, 4, 8))


def _stride(d: Drawing) -> None:
    d.axis("stride", STRIDES)
    if d.rng.random() < 0.4:
        d.axis("stride", STRIDES)
    _room(d)


def _room(d: Drawing) -> None:
    """Let an axis with a stride or a dilated window have several outputs, mostly."""
    if d.rng.random() < 0.8:
        size = [
            max(n, extent(f, k) + s * d.rng.randrange(4) + d.rng.randrange(s)) for n, f, s, k, _, _ in d.layer.axes()
        ]
        d.change(size=tuple(size))


def _window(d: Drawing) -> None:
    d.axis("window", WINDOWS)
    if d.rng.random() < 0.5:
        d.axis("window", WINDOWS)
    _room(d)


def _even_window(d: Drawing) -> None:
    d.change(window=tuple(d.rng.choice((2, 4, 6)) for _ in d.layer.window))
    _padding(d)


def _whole_window(d: Drawing) -> None:
    """A window of the input's size."""
    d.change(window=d.layer.size, dilation=(1,) * d.layer.rank, stride=(1,) * d.layer.rank)


def _dilation(d: Drawing) -> None:
    wanted = d.rng.randrange(d.layer.rank)
    if d.layer.window[wanted] == 1:
        d.axis("window", (2, 3, 3, 4, 5), wanted)
    d.axis("dilation", DILATIONS, wanted)
    if d.rng.random() < 0.4:
        d.axis("dilation", DILATIONS)
    _room(d)


def _padding(d: Drawing) -> None:
    """Each side at an edge of the window's extent, or far beyond it."""
    axis = d.rng.randrange(d.layer.rank)
    if d.rng.random() < 0.25:  # padding is read by windows alone that are wider
        d.axis("window", WINDOWS[10:], axis)
    span = extent(d.layer.window[axis], d.layer.dilation[axis])
    values = [span - 1, span, span + 1, span // 2, *edge(d.rng, 0, 8)]
    d.axis("pre", values, axis)
    if d.rng.random() < 0.4:
        d.change(post=d.layer.pre)
    elif d.rng.random() < 0.7:
        d.axis("post", [0, *values], axis)


def _mode(d: Drawing) -> None:
    d.change(mode=d.rng.choice(MODES))
    d.axis("stride", STRIDES[:8])
    if d.rng.random() < 0.5:
        d.axis("window", (1, 2, 2, 3, 4, 5, 6))
    _room(d)


def _gaps(d: Drawing) -> None:
    """Windows smaller than the stride, or an input that is smaller than it."""
    axis = d.rng.randrange(d.layer.rank)
    step = d.rng.choice(STRIDES[2:])
    d.axis("window", (1, 1, 2, 3), axis)
    d.axis("stride", (step,), axis)
    d.axis("size", (1, 2, 3, step - 1, step, step + 1, 2 * step, 3 * step + 1), axis)


def _pointwise(d: Drawing) -> None:
    plain = (1,) * d.layer.rank
    d.change(window=plain, dilation=plain)
    step = d.rng.choice((1, 1, 2, 3))
    d.change(stride=(step,) * d.layer.rank)
    if d.rng.random() < 0.4:
        d.change(pre=plain, post=plain)
    _channels(d)
    _maps(d)


def _terms(d: Drawing) -> None:
    """Long sums: many channels times a window; rarely so many that 16 bits do not count them."""
    d.change(size=d.layer.window, batch=1, groups=1)
    taps = math.prod(d.layer.window)
    channels = [*edge(d.rng, 8, 11), *(max(1, length // taps) for length in edge(d.rng, 10, 13))]
    if d.rng.random() < 0.1:
        d.change(precision=d.rng.choice(("fp32", "int8")), maps=d.rng.choice((1, 2, 3)))
        channels = [max(1, length // taps) + 1 for length in edge(d.rng, 14, 16)]
        d.budget = MEDIUM
    d.number("channels", channels)
    d.change(content="uniform" if d.rng.random() < 0.3 else "exact")


def _epilogue(d: Drawing) -> None:
    """One to three operations after the layer, or one that joins a tensor to its output."""
    rng = d.rng
    if rng.random() < 0.6:
        _follow(d)
    elif rng.random() < 0.5:
        d.change(free=(), joined="addend", epilogue=rng.choice(_JOINED))
    else:
        _keep_shape(d)
        d.change(joined="input", epilogue=rng.choice((*_JOINED, ("concat",), ("concat", "relu"))))
    if rng.random() < 0.5:
        d.change(bias=False)


_JOINED: tuple[tuple[EpilogueName, ...], ...] = (("add",), ("add", "relu"), ("relu", "add"), ("min",), ("max",))
OPERATIONS: tuple[EpilogueName, ...] = ("relu", "clip", "max_pool", "convolution", *ROUNDING)


def _follow(d: Drawing) -> None:
    """Operations after the layer: mostly one, and ReLU as often as four others."""
    count = d.rng.choices((1, 2, 3), (50, 35, 15))[0]
    drawn = dict.fromkeys(d.rng.choice(("relu",) * 4 + OPERATIONS) for _ in range(count))
    d.change(epilogue=tuple(drawn))


def _keep_shape(d: Drawing) -> None:
    """An output of the input's shape, to which the input can be added."""
    size = max(1, d.rng.choice(edge(d.rng, 1, 6)) // d.layer.groups)
    window = tuple(d.rng.choice((1, 3, 5)) for _ in d.layer.window)
    ones, sides = (1,) * d.layer.rank, tuple(f // 2 for f in window)
    d.change(mode="EXPLICIT_ROUND_DOWN", window=window, stride=ones, dilation=ones, pre=sides, post=sides)
    d.change(channels=size, maps=size)


def _prologue(d: Drawing) -> None:
    """One or two operations before the layer, which its kernel can read through; a cast is the first."""
    drawn = d.rng.sample(get_args(PrologueName), d.rng.choice((1, 1, 2)))
    if "cast" in drawn:
        d.change(precision=d.rng.choice(CASTS))
    if {"slice", "concat"}.intersection(drawn):
        d.change(free=())
    d.change(io_quantization=False, prologue=tuple(sorted(drawn, key=lambda op: op != "cast")))


def _content(d: Drawing) -> None:
    """What the tensors have in them, with the type that shows it."""
    content = d.rng.choice(("wide", "bits", "range", "range", "sparse", "special", "uniform"))
    if content == "range":
        d.change(precision=d.rng.choice(PRECISIONS))
    if content == "bits":
        d.change(precision=d.rng.choice(("fp32", "fp16", "bf16")))
    if content == "special":
        d.change(precision=d.rng.choice(("fp32", "tf32", "fp16", "bf16")), batch=max(2, d.layer.batch))
        d.change(prologue=(), epilogue=(), free=(), leading=0)
    if content == "sparse":
        d.number("channels", (4, 8, 16, 32, 64))
    d.change(content=content)


def _dynamic(d: Drawing) -> None:
    """Mostly one dynamic dimension alone, in either order of the runs."""
    names = [name for name in FREE if name != "depth" or d.layer.rank == 3]
    count = 1 if d.rng.random() < 0.7 else len(names)
    d.change(free=tuple(d.rng.sample(names, count)), order=d.rng.choice(("up", "down")))


def _quantized(d: Drawing) -> None:
    """int8 or FP8 with scales for each map, a quantized output, and quantized tensors at the network's ends."""
    d.change(precision=d.rng.choice(("int8", "int8", "int8", "fp8")))
    d.change(scales=d.rng.choice(("one", "each", "each")), quantize_output=d.rng.random() < 0.5)
    d.change(io_quantization=d.rng.random() < 0.3, content=d.rng.choice(("exact", "wide", "range", "uniform")))
    if d.rng.random() < 0.2:
        d.change(pairs=d.rng.choice(("input", "kernel", "rescaled")))
    d.number("maps", edge(d.rng, 2, 7))


def _routes(d: Drawing) -> None:
    """How the weights reach the layer."""
    d.change(weights=d.rng.choice(("setters", "set_input", "set_input")), bias=True)
    d.change(bias_by_set_input=d.rng.random() < 0.6)
    d.number(d.rng.choice(("maps", "groups")), edge(d.rng, 1, 6))


def _formats(d: Drawing) -> None:
    names = [name for name, layout in LAYOUTS.items() if layout.rank == d.layer.rank]
    precision: Precision = d.rng.choice(("fp32", "fp16", "fp16", "bf16", "int8"))
    d.change(precision=precision)
    if precision == "int8":
        d.change(io_quantization=True, quantize_output=True)
    for name in d.rng.sample(names, len(names)):
        d.change(input_format=name, output_format=d.rng.choice((name, "LINEAR")))
        if d.layer.input_format != "LINEAR":
            break
    d.number("channels", edge(d.rng, 2, 6))


def _leading(d: Drawing) -> None:
    """Dimensions before the batch, or a typed network."""
    if d.rng.random() < 0.5:
        d.change(leading=d.rng.choice((1, 1, 2)))
    else:
        d.change(typing=d.rng.choice(("weak", "strong")))


def _limits(d: Drawing) -> None:
    """One number beyond 16 bits, in an otherwise tiny layer."""
    d.budget = LARGE
    rank, what = (
        d.layer.rank,
        d.rng.choice(("batch", "maps", "groups", "depth", "pixels", "width", "height", "elements")),
    )
    plain = (1,) * rank
    none = (0,) * rank
    d.change(
        batch=1, groups=1, channels=d.rng.choice((1, 2, 3)), maps=d.rng.choice((1, 2, 3)), size=plain, window=plain
    )
    d.change(stride=plain, dilation=plain, pre=none, post=none, free=(), leading=0)
    beyond = [65_535, 65_536, 65_537, 65_600]
    if what in ("batch", "maps", "groups"):
        d.change(size=tuple(d.rng.choice((1, 2, 3)) for _ in plain))
        if what == "groups":
            d.change(channels=1, maps=1)
        d.number(what, beyond)
    elif what == "depth":
        d.change(**of_rank(d.layer, 3))
        d.axis("size", beyond, 0)
    elif what in ("width", "height"):
        d.axis("size", [32_767, 32_768, 32_769, 40_001, *beyond], rank - 1 if what == "width" else rank - 2)
    else:
        low, high = (250, 300) if what == "pixels" else (500, 1500)
        d.change(size=(*plain[2:], d.rng.randrange(low, high), d.rng.randrange(low, high)))
    window = tuple(d.rng.choice((1, 2, 3)) if n > 3 else 1 for n in d.layer.size)
    d.change(window=window)


THEMES: dict[str, Theme] = {
    "channels": _channels,
    "maps": _maps,
    "width": _width,
    "height": _height,
    "planes": _planes,
    "depth": _depth,
    "line": _line,
    "batch": _batch,
    "groups": _groups,
    "depthwise": _depthwise,
    "wide_groups": _wide_groups,
    "stride": _stride,
    "window": _window,
    "even_window": _even_window,
    "whole_window": _whole_window,
    "dilation": _dilation,
    "padding": _padding,
    "mode": _mode,
    "gaps": _gaps,
    "pointwise": _pointwise,
    "terms": _terms,
    "epilogue": _epilogue,
    "prologue": _prologue,
    "content": _content,
    "dynamic": _dynamic,
    "quantized": _quantized,
    "routes": _routes,
    "formats": _formats,
    "leading": _leading,
    "limits": _limits,
}
