"""The fields of a case about the definition of the network, beyond the layer and its data."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from trt_conformance.core.types import Ints, Model, PaddingMode, _Int, _Size

Runtime = Literal["kernel", "bias"]
LayerType = Literal["FLOAT", "HALF", "INT8"]
LayerOutputType = Literal["FLOAT", "HALF"]
"""An output of INT8 would need a dynamic range of its own."""


class Network(Model):
    """How TensorRT's API is used to define the network, where that is not the plain way.

    ``activation_by_set_input``: the layer is added to another tensor, and set_input(0) replaces that by the input.
    ``set_input``: an index of the layer's inputs that gets one more tensor. ``bias_reset``: the layer is added with a
    bias of ones, and its bias is then set to these empty weights. ``runtime``: which tensors of the layer the network
    reads as inputs of its own, instead of constants. ``precision``, ``output_type``: what the layer is to compute in,
    and the type of its output, in a weakly typed network.
    """

    activation_by_set_input: bool = False
    set_input: _Size | None = None
    bias_reset: Literal["trt.Weights()", "trt.Weights(FLOAT)"] | None = None
    runtime: Annotated[tuple[Runtime, ...], Field(strict=False)] = ()
    precision: LayerType | None = None
    output_type: LayerOutputType | None = None


class LayerAttributes(Model):
    """What the layer reports: its attributes, and what it is.

    ``kernel`` and ``bias``: the weights read back as they were given, or are empty. ``no_input``: the lowest index at
    which get_input gives None. ``default_output_name``: the output's name before it is set, where the layer's name is
    "convolution". ``output_type``: the type of the output before it is set. ``get_output_type``: what the layer says
    of it before it is set.
    """

    kernel_size_nd: Ints | None = None
    num_output_maps: _Int | None = None
    stride_nd: Ints | None = None
    padding_nd: Ints | None = None
    pre_padding: Ints | None = None
    post_padding: Ints | None = None
    padding_mode: PaddingMode | None = None
    dilation_nd: Ints | None = None
    num_groups: _Int | None = None
    type: Literal["CONVOLUTION"] | None = None
    name: Literal["convolution"] | None = None
    metadata: str | None = None
    num_ranks: _Int | None = None
    num_inputs: _Int | None = None
    num_outputs: _Int | None = None
    no_input: _Int | None = None
    kernel: Literal["as given", "empty"] | None = None
    bias: Literal["as given", "empty"] | None = None
    default_output_name: str | None = None
    output_type: Literal["FLOAT", "HALF", "BF16"] | None = None
    get_output_type: Literal["FLOAT"] | None = None
