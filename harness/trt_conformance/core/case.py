"""The case model: what a case file may say, closed and strict.

Names of layer attributes are TensorRT's own (``IConvolutionLayer`` in NvInfer.h).
Shapes are tuples of ints: input ``(N, C, *spatial)``, kernel ``(K, C/groups, *window)``.
"""

from __future__ import annotations

import hashlib
import json
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal

from pydantic import Field

from trt_conformance.core.attributes import Attributes, _attributes
from trt_conformance.core.types import (
    DATA_TYPE,
    ArithmeticName,
    AttributeValue,
    CaseName,
    ClaimId,
    Constraint,
    DataType,
    Fill,
    Floats,
    Format,
    Ints,
    Model,
    PaddingMode,
    Precision,
    RejectPhase,
    Shape,
    Texts,
    Tier,
    _Int,
    _Positive,
    _Size,
)


class TensorSpec(Model):
    """A tensor and its deterministic content: either a fill or the values themselves."""

    shape: Shape
    fill: Fill | None = None
    values: Floats | None = None
    seed: _Size = 0


class BiasSpec(Model):
    """The bias, one value an output map: either a fill or the values themselves."""

    fill: Fill | None = None
    values: Floats | None = None
    seed: _Size = 0


class Quantize(Model):
    """Q/DQ around the layer's input and kernel, and optionally behind its output; to the type the precision names.

    Scales are build-time constants; ``kernel`` holds one scale, or one for each output map. ``io_quantization``: the
    network reads its input quantized, and writes its output so where that has a scale; the caller does the rest.
    """

    input: Annotated[float, Field(gt=0)]
    kernel: Floats
    output: Annotated[float, Field(gt=0)] | None = None
    io_quantization: bool = False


class Formats(Model):
    """Memory layouts of the network's input and output, and what lies in the places of the input that pad a vector."""

    input: Format = "LINEAR"
    output: Format = "LINEAR"
    padding: Literal["zeros", "nan"] = "zeros"


class Types(Model):
    """Types that the network's input or the layer's weights have against the precision: what a network may not mix."""

    input: Literal["int32", "float16", "float32"] | None = None
    kernel: Literal["float16", "float32", "float64"] | None = None
    bias: Literal["float16", "float32"] | None = None


class Shapes(Model):
    """Shapes in which the layer is given its kernel and bias against those its attributes ask for: what is refused."""

    kernel: Shape | None = None
    bias: Shape | None = None


class EpilogueOperation(Model):
    """An operation behind the layer: an activation, or one that joins the network's own input to the output.

    relu: max(y, 0). clip: y within [low, high]. add: y + input. concat: y, then the input, along C.
    """

    op: Literal["relu", "clip", "add", "concat"]
    low: float | None = None
    high: float | None = None


class Dynamic(Model):
    """Run-time dimensions: ``shape`` with -1 where dynamic, one profile, and the shapes to run."""

    shape: Ints
    min: Shape
    opt: Shape
    max: Shape
    run: Annotated[tuple[Shape, ...], Field(strict=False, min_length=1)]


class Rejection(Model):
    """The phase in which a target refuses, and a regular expression found in its error.

    set: a setter of the layer logs the error and keeps the value it had.
    """

    phase: RejectPhase
    error: Annotated[str, Field(min_length=8)]


class Reject(Model):
    """What is refused: everywhere alike (`phase`, `error`), or by target (`on`, a glob on the target's name).

    ``neighbour`` is the accepted case beside it, which differs in the one thing that is refused. ``constraint`` is the
    label of the constraint that the case violates, where the reference knows it.
    """

    phase: RejectPhase | None = None
    error: Annotated[str, Field(min_length=8)] | None = None
    on: dict[str, Rejection] = Field(default_factory=dict)
    neighbour: str | None = None
    constraint: Constraint | None = None


class LayerAttributes(Model):
    """Attributes as the layer itself reports them."""

    kernel_size_nd: Ints | None = None
    num_output_maps: _Int | None = None
    stride_nd: Ints | None = None
    padding_nd: Ints | None = None
    pre_padding: Ints | None = None
    post_padding: Ints | None = None
    padding_mode: PaddingMode | None = None
    dilation_nd: Ints | None = None
    num_groups: _Int | None = None


class Expect(Model):
    """What the document (or another source) states of the result."""

    shape: Shape | None = None
    printed: str | None = None
    ideal: str | None = None
    attributes: LayerAttributes | None = None


class Relation(Model):
    """How the output relates to that of another case, or to its own input.

    equal: the same bits, or within both bounds where two builds chose different kernels. channel_sum: the
    sum of the other's channels. group_slices: each group's slice convolved alone, concatenated.
    units_digit: the units digit of each output is the input under the window's centre.
    """

    kind: Literal["equal", "channel_sum", "group_slices", "units_digit"]
    to: str | None = None


class Deprecated(Model):
    """An old name of the API, the name that replaces it, and the DeprecationWarning it gives."""

    name: Literal["add_convolution", "kernel_size", "stride", "padding", "dilation"]
    new: Literal["add_convolution_nd", "kernel_size_nd", "stride_nd", "padding_nd", "dilation_nd"]
    warning: str


class Case(Model):
    """One configuration of the convolution layer with its data.

    ``set`` holds the layer's attributes in the order they are assigned. ``exact`` says that no sum is rounded, so
    that no error is allowed; ``special_values`` asks how NaN and infinities travel; ``distinguishes`` names the
    arithmetic that gives the output's first element each value. ``batch`` is the first dimension of the input where
    the file lists several. A case with ``latency`` is timed, and run only where that is asked for; so is a ``large``
    one. ``misuse`` is what is wrong with how the engine is run. ``declared_first`` is a shape that the network's
    input has until its layer is added. ``tier`` is the smallest tier that holds a case generated by a sweep.
    """

    id: str
    name: CaseName
    file: str
    line: int
    tier: Tier | None = None
    section: str
    doc: Annotated[str, Field(min_length=8, max_length=160)]
    claims: Annotated[tuple[ClaimId, ...], Field(strict=False)] = ()
    source: str | None = None
    errata: Texts = ()

    input: TensorSpec
    kernel: TensorSpec
    bias: BiasSpec | Literal["none"] = "none"
    set: dict[str, AttributeValue] = Field(default_factory=dict)
    precision: Precision = "fp32"
    batch: _Positive | None = None
    latency: bool = False
    large: bool = False
    weights: Literal["constructor", "setters", "set_input"] = "constructor"
    bias_by_set_input: bool = False
    empty_weights: Literal["trt.Weights()", "np.array([])", "the kernel", "the bias"] = "trt.Weights()"
    quantize: Quantize | None = None
    typing: Literal["weak", "strong"] | None = None
    types: Types = Types()
    shapes: Shapes = Shapes()
    formats: Formats = Formats()
    epilogue: Annotated[tuple[EpilogueOperation, ...], Field(strict=False)] = ()
    dynamic: Dynamic | None = None
    declared_first: Shape | None = None
    misuse: Literal["other_name", "other_type", "other_shape", "misaligned"] | None = None
    runs_in: Precision | None = None
    exact: bool = False
    special_values: bool = False
    distinguishes: dict[ArithmeticName, float] = Field(default_factory=dict)

    expect: Expect = Expect()
    relations: Annotated[tuple[Relation, ...], Field(strict=False)] = ()
    reject: Reject | None = None
    deprecated: Deprecated | None = None

    @property
    def base_id(self) -> str:
        """The id without its precision: ``stride_nd/h2_w2``."""
        return self.id.removesuffix(f"-{self.precision}")

    @property
    def location(self) -> str:
        return f"{self.file}:{self.line}"

    @property
    def data_type(self) -> DataType:
        return DATA_TYPE[self.precision]

    @property
    def quantized_type(self) -> DataType:
        """What Q of a quantized precision gives."""
        return "float8" if self.precision == "fp8" else "int8"

    @property
    def input_type(self) -> DataType:
        """What the network reads."""
        return self.quantized_type if self.quantize is not None and self.quantize.io_quantization else self.data_type

    @property
    def output_type(self) -> DataType:
        """What the network writes."""
        quantize = self.quantize
        io_quantization = quantize is not None and quantize.io_quantization and quantize.output is not None
        return self.quantized_type if io_quantization else self.data_type

    @property
    def spatial_rank(self) -> int:
        return len(self.kernel.shape) - 2

    @property
    def network_shape(self) -> tuple[int, ...]:
        """The input shape the network declares, -1 where dynamic."""
        return self.dynamic.shape if self.dynamic else self.input.shape

    @property
    def run_shapes(self) -> tuple[tuple[int, ...], ...]:
        """The input shapes to run."""
        return self.dynamic.run if self.dynamic else (self.input.shape,)

    @property
    def attributes(self) -> Attributes:
        return _attributes(tuple(self.set.items()), self.spatial_rank)

    def rejection_on(self, target: str) -> Rejection | None:
        """The refusal expected of a target: the first matching ``on`` pattern, else the general one, if any."""
        if self.reject is None:
            return None
        for pattern, rejection in self.reject.on.items():
            if fnmatchcase(target, pattern):
                return rejection
        if self.reject.phase is None or self.reject.error is None:
            return None
        return Rejection(phase=self.reject.phase, error=self.reject.error)

    def data_hash(self) -> str:
        """SHA-256 over what decides the reference output: tensors, attributes, types and run shapes."""
        parts: dict[str, Any] = {
            "input": self.input.model_dump(exclude_defaults=True),
            "kernel": self.kernel.model_dump(exclude_defaults=True),
            "bias": self.bias if isinstance(self.bias, str) else self.bias.model_dump(exclude_defaults=True),
            "attributes": self.attributes.model_dump(),
            "quantize": self.quantize.model_dump(exclude_defaults=True, exclude={"io_quantization"})
            if self.quantize
            else None,
            "runs": self.run_shapes,
            "data_type": self.data_type,
        }
        if self.precision == "fp8":
            parts["quantized_to"] = "fp8"
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
