"""The fields of a case about refitting: its engine is built with other weights, and then given those of the case."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from trt_conformance.core.types import Fill, Model, _Size

RefitRole = Literal["KERNEL", "BIAS", "SHIFT", "SCALE", "CONSTANT", "ANY"]
RefitType = Literal["FLOAT", "HALF", "INT8", "INT32"]


class Filled(Model):
    """The content of weights by the name of a deterministic fill."""

    fill: Fill
    seed: _Size = 0


BuiltWith = Filled | Literal["the same"]
"""The weights that an engine is built with: other ones, or those of the case."""


class Misrefit(Model):
    """The error in weights that must be refused; unstated properties are correct.

    ``layer``: the name of another layer, or the constant with the scale of the input's Q and DQ. ``role``, ``type``:
    under TensorRT's names. ``count``: the number of values.
    """

    layer: Literal["another", "input_scale"] | None = None
    role: RefitRole | None = None
    type: RefitType | None = None
    count: Annotated[int, Field(strict=True, ge=0)] | None = None


class Refit(Model):
    """The engine is built with other weights, and an ``IRefitter`` then gives it those of the case.

    ``kernel``, ``bias``: what it is built with, where that is refitted. ``by``: the method that gives the weights.
    ``wrong``: instead, one call gives the kernel's weights with this mistake, and must be refused; the bias's, if
    ``kernel`` is not refitted.
    """

    kernel: BuiltWith | None = None
    bias: BuiltWith | None = None
    by: Literal["set_weights", "set_named_weights"] = "set_weights"
    wrong: Misrefit | None = None
