"""A layer with every choice that a case has, in numbers that can be drawn, made smaller, and written as a case.

Any combination is made valid by `fitted`: an input too small for its window grows, and choices that exclude each other
fall back to the simplest. The simplest value of every choice is its default.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from trt_conformance.catalog.edges import SPATIAL
from trt_conformance.catalog.lint.vacuous import is_cheap
from trt_conformance.core.case import Case
from trt_conformance.core.epilogue_fields import JOINS, EpilogueName
from trt_conformance.core.layouts import LAYOUTS
from trt_conformance.core.prologue_fields import PrologueName
from trt_conformance.core.quantization_fields import Quantize
from trt_conformance.core.types import QUANTIZED_PRECISIONS, AttributeValue, Format, PaddingMode, Precision, WeightsBy
from trt_conformance.explore import data, operations
from trt_conformance.numerics.reference.shape import extent, layer_output, resolve_axis
from trt_conformance.numerics.rounding import unsuited

Sizes = tuple[int, ...]
"""One number for each spatial axis: height and width, or depth, height and width."""
Free = Literal["batch", "depth", "height", "width"]
Pairs = Literal["both", "input", "kernel", "rescaled"]
FREE: tuple[Free, ...] = ("batch", "depth", "height", "width")


@dataclass(frozen=True)
class DrawnLayer:
    """The choices. ``channels`` and ``maps`` are those of one group.

    ``padding_nd`` says which attributes set the padding. ``free`` are the dynamic dimensions, and ``order`` the order
    of the runs: from the smaller to the larger shapes, or the other way. ``leading`` is the number of dimensions of 2
    before the batch. ``scales``: the kernel has one scale, or one for each map. ``pairs``: both operands pass through Q
    and DQ, or one of them; or DQ of the input has another scale than Q. ``size`` and ``channels`` are those that the
    layer reads, after the operations of ``prologue``. ``joined``: what is added to the output, or compared with it, is
    the network's input, or a second input.
    """

    precision: Precision = "fp32"
    batch: int = 1
    groups: int = 1
    channels: int = 1
    maps: int = 1
    size: Sizes = (1, 1)
    window: Sizes = (1, 1)
    stride: Sizes = (1, 1)
    dilation: Sizes = (1, 1)
    pre: Sizes = (0, 0)
    post: Sizes = (0, 0)
    mode: PaddingMode = "EXPLICIT_ROUND_DOWN"
    content: data.Content = "exact"
    bias: bool = False
    bias_by_set_input: bool = False
    weights: WeightsBy = "constructor"
    scales: Literal["one", "each"] = "one"
    pairs: Pairs = "both"
    quantize_output: bool = False
    io_quantization: bool = False
    prologue: tuple[PrologueName, ...] = ()
    epilogue: tuple[EpilogueName, ...] = ()
    joined: Literal["input", "addend"] = "input"
    free: tuple[Free, ...] = ()
    order: Literal["up", "down"] = "up"
    leading: int = 0
    input_format: Format = "LINEAR"
    output_format: Format = "LINEAR"
    typing: Literal["weak", "strong"] | None = None
    seed: int = 0

    @property
    def rank(self) -> int:
        return len(self.size)

    @property
    def input_shape(self) -> Sizes:
        return ((2,) * self.leading) + (self.batch, self.groups * self.channels, *self.size)

    @property
    def given_shape(self) -> Sizes:
        """The shape of the network's input, before the operations that the layer reads through."""
        return operations.network_shape(self, self.input_shape)

    @property
    def kernel_shape(self) -> Sizes:
        return (self.groups * self.maps, self.channels, *self.window)

    @property
    def terms(self) -> int:
        return math.prod(self.kernel_shape[1:])

    def axes(self) -> Iterator[tuple[int, int, int, int, int, int]]:
        """Yield size, window, stride, dilation, pre- and post-padding of each axis."""
        return zip(self.size, self.window, self.stride, self.dilation, self.pre, self.post, strict=True)

    def least(self) -> Sizes:
        """The smallest valid size of each axis."""
        own = (self._least(f, d, pre, post) for _, f, _, d, pre, post in self.axes())
        return tuple(map(max, own, operations.least_before(self)))

    def _least(self, window: int, dilation: int, pre: int, post: int) -> int:
        if self.mode.startswith("SAME"):
            return 1
        return max(1, extent(window, dilation) - pre - (pre if self.mode.startswith("CAFFE") else post))

    def on_axis(self, name: str, axis: int, value: int) -> DrawnLayer:
        """The layer with another value of an attribute on one axis."""
        given = list(getattr(self, name))
        given[axis] = value
        changes: dict[str, Any] = {name: tuple(given)}
        return replace(self, **changes)

    def of_rank(self, rank: int) -> DrawnLayer:
        """The layer with another number of spatial axes: the depth of one is 1, or is dropped."""
        if rank == self.rank:
            return self
        plain = {name: getattr(DrawnLayer(), name)[0] for name in SPATIAL}
        deeper: dict[str, Any] = {name: (plain[name], *getattr(self, name)) for name in SPATIAL}
        flatter: dict[str, Any] = {name: getattr(self, name)[1:] for name in SPATIAL}
        return replace(self, **(deeper if rank > self.rank else flatter))

    def output_shape(self) -> Sizes:
        """The shape of the layer's output. Raises InvalidConvolution if the window does not fit."""
        axes = [resolve_axis(n, f, s, pre, post, d, self.mode) for n, f, s, d, pre, post in self.axes()]
        return (*self.input_shape[: self.leading + 1], self.groups * self.maps, *(axis.size for axis in axes))

    def case(self, case_id: str, file: str = "", line: int = 1, source: str = "a drawn layer") -> Case:
        """The case of this layer, which is `fitted`; ``case_id`` is without its precision."""
        described: dict[str, Any] = self.fields() | {
            "id": f"{case_id}-{self.precision}",
            "name": case_id.rpartition("/")[2],
            "file": file or f"{case_id.partition('/')[0]}.toml",
            "line": line,
            "section": "explore",
            "source": source,
            "doc": "drawn at random, see its id",
        }
        found = Case.model_validate(described)
        # A case that is too large to verify may not say that it is exact.
        outputs = [layer_output(found, shape) for shape in found.run_shapes]
        cheap = all(is_cheap(found, shape, output) for shape, output in zip(found.run_shapes, outputs, strict=True))
        if found.exact:
            return found if cheap else found.model_copy(update={"exact": False})
        is_judged = cheap and self.content in data.ROUNDED and unsuited(found, math.prod(outputs[0])) is None
        return found.model_copy(update={"rounding": True}) if is_judged else found

    def fields(self) -> dict[str, Any]:
        """The fields of a case that this layer determines, those that are not a case's defaults."""
        found: dict[str, Any] = {"precision": self.precision}
        found |= data.tensors(self)
        assigned = dict(self._assignments())
        if assigned:
            found["set"] = assigned
        if data.is_exact(self) and not operations.INEXACT.intersection(self.epilogue):
            found["exact"] = True
        if self.content == "special":
            found["special_values"] = True
        if self.weights != "constructor":
            found["weights"] = self.weights
        if self.bias_by_set_input:
            found["bias_by_set_input"] = True
        found |= operations.before(self) | operations.after(self)
        if self.free:
            found["dynamic"] = self._dynamic()
        formats = {"input": self.input_format, "output": self.output_format}
        if set(formats.values()) != {"LINEAR"}:
            found["formats"] = {side: name for side, name in formats.items() if name != "LINEAR"}
        if self.typing is not None:
            found["typing"] = self.typing
        return found

    def _assignments(self) -> Iterator[tuple[str, AttributeValue]]:
        if max(self.stride) > 1:
            yield "stride_nd", self.stride
        if max(self.dilation) > 1:
            yield "dilation_nd", self.dilation
        if self.pre == self.post:
            if any(self.pre):
                yield "padding_nd", self.pre
        else:
            yield "pre_padding", self.pre
            yield "post_padding", self.post
        if self.mode != "EXPLICIT_ROUND_DOWN":
            yield "padding_mode", self.mode
        if self.groups > 1:
            yield "num_groups", self.groups

    def _dynamic(self) -> dict[str, Any]:
        """A profile from the smallest to about twice the own shape, which is its optimum; three runs."""
        shape, first = self.input_shape, self.leading
        free = {first: "batch" in self.free}
        for axis, name in zip(range(self.rank), FREE[-self.rank :], strict=True):
            free[first + 2 + axis] = name in self.free
        smallest = (*shape[:first], 1, shape[first + 1], *self.least())
        larger = tuple(n if place < first else 2 * n + place for place, n in enumerate(shape))

        def where_free(other: Sizes) -> Sizes:
            layer = tuple(other[place] if free.get(place) else n for place, n in enumerate(shape))
            return operations.network_shape(self, layer)

        low, high, shape = where_free(smallest), where_free(larger), where_free(shape)
        runs = dict.fromkeys((low, shape, high) if self.order == "up" else (high, shape, low))
        declared = tuple(-1 if free.get(place) else n for place, n in enumerate(shape))
        return {"shape": declared, "min": low, "opt": shape, "max": high, "run": tuple(runs)}


def fitted(layer: DrawnLayer) -> DrawnLayer:
    """The nearest valid layer. Sizes grow until the window fits; what excludes another choice is dropped."""
    if "depth" in layer.free and layer.rank == 2:
        layer = _changed(layer, free=tuple(name for name in layer.free if name != "depth"))
    if not layer.free:
        layer = _changed(layer, order="up")
    if layer.prologue:
        layer = _changed(layer, prologue=() if layer.io_quantization else tuple(operations.possible_before(layer)))
    layer = _changed(layer, size=tuple(map(max, layer.size, layer.least())))
    if layer.precision in QUANTIZED_PRECISIONS:
        layer = _changed(layer, weights="set_input", typing=None if layer.precision == "fp8" else layer.typing)
    else:
        layer = _changed(layer, scales="one", pairs="both", quantize_output=False, io_quantization=False)
    if operations.INEXACT.intersection(layer.epilogue):
        layer = _changed(layer, pairs="both")
    if layer.pairs != "both":
        layer = _changed(layer, content="exact", quantize_output=False, io_quantization=False)
    if not layer.bias or layer.weights == "setters":
        layer = _changed(layer, bias_by_set_input=False)
    if layer.epilogue:
        layer = _changed(layer, epilogue=() if layer.io_quantization else tuple(operations.possible_after(layer)))
    if not set(JOINS).intersection(layer.epilogue):
        layer = _changed(layer, joined="input")
    layer = _changed(layer, content=data.possible(layer))
    if layer.content == "range" and layer.precision not in QUANTIZED_PRECISIONS:
        layer = _changed(layer, bias=False, bias_by_set_input=False)  # it would hide small sums
    return _changed(
        layer,
        input_format=_held(layer, layer.input_format, layer.io_quantization),
        output_format=_held(layer, layer.output_format, layer.io_quantization and layer.quantize_output),
    )


def _changed(layer: DrawnLayer, **changes: Any) -> DrawnLayer:
    """The layer with other choices; itself where they are its own, since a copy takes long."""
    return replace(layer, **changes) if any(getattr(layer, name) != changes[name] for name in changes) else layer


def _held(layer: DrawnLayer, name: Format, quantized: bool) -> Format:
    """The format, or LINEAR where the tensor's type or rank does not have it."""
    if name == "LINEAR" or "cast" in layer.prologue:
        return "LINEAR"
    layout = LAYOUTS[name]
    held = "float32"
    if layer.precision in ("fp16", "bf16"):
        held = "float16" if layer.precision == "fp16" else "bfloat16"
    elif quantized:
        held = "float8" if layer.precision == "fp8" else "int8"
    return name if held in layout.types and layout.rank <= layer.rank else "LINEAR"


def differing(layer: DrawnLayer) -> dict[str, Any]:
    """The choices that are not the simplest, by name."""
    plain = DrawnLayer().of_rank(layer.rank)
    return {
        field.name: getattr(layer, field.name)
        for field in fields(DrawnLayer)
        if getattr(layer, field.name) != getattr(plain, field.name)
    }


def layer_of(case: Case) -> DrawnLayer:
    """The layer of a case, as far as a layer can express it, with newly drawn data."""
    attributes, shape = case.attributes, case.layer_shape(case.input.shape)
    rank, groups = case.spatial_rank, attributes.groups
    quantize, dynamic = case.quantize, case.dynamic
    first = len(shape) - rank - 2
    names: dict[int, Free] = {first: "batch"}
    names |= {first + 2 + axis: name for axis, name in zip(range(rank), FREE[-rank:], strict=True)}
    free = [name for place, name in names.items() if dynamic is not None and dynamic.shape[place] == -1]
    return fitted(
        DrawnLayer(
            precision=case.precision,
            batch=max(1, shape[first]),
            groups=groups,
            channels=case.kernel.shape[1],
            maps=max(1, case.kernel.shape[0] // groups),
            size=shape[-rank:],
            window=case.kernel.shape[2:],
            stride=attributes.stride,
            dilation=attributes.dilation,
            pre=attributes.pre,
            post=attributes.post,
            mode=attributes.mode,
            content="exact" if case.exact else "uniform",
            bias=case.bias != "none",
            bias_by_set_input=case.bias_by_set_input,
            weights=case.weights,
            scales="each" if quantize is not None and len(quantize.kernel) > 1 else "one",
            quantize_output=quantize is not None and quantize.output is not None,
            io_quantization=quantize is not None and quantize.io_quantization,
            pairs=_pairs(quantize),
            prologue=tuple(dict.fromkeys(step.op for step in case.prologue)),
            joined="addend" if any(step.of == "addend" for step in case.epilogue) else "input",
            epilogue=tuple(step.op for step in case.epilogue if step.op not in operations.NOT_DRAWN),
            free=tuple(free),
            leading=first,
            input_format=case.formats.input,
            output_format=case.formats.output,
            typing=case.typing,
        )
    )


def _pairs(quantize: Quantize | None) -> Pairs:
    """Which operands pass through Q and DQ, and whether DQ of the input has another scale."""
    if quantize is None or quantize.is_plain:
        return "both"
    return quantize.only or "rescaled"
