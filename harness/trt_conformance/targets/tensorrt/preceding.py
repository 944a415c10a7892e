"""Adds the operations before the layer to a case's network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from trt_conformance.core.case import Case
from trt_conformance.core.prologue_fields import PrologueOperation
from trt_conformance.core.tensors import ADDEND, INPUT
from trt_conformance.targets.tensorrt.api import Api
from trt_conformance.targets.tensorrt.refusal import made

if TYPE_CHECKING:
    import tensorrt


def precede(
    api: Api, case: Case, network: tensorrt.INetworkDefinition, inputs: Mapping[str, tensorrt.ITensor]
) -> tensorrt.ITensor:
    """The tensor that the case's layer reads, or its Q: the network's input after the prologue.

    Args:
        api: the version.
        case: the case.
        network: gets the layers.
        inputs: the inputs of the network, by name.

    Raises:
        Unsupported: this version does not have a layer.
        Refused: TensorRT did not add one.
    """
    tensor = inputs[INPUT]
    for step in case.prologue:
        layer = made(api, _added(api, case, network, step, inputs, tensor), "network", f"{step.op} was refused")
        tensor = layer.get_output(0)
    return tensor


def _added(
    api: Api,
    case: Case,
    network: tensorrt.INetworkDefinition,
    step: PrologueOperation,
    inputs: Mapping[str, tensorrt.ITensor],
    tensor: tensorrt.ITensor,
) -> tensorrt.ILayer | None:
    match step.op:
        case "cast":
            api.require_attribute(network, "add_cast")
            return network.add_cast(tensor, api.data_type(case.data_type))
        case "relu":
            return network.add_activation(tensor, api.trt.ActivationType.RELU)
        case "pad":
            assert step.pre_padding is not None and step.post_padding is not None
            return network.add_padding_nd(tensor, step.pre_padding, step.post_padding)
        case "slice":
            assert step.start is not None and step.shape is not None and step.stride is not None
            return network.add_slice(tensor, step.start, step.shape, step.stride)
        case "max_pool":
            assert step.window is not None
            pooled = network.add_pooling_nd(tensor, api.trt.PoolingType.MAX, step.window)
            if pooled is not None:
                pooled.stride_nd = step.window
            return pooled
        case "concat":
            joined = network.add_concatenation([tensor, inputs[ADDEND]])
            if joined is not None:
                joined.axis = len(case.network_shape) - case.spatial_rank - 1
            return joined
