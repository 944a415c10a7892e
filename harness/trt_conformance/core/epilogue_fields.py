"""The fields of a case about the operations after the layer."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field

from trt_conformance.core.attributes import Attributes, _attributes
from trt_conformance.core.types import AttributeValue, Fill, Floats, Ints, Model, _Positive, _Size

EpilogueName = Literal[
    "relu",
    "clip",
    "leaky_relu",
    "sigmoid",
    "tanh",
    "silu",
    "hard_swish",
    "gelu",
    "gelu_tanh",
    "elu",
    "selu",
    "softsign",
    "softplus",
    "hard_sigmoid",
    "scale",
    "max_pool",
    "average_pool",
    "convolution",
    "quantize",
    "add",
    "min",
    "max",
    "concat",
]
EPILOGUES: tuple[EpilogueName, ...] = get_args(EpilogueName)
JOINS: tuple[EpilogueName, ...] = ("add", "min", "max")
"""Operations with the network's own input, or with its addend, element by element."""
POOLINGS: tuple[EpilogueName, ...] = ("max_pool", "average_pool")
ROUNDING: tuple[EpilogueName, ...] = (
    "leaky_relu",
    "sigmoid",
    "tanh",
    "silu",
    "hard_swish",
    "gelu",
    "gelu_tanh",
    "elu",
    "selu",
    "softsign",
    "softplus",
    "hard_sigmoid",
    "scale",
    "average_pool",
)
"""Operations that round even if their operands are exact."""
NO_LIMIT = 3.4028234663852886e38
"""The largest float32, and with its sign changed the lowest: as an end of a clip, it limits nothing in any type."""


class FurtherLayer(Model):
    """A convolution after the layer: its kernel, ``(K, C/groups, *window)``, its bias, and its attributes.

    The bias is filled with the seed that follows the kernel's. ``scale``: the kernel passes through Q and DQ of one
    scale, or of one for each output map.
    """

    shape: Annotated[tuple[_Positive, ...], Field(strict=False, min_length=4, max_length=5)]
    fill: Fill
    seed: _Size = 0
    bias: Fill | None = None
    stride_nd: Ints | None = None
    padding_nd: Ints | None = None
    dilation_nd: Ints | None = None
    num_groups: _Positive | None = None
    scale: Floats | None = None

    @property
    def assignments(self) -> dict[str, AttributeValue]:
        """The attributes that are set, by name."""
        given = {
            "stride_nd": self.stride_nd,
            "padding_nd": self.padding_nd,
            "dilation_nd": self.dilation_nd,
            "num_groups": self.num_groups,
        }
        return {name: value for name, value in given.items() if value is not None}

    @property
    def attributes(self) -> Attributes:
        return _attributes(tuple(self.assignments.items()), len(self.shape) - 2)


class EpilogueOperation(Model):
    """An operation after the layer: an activation, one that rescales, or one that joins another tensor to the output.

    relu: max(y, 0). clip: y limited to [low, high]. leaky_relu: y, times alpha below 0. sigmoid: 1 / (1 + exp(-y)).
    tanh. silu: y sigmoid(y). hard_swish: y min(max(y/6 + 1/2, 0), 1). gelu: y (1 + erf(y / sqrt 2)) / 2. gelu_tanh:
    y (1 + tanh((y + 0.044715 y^3) sqrt(2 / pi))) / 2. elu: y, exp(y) - 1 below 0. selu: lambda y, lambda alpha
    (exp(y) - 1) below 0, by the constants of its paper. softsign: y / (1 + |y|). softplus: log(1 + exp(y)).
    hard_sigmoid: min(max(y/5 + 1/2, 0), 1). scale: y scale + shift, one value or one for each map. max_pool,
    average_pool: the largest of each window, its mean; windows do not overlap.
    convolution: another layer.
    quantize: Q and DQ of one scale, to the type that the precision names. add: y + operand. min, max: the smaller, the
    larger of y and the operand. concat: y, then the input, along C.

    ``of``: the operand, which is the network's input or its addend. ``of_scale``: the operand passes through Q and DQ.
    """

    op: EpilogueName
    low: float | None = None
    high: float | None = None
    alpha: float | None = None
    scale: Floats | None = None
    shift: Floats | None = None
    window: Ints | None = None
    layer: FurtherLayer | None = None
    of: Literal["input", "addend"] = "input"
    of_scale: float | None = None
