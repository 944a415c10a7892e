"""The case model: everything that a case file may contain, closed and strict.

The names of layer attributes are TensorRT's own (``IConvolutionLayer`` in NvInfer.h).
Shapes are tuples of ints: input ``(N, C, *spatial)``, kernel ``(K, C/groups, *window)``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import Field, InstanceOf
from pydantic.json_schema import SkipJsonSchema

from trt_conformance.core.attributes import Attributes, _attributes
from trt_conformance.core.builder_fields import Builder, BuilderFacts
from trt_conformance.core.case_folder import SUITE, CaseFolder
from trt_conformance.core.engine_fields import EngineReport
from trt_conformance.core.epilogue_fields import EpilogueOperation
from trt_conformance.core.network_fields import LayerAttributes, Network
from trt_conformance.core.prologue import layer_shape
from trt_conformance.core.prologue_fields import PrologueOperation
from trt_conformance.core.quantization_fields import Quantize
from trt_conformance.core.refit_fields import Refit
from trt_conformance.core.repeated import Values
from trt_conformance.core.runs_in import RunsIn
from trt_conformance.core.stored import Stored
from trt_conformance.core.types import (
    DATA_TYPE,
    ArithmeticName,
    AttributeValue,
    CaseName,
    ClaimId,
    Constraint,
    DataType,
    Exponents,
    Fill,
    Format,
    GoldenKind,
    Ints,
    Misuse,
    Model,
    Precision,
    RejectPhase,
    Shape,
    Texts,
    Tier,
    WeightsBy,
    _Positive,
    _Size,
)

_WHERE_STORED = {"stored": {"file"}}


class TensorSpec(Model):
    """A tensor and its content: the name of a deterministic fill, the values, or, of a kernel, a file with them.

    Values that repeat may be written once: ``{ times = 12, values = [65] }`` among them stands for twelve.
    ``exponents`` are the lowest and the highest of a fill of octaves.
    """

    shape: Shape
    fill: Fill | None = None
    exponents: Exponents | None = None
    values: Values | None = None
    stored: Stored | None = None
    seed: _Size = 0


class BiasSpec(Model):
    """The bias, one value for each output map: the name of a deterministic fill, the values, or a file with them."""

    fill: Fill | None = None
    values: Values | None = None
    stored: Stored | None = None
    seed: _Size = 0


class Formats(Model):
    """Memory layouts of the network's input and output, and the content of the input's elements that pad a vector.

    ``also``: layouts that are allowed, too, for both; the builder chooses one. ``stated``: a document states that the
    layouts hold the types, so that a version that refuses them fails, instead of not having them.
    """

    input: Format = "LINEAR"
    output: Format = "LINEAR"
    padding: Literal["zeros", "nan"] = "zeros"
    also: Annotated[tuple[Format, ...], Field(strict=False)] = ()
    stated: bool = False


class Types(Model):
    """Types of the network's input or of the layer's weights that differ from the precision."""

    input: Literal["int32", "int64", "bool", "uint8", "float16", "float32"] | None = None
    kernel: Literal["float16", "float32", "float64"] | None = None
    bias: Literal["float16", "float32"] | None = None


class Shapes(Model):
    """Shapes of the kernel and bias that differ from those that the attributes require; the layer refuses them."""

    kernel: Shape | None = None
    bias: Shape | None = None


class Profile(Model):
    """The smallest, the most likely and the largest shape of the input."""

    min: Shape
    opt: Shape
    max: Shape


class Dynamic(Profile):
    """Run-time dimensions: ``shape`` with -1 if dynamic, the profile that is run, and the shapes to run.

    ``profile``: "none" leaves the profile out. ``further_profiles``: added after the profile that is run.
    """

    shape: Ints
    profile: Literal["first", "none"] = "first"
    further_profiles: Annotated[tuple[Profile, ...], Field(strict=False)] = ()
    run: Annotated[tuple[Shape, ...], Field(strict=False, min_length=1)]


class Rejection(Model):
    """The phase in which a target refuses, and a regular expression that its error matches.

    set: a setter of the layer logs the error, and the attribute does not change.
    """

    phase: RejectPhase
    error: Annotated[str, Field(min_length=8)]


class Reject(Model):
    """A refusal that is expected: of every target (`phase`, `error`), or by target (`on`, a glob on its name).

    ``neighbor`` is an accepted case that differs only in what is refused. ``constraint`` is the
    label of the constraint that the case violates, where the reference knows it.
    """

    phase: RejectPhase | None = None
    error: Annotated[str, Field(min_length=8)] | None = None
    on: dict[str, Rejection] = Field(default_factory=dict)
    neighbor: str | None = None
    constraint: Constraint | None = None


class Expect(Model):
    """The result that the Cookbook, or another source, states."""

    shape: Shape | None = None
    printed: str | None = None
    ideal: str | None = None
    attributes: LayerAttributes | None = None
    builder: BuilderFacts | None = None
    engine: EngineReport | None = None


class Relation(Model):
    """How the output relates to that of another case, or to its own input.

    equal: the same bits, or within both bounds where two builds chose different tactics. channel_sum: the
    sum of the other's channels. group_slices: each group's slice convolved alone, concatenated.
    units_digit: the units digit of each output is the input at the center of the window.
    """

    kind: Literal["equal", "channel_sum", "group_slices", "units_digit"]
    to: str | None = None


class Deprecated(Model):
    """A deprecated name of the API, the name that replaces it, and the DeprecationWarning that it gives."""

    name: Literal["add_convolution", "kernel_size", "stride", "padding", "dilation"]
    new: Literal["add_convolution_nd", "kernel_size_nd", "stride_nd", "padding_nd", "dilation_nd"]
    warning: str


# What of `quantize` changes no value.
_WITHOUT_VALUES = {"io_quantization", "stored", "zero_point"}


class Case(Model):
    """One configuration of the convolution layer with its data.

    The fields come in four groups: where the case is from, the layer and its data, how the layer is built and run, and
    what is expected of it.

    ``set`` has the layer's attributes in the order in which they are assigned. ``exact``: no sum is rounded, so no
    error is allowed. ``rounding``: the errors of all elements together are judged, too. ``special_values``: the case
    checks how NaN and infinities propagate. ``distinguishes``: the value that each arithmetic gives for the first
    output element. ``batch``: the first dimension of the input, where the file lists several. ``occurrences``: how
    often the layer occurs in the model that the case is from. A case with ``latency`` is timed; such a case, and a
    ``large`` one, runs only on request. ``golden``: how the expected output is stored, if its size does not decide.
    ``misuse``: what is wrong with the way in which the engine is run. ``declared_first``: the shape that the network's
    input has until its layer is added. ``addend``: a second input of the network, which an operation before or after
    the layer reads. ``tier``: the smallest tier that contains a case generated by a sweep.
    """

    id: str
    name: CaseName
    file: str
    line: int
    folder: Annotated[SkipJsonSchema[InstanceOf[CaseFolder]], Field(exclude=True)] = SUITE
    tier: Tier | None = None
    section: str
    doc: Annotated[str, Field(min_length=8, max_length=160)]
    claims: Annotated[tuple[ClaimId, ...], Field(strict=False)] = ()
    source: str | None = None
    errata: Texts = ()

    # The layer and its data.
    input: TensorSpec
    kernel: TensorSpec
    bias: BiasSpec | Literal["none"] = "none"
    set: dict[str, AttributeValue] = Field(default_factory=dict)
    precision: Precision = "fp32"
    batch: _Positive | None = None
    occurrences: _Positive | None = None
    latency: bool = False
    large: bool = False
    golden: GoldenKind | None = None
    weights: WeightsBy = "constructor"
    bias_by_set_input: bool = False
    empty_weights: Literal["trt.Weights()", "np.array([])", "the kernel", "the bias"] = "trt.Weights()"
    quantize: Quantize | None = None
    typing: Literal["weak", "strong"] | None = None
    types: Types = Types()
    shapes: Shapes = Shapes()
    formats: Formats = Formats()
    network: Network = Network()
    builder: Builder = Builder()
    refit: Refit | None = None
    prologue: Annotated[tuple[PrologueOperation, ...], Field(strict=False)] = ()
    epilogue: Annotated[tuple[EpilogueOperation, ...], Field(strict=False)] = ()
    addend: TensorSpec | None = None
    dynamic: Dynamic | None = None
    declared_first: Shape | None = None
    misuse: Misuse | None = None
    runs_in: Precision | RunsIn | None = None
    exact: bool = False
    rounding: bool = False
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
    def file_in_folder(self) -> str:
        """The path of the case file within its folder of cases: ``convolution/stride_nd.toml``."""
        return PurePosixPath(self.file).relative_to(self.folder.name).as_posix()

    @property
    def location(self) -> str:
        return f"{self.file}:{self.line}"

    @property
    def data_type(self) -> DataType:
        between = None if self.quantize is None else self.quantize.between
        return between or DATA_TYPE[self.precision]

    @property
    def quantized_type(self) -> DataType:
        """The type to which a quantized precision quantizes."""
        return "float8" if self.precision == "fp8" else "int8"

    @property
    def input_type(self) -> DataType:
        """The type that the network reads."""
        if self.prologue and self.prologue[0].op == "cast":
            return "uint8"
        return self.quantized_type if self.quantize is not None and self.quantize.io_quantization else self.data_type

    @property
    def output_type(self) -> DataType:
        """The type that the network writes."""
        quantize = self.quantize
        io_quantization = quantize is not None and quantize.io_quantization and quantize.output is not None
        return self.quantized_type if io_quantization else self.data_type

    @property
    def is_quantized_implicitly(self) -> bool:
        """Whether the network is quantized by a dynamic range, without Q and DQ; it is then weakly typed."""
        return self.quantize is not None and self.quantize.is_implicit

    @property
    def spatial_rank(self) -> int:
        return len(self.kernel.shape) - 2

    @property
    def network_shape(self) -> tuple[int, ...]:
        """The input shape that the network declares, -1 if it is dynamic."""
        return self.dynamic.shape if self.dynamic else self.input.shape

    @property
    def run_shapes(self) -> tuple[tuple[int, ...], ...]:
        """The input shapes that are run."""
        return self.dynamic.run if self.dynamic else (self.input.shape,)

    def layer_shape(self, run_shape: Sequence[int]) -> tuple[int, ...]:
        """The shape of the layer's input in a run: that of the network's input after the prologue."""
        addend = () if self.addend is None else self.addend.shape
        return layer_shape(self.prologue, self.spatial_rank, run_shape, addend)

    @property
    def attributes(self) -> Attributes:
        return _attributes(tuple(self.set.items()), self.spatial_rank)

    def rejection_on(self, target: str) -> Rejection | None:
        """Return the refusal expected of a target: that of the first matching ``on`` pattern, else the general one."""
        if self.reject is None:
            return None
        for pattern, rejection in self.reject.on.items():
            if fnmatchcase(target, pattern):
                return rejection
        if self.reject.phase is None or self.reject.error is None:
            return None
        return Rejection(phase=self.reject.phase, error=self.reject.error)

    def data_hash(self) -> str:
        """Return a SHA-256 over what determines the reference output: tensors, attributes, types and run shapes."""
        parts: dict[str, Any] = {
            "input": self.input.model_dump(exclude_defaults=True),
            "kernel": self.kernel.model_dump(exclude_defaults=True, exclude=_WHERE_STORED),
            "bias": self.bias
            if isinstance(self.bias, str)
            else self.bias.model_dump(exclude_defaults=True, exclude=_WHERE_STORED),
            "attributes": self.attributes.model_dump(),
            "quantize": self.quantize.model_dump(exclude_defaults=True, exclude=_WITHOUT_VALUES)
            if self.quantize
            else None,
            "runs": self.run_shapes,
            "data_type": self.data_type,
        }
        if self.precision == "fp8":
            parts["quantized_to"] = "fp8"
        if self.prologue:
            addend = None if self.addend is None else self.addend.model_dump(exclude_defaults=True)
            parts["prologue"] = [[step.model_dump(exclude_defaults=True) for step in self.prologue], addend]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
