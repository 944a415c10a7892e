"""The fields of a case about the operations before the layer."""

from __future__ import annotations

from typing import Literal

from trt_conformance.core.types import Ints, Model

PrologueName = Literal["cast", "relu", "pad", "slice", "max_pool", "concat"]


class PrologueOperation(Model):
    """An operation between the network's input and the layer. Each copies values or zeros, so none of them rounds.

    cast: the network reads uint8, which a cast turns into the type of the case. relu: max(x, 0). pad: zeros before and
    after the last two axes, ``pre_padding`` and ``post_padding`` of them. slice: the elements ``start + i stride`` of
    each axis, ``shape`` of them. max_pool: the largest of each window, which do not overlap. concat: x, then the
    network's addend, along C.
    """

    op: PrologueName
    pre_padding: Ints | None = None
    post_padding: Ints | None = None
    start: Ints | None = None
    shape: Ints | None = None
    stride: Ints | None = None
    window: Ints | None = None
