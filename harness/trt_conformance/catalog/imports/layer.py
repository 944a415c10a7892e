"""A convolution as a source states it, before it becomes a case."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trt_conformance.core.epilogue_fields import EpilogueOperation
from trt_conformance.core.quantization_fields import Quantize
from trt_conformance.core.tensors import NUMPY_TYPE
from trt_conformance.core.types import DATA_TYPE, Format, PaddingMode, Precision

Shape = tuple[int, ...]

_ONE_STEP = 0.007874016
"""1/127: the scale of int8 for data in [-1, 1)."""


class NotExpressible(Exception):
    """A convolution that a case cannot express; the message is the reason."""


@dataclass(frozen=True)
class ImportedWeights:
    """The kernel ``(K, C/groups, *window)`` and the bias ``(K,)`` of a model; weights of one digest are equal."""

    digest: str
    kernel: NDArray[Any] = field(compare=False, repr=False)
    bias: NDArray[Any] | None = field(compare=False, repr=False)

    @classmethod
    def of(cls, kernel: NDArray[Any], bias: NDArray[Any] | None) -> ImportedWeights:
        found = hashlib.sha256(kernel.tobytes())
        found.update(b"" if bias is None else bias.tobytes())
        return cls(found.hexdigest(), kernel, bias)


@dataclass(frozen=True)
class ImportedLayer:
    """One convolution: input ``(N, C, *spatial)``, kernel ``(K, C/groups, *window)``, one value per spatial axis.

    ``where`` is its place in the source, ``also`` are the places of equal ones, ``text`` the source's own words for it,
    and ``output`` the spatial output size that the source states, if it does.
    """

    input: Shape
    kernel: Shape
    stride: Shape
    pre: Shape
    post: Shape
    dilation: Shape
    text: str
    name: str = ""
    where: str = ""
    groups: int = 1
    padding_mode: PaddingMode = "EXPLICIT_ROUND_DOWN"
    has_bias: bool = False
    precision: Precision = "fp32"
    quantize: Quantize | None = None
    epilogue: tuple[EpilogueOperation, ...] = ()
    formats: tuple[Format, Format] = ("LINEAR", "LINEAR")
    output: Shape | None = None
    weights: ImportedWeights | None = None
    occurrences: int = 1
    also: tuple[str, ...] = ()

    @property
    def rank(self) -> int:
        return len(self.kernel) - 2


@dataclass(frozen=True)
class LeftOut:
    """A convolution that did not become a case, and why."""

    where: str
    text: str
    reason: str
    occurrences: int = 1


@dataclass(frozen=True)
class Listing:
    """What was read of one source: its kind (``benchdnn list``), its name, and its convolutions.

    ``batch`` is the first dimension of a model's input, and ``inputs`` are the names of its inputs. ``about`` says what
    else identifies the source, a line each.
    """

    kind: str
    name: str
    layers: list[ImportedLayer]
    left_out: list[LeftOut] = field(default_factory=list)
    batch: int | None = None
    inputs: frozenset[str] = frozenset()
    about: tuple[str, ...] = ()


def merged(layers: Iterable[ImportedLayer]) -> list[ImportedLayer]:
    """Each of several equal layers once, under the name of the first, with how often it occurs and the other places."""
    found: dict[ImportedLayer, list[ImportedLayer]] = {}
    for layer in layers:
        found.setdefault(replace(layer, name="", where="", text="", occurrences=1), []).append(layer)
    return [
        replace(same[0], occurrences=sum(one.occurrences for one in same), also=tuple(one.where for one in same[1:]))
        for same in found.values()
    ]


def in_two_dimensions(layer: ImportedLayer) -> ImportedLayer:
    """A layer with one spatial axis as the same convolution with two, whose H is 1; any other layer as it is."""
    if layer.rank != 1:
        return layer
    (n, c, w), (k, per_group, f) = layer.input, layer.kernel
    return replace(
        layer,
        text=f"{layer.text} (1D, stated with H = 1)",
        input=(n, c, 1, w),
        kernel=(k, per_group, 1, f),
        stride=(1, *layer.stride),
        pre=(0, *layer.pre),
        post=(0, *layer.post),
        dilation=(1, *layer.dilation),
        output=None if layer.output is None else (1, *layer.output),
    )


def generated_scales(kernel: Shape, count: int = 1, output: bool = True) -> Quantize:
    """Scales for data in [-1, 1): full range for input and kernel, four standard deviations for the output.

    ``count`` is the number of scales of the kernel.
    """
    range_of_sums = 4 * math.sqrt(math.prod(kernel[1:])) / 3
    scale = float(f"{range_of_sums / 127:.2g}") if output else None
    return Quantize(input=_ONE_STEP, kernel=(_ONE_STEP,) * count, output=scale)


def fitting_scales(weights: ImportedWeights) -> Quantize:
    """Scales for an input in [-1, 1) and given weights, one for each output map of the kernel.

    The output's is for four standard deviations of the widest map's sums, and the largest bias.
    """
    kernel = weights.kernel.astype(np.float64).reshape(len(weights.kernel), -1)
    largest = np.abs(kernel).max(axis=1)
    scales = np.where(largest > 0, largest, 1.0) / 127
    offset = 0.0 if weights.bias is None else float(np.abs(weights.bias.astype(np.float64)).max())
    widest = 4 * math.sqrt(float((kernel**2).sum(axis=1).max()) / 3) + offset
    output = float(f"{(widest or 1.0) / 127:.2g}")
    return Quantize(input=_ONE_STEP, kernel=tuple(float(np.float32(scale)) for scale in scales), output=output)


def unrepresentable(steps: Iterable[EpilogueOperation], precision: Precision) -> EpilogueOperation | None:
    """The first operation with a constant that the type of a precision does not have; None if there is none."""
    dtype = NUMPY_TYPE[DATA_TYPE[precision]]
    for step in steps:
        constants = [value for value in (step.low, step.high, step.alpha) if value is not None]
        constants += [*(step.scale or ()), *(step.shift or ())]
        with np.errstate(over="ignore"):
            if np.asarray(constants).astype(dtype).astype(np.float64).tolist() != constants:
                return step
    return None


def shape_name(layer: ImportedLayer) -> str:
    """A name made of the shape: ``n4_c1_161x700_k32_5x20_s2x2``. Defaults are left out."""
    n, c, *size = layer.input
    parts = [f"n{n}", f"c{c}", times(size), f"k{layer.kernel[0]}", times(layer.kernel[2:])]
    for letter, values, default in (
        ("s", layer.stride, 1),
        ("p", layer.pre, 0),
        ("q", layer.post if layer.post != layer.pre else (), 0),
        ("d", layer.dilation, 1),
    ):
        if any(value != default for value in values):
            parts.append(f"{letter}{times(values)}")
    if layer.groups > 1:
        parts.append(f"g{layer.groups}")
    return "_".join(parts)


def case_name(text: str, most: int) -> str:
    """The text as a case's name of at most ``most`` characters; empty if it has no letter and no digit."""
    return re.sub("[^a-z0-9]+", "_", text.lower()).strip("_")[:most].rstrip("_")


def times(values: Iterable[int]) -> str:
    """Sizes as people write them, such as 3x3."""
    return "x".join(map(str, values))
