"""Adds the operations before the layer to a case's network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trt_conformance.core.case import Case
from trt_conformance.core.prologue_fields import PrologueOperation
from trt_conformance.core.tensors import ADDEND, INPUT
from trt_conformance.targets.errors import Refused, Unsupported
from trt_conformance.targets.tensorrt.api import Api


def precede(api: Api, case: Case, network: Any, inputs: Mapping[str, Any]) -> Any:
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
        layer = _added(api, case, network, step, tensor, inputs.get(ADDEND))
        if layer is None:
            raise Refused("network", "\n".join(api.take_errors()) or f"{step.op} was refused, and nothing was logged")
        if step.op == "max_pool":
            layer.stride_nd = step.window
        elif step.op == "concat":
            layer.axis = len(case.network_shape) - case.spatial_rank - 1
        tensor = layer.get_output(0)
    return tensor


def _added(api: Api, case: Case, network: Any, step: PrologueOperation, tensor: Any, addend: Any) -> Any:
    trt = api.trt
    match step.op:
        case "cast":
            if not hasattr(network, "add_cast"):
                raise Unsupported(f"add_cast does not exist in {api.flavor} {api.version}")
            return network.add_cast(tensor, api.data_type(case.data_type))
        case "relu":
            return network.add_activation(tensor, trt.ActivationType.RELU)
        case "pad":
            return network.add_padding_nd(tensor, step.pre_padding, step.post_padding)
        case "slice":
            return network.add_slice(tensor, step.start, step.shape, step.stride)
        case "max_pool":
            return network.add_pooling_nd(tensor, trt.PoolingType.MAX, step.window)
        case "concat":
            return network.add_concatenation([tensor, addend])
