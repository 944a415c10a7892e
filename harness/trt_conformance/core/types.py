"""The closed sets of names that cases and verdicts use, and the base class of all models."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

Phase = Literal["lint", "network", "build", "run", "compare", "latency"]
PHASES: tuple[Phase, ...] = get_args(Phase)
RejectPhase = Literal["set", "network", "build", "run"]
Precision = Literal["fp32", "tf32", "fp16", "bf16", "int8", "fp8"]
DataType = Literal["float32", "float16", "bfloat16", "int8", "float8", "uint8"]
Tier = Literal["smoke", "ci", "nightly"]
WeightsBy = Literal["constructor", "setters", "set_input"]
"""How the layer gets its kernel."""
Misuse = Literal["other_name", "other_type", "other_shape", "misaligned", "null_address"]
"""What is wrong with the input of a run that must be refused."""
GoldenKind = Literal["tensors", "hash", "computed"]
"""How an expected output is stored: as tensors, as a hash with which the computed output is compared, or not at all."""
PaddingMode = Literal[
    "EXPLICIT_ROUND_DOWN",
    "EXPLICIT_ROUND_UP",
    "SAME_UPPER",
    "SAME_LOWER",
    "CAFFE_ROUND_DOWN",
    "CAFFE_ROUND_UP",
]
Fill = Literal[
    "tiled_1_to_9",
    "powers_of_ten",
    "powers_of_ten_alternating",
    "zeros",
    "ones",
    "ramp",
    "uniform",
    "exact_integers",
    "ternary",
    "sparse_ternary",
    "two_of_four",
    "int8_full_range",
    "uint8_full_range",
    "int8_extremes",
    "int8_ties",
    "uniform_20_bits",
    "integers_13_bits",
    "octaves",
    "octaves_positive",
    "octaves_half_zero",
    "octaves_first_large",
]
OCTAVES: tuple[Fill, ...] = ("octaves", "octaves_positive", "octaves_half_zero", "octaves_first_large")
"""Fills that need exponents."""

Format = Literal[
    "LINEAR",
    "CHW2",
    "CHW4",
    "CHW16",
    "CHW32",
    "HWC",
    "HWC8",
    "HWC16",
    "DHWC",
    "DHWC8",
    "CDHW32",
    "DLA_LINEAR",
    "DLA_HWC4",
]

# The tensor type that a precision reads and writes. Networks with Q/DQ read and write float32.
DATA_TYPE: dict[Precision, DataType] = {
    "fp32": "float32",
    "tf32": "float32",
    "fp16": "float16",
    "bf16": "bfloat16",
    "int8": "float32",
    "fp8": "float32",
}

TYPE_NAME: dict[DataType, str] = {
    "float32": "FLOAT",
    "float16": "HALF",
    "bfloat16": "BF16",
    "int8": "INT8",
    "float8": "FP8",
    "uint8": "UINT8",
}
"""The members of TensorRT's DataType."""

# Precisions that compute between Q and DQ.
QUANTIZED_PRECISIONS: tuple[Precision, ...] = ("int8", "fp8")

# The linter refuses larger tensors: this is TensorRT's own limit.
MAX_ELEMENTS = 2**31

_Int = Annotated[int, Field(strict=True)]
_Positive = Annotated[int, Field(strict=True, ge=1)]
_Size = Annotated[int, Field(strict=True, ge=0)]
# TOML arrays are read as lists, which a strict tuple would refuse.
Ints = Annotated[tuple[_Int, ...], Field(strict=False, min_length=1, max_length=8)]
Shape = Annotated[tuple[_Size, ...], Field(strict=False, min_length=1, max_length=8)]
Exponents = Annotated[
    tuple[Annotated[_Int, Field(ge=-1022, le=1023)], Annotated[_Int, Field(ge=-1022, le=1023)]], Field(strict=False)
]
"""The lowest and the highest exponent of a fill of octaves."""
Floats = Annotated[tuple[float, ...], Field(strict=False, min_length=1)]
Texts = Annotated[tuple[str, ...], Field(strict=False)]
AttributeValue = _Int | Ints | PaddingMode
NAME_PATTERN = r"^[a-z0-9][a-z0-9_]*$"
CaseName = Annotated[str, Field(pattern=NAME_PATTERN, max_length=80)]
ArithmeticName = Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
CLAIM_PATTERN = r"^[a-z0-9_]+\.[a-z0-9_]+$"
ClaimId = Annotated[str, Field(pattern=CLAIM_PATTERN)]


Constraint = Literal[
    "kernel_has_two_or_three_axes",
    "input_has_batch_and_channels",
    "one_value_per_axis",
    "groups_divide_channels",
    "groups_divide_maps",
    "kernel_fits_groups",
    "attributes_in_range",
    "input_is_not_empty",
    "window_fits",
    "padded_input_is_addressable",
    "channels_are_static",
]
"""What a convolution must satisfy. Case files, mutants and refusals name a constraint by its label.

kernel_has_two_or_three_axes: the window has 2 or 3 dimensions. input_has_batch_and_channels: the input has at least a
batch dimension, the channels, and the window's dimensions. one_value_per_axis: stride, padding and dilation have one
value for each axis. groups_divide_channels, groups_divide_maps: the groups divide the input channels, the output maps.
kernel_fits_groups: the kernel has as many channels as a group. attributes_in_range: window, stride and dilation are at
least 1, padding at least 0. input_is_not_empty: the SAME modes need an element on each axis. window_fits: the dilated
window is not larger than the padded input. padded_input_is_addressable: the windows reach less than 2^31 elements along
an axis. channels_are_static: the channels are not a dynamic dimension.
"""


class Model(BaseModel):
    """Strict (no coercion), frozen and closed (an unknown key is an error)."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


Mode = Literal["kernel", "graph", "enqueue", "end_to_end", "host"]
"""What is timed.

kernel: the sum of the durations of an enqueue's GPU kernels. graph: many enqueues in one CUDA graph, divided by their
number. enqueue: one enqueue between two events. end_to_end: one enqueue with the transfers before and after it. host:
one call, by the host's clock.
"""
MODES: tuple[Mode, ...] = get_args(Mode)

Cold = Literal["all", "weights"]
"""What is not in the GPU's caches when a sample begins; weights: the input is cached, as after another layer."""
COLDS: tuple[Cold, ...] = get_args(Cold)

Effort = Literal["quick", "full"]
"""How long a latency is measured: quick, about 10 ms; full, until its median is precise."""

LatencyChoice = Literal["off", "quick", "full"]
"""Which latencies a run takes: none, a quick one of every case, or a full one of each timed case."""
LATENCY_CHOICES: tuple[LatencyChoice, ...] = get_args(LatencyChoice)
