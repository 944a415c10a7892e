"""The fields of a case about TensorRT's builder: options that the suite does not set itself, and what it says."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from trt_conformance.core.types import Model, _Int, _Size

Flag = Literal[
    "REFIT",
    "REFIT_IDENTICAL",
    "REFIT_INDIVIDUAL",
    "SPARSE_WEIGHTS",
    "STRICT_NANS",
    "DIRECT_IO",
    "STRIP_PLAN",
    "VERSION_COMPATIBLE",
    "WEIGHT_STREAMING",
    "OBEY_PRECISION_CONSTRAINTS",
    "PREFER_PRECISION_CONSTRAINTS",
    "FP16",
    "BF16",
]
ComputeCapability = Literal["SM75", "SM80", "SM86", "SM89", "SM120", "SM121"]
TacticSource = Literal["CUBLAS", "CUBLAS_LT", "CUDNN", "EDGE_MASK_CONVOLUTIONS", "JIT_CONVOLUTIONS"]
"""Every ``TacticSource`` of NvInfer.h from 8.5 to 10; a version may lack some."""


OBEY, PREFER = "OBEY_PRECISION_CONSTRAINTS", "PREFER_PRECISION_CONSTRAINTS"
"""The flags that make a builder keep to the precisions of layers; at most one of them is set."""


class Builder(Model):
    """Options of the builder's configuration, under TensorRT's names; None leaves what the suite sets.

    ``flags`` are set in the order in which they are written. FP16 and BF16 allow a weakly typed network of floats to
    compute in that type. ``compute_capabilities``: what TensorRT-RTX builds for
    ahead of time; an empty list leaves its default. ``workspace``: the limit of the workspace in bytes.
    ``timing_cache``: the configuration gets an empty timing cache. ``default_device_type``: the device of every layer;
    none falls back to the GPU. ``weight_streaming_budget``: the bytes of weights that the loaded engine may keep in
    device memory.
    """

    flags: Annotated[tuple[Flag, ...], Field(strict=False)] = ()
    compute_capabilities: Annotated[tuple[ComputeCapability, ...], Field(strict=False)] | None = None
    tactic_sources: Annotated[tuple[TacticSource, ...], Field(strict=False)] | None = None
    builder_optimization_level: Annotated[_Int, Field(ge=0, le=5)] | None = None
    tiling_optimization_level: Literal["NONE", "FAST", "MODERATE", "FULL"] | None = None
    hardware_compatibility_level: Literal["NONE", "AMPERE_PLUS", "SAME_COMPUTE_CAPABILITY"] | None = None
    workspace: _Size | None = None
    timing_cache: bool = False
    default_device_type: Literal["DLA"] | None = None
    weight_streaming_budget: _Size | None = None


class BuilderFacts(Model):
    """What the builder and a configuration with the case's flags say; the suite's own settings are not in it.

    ``flags``: whether each of these is set. ``can_run_on_DLA``: of the convolution layer.
    """

    flags: dict[Flag | Literal["TF32"], bool] = Field(default_factory=dict)
    num_DLA_cores: _Int | None = None  # noqa: N815 - TensorRT's name
    can_run_on_DLA: bool | None = None  # noqa: N815 - TensorRT's name
