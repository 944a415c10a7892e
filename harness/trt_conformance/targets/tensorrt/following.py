"""Adds the operations after the layer to a case's network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from trt_conformance.core.arrays import Array
from trt_conformance.core.case import Case
from trt_conformance.core.epilogue_fields import EpilogueName, EpilogueOperation, FurtherLayer
from trt_conformance.core.tensors import NUMPY_TYPE, further_weights
from trt_conformance.numerics.reference.activations import SELU_ALPHA, SELU_LAMBDA
from trt_conformance.targets.tensorrt.api import Api
from trt_conformance.targets.tensorrt.refusal import made
from trt_conformance.targets.tensorrt.scaling import Scaling

if TYPE_CHECKING:
    import tensorrt

T = TypeVar("T")

ACTIVATIONS: dict[EpilogueName, str] = {
    "relu": "RELU",
    "clip": "CLIP",
    "leaky_relu": "LEAKY_RELU",
    "sigmoid": "SIGMOID",
    "tanh": "TANH",
    "silu": "SIGMOID",
    "hard_swish": "HARD_SIGMOID",
    "gelu": "GELU_ERF",
    "gelu_tanh": "GELU_TANH",
    "elu": "ELU",
    "selu": "SELU",
    "softsign": "SOFTSIGN",
    "softplus": "SOFTPLUS",
    "hard_sigmoid": "HARD_SIGMOID",
}
"""The members of TensorRT's ActivationType."""
PARAMETERS: dict[EpilogueName, tuple[float, float]] = {
    "hard_swish": (1 / 6, 0.5),
    "hard_sigmoid": (0.2, 0.5),
    "elu": (1.0, 0.0),
    "selu": (SELU_ALPHA, SELU_LAMBDA),
    "softplus": (1.0, 1.0),
}
"""Alpha and beta of activations, where TensorRT's own are others."""
# Activations that multiply their operand by a function of it.
_GATES: tuple[EpilogueName, ...] = ("silu", "hard_swish")
POOLINGS: dict[EpilogueName, str] = {"max_pool": "MAX", "average_pool": "AVERAGE"}
ELEMENTWISE: dict[EpilogueName, str] = {"add": "SUM", "min": "MIN", "max": "MAX"}


class Following:
    """The layers after the convolution of one network."""

    def __init__(
        self,
        api: Api,
        case: Case,
        network: tensorrt.INetworkDefinition,
        weights: Callable[[Array], tensorrt.Weights],
        scaling: Scaling | None,
    ) -> None:
        """``weights`` gives an array to TensorRT, and keeps its memory; ``scaling`` adds the Q and DQ of the case."""
        self._api, self._case, self._network = api, case, network
        self._weights, self._scaling = weights, scaling

    def after(
        self, tensor: tensorrt.ITensor, step: EpilogueOperation, inputs: Mapping[str, tensorrt.ITensor]
    ) -> tensorrt.ITensor:
        """The output of an operation.

        Args:
            tensor: what the operation follows.
            step: the operation.
            inputs: the inputs of the network, by name.

        Raises:
            Unsupported: this version does not have the operation.
            Refused: TensorRT did not add its layer.
        """
        if step.op == "quantize":
            return self._rescaled(tensor, step.scale or (1.0,))
        source = inputs[step.of]
        if step.of_scale is not None:
            source = self._rescaled(source, (step.of_scale,))
        if step.op in ELEMENTWISE:
            return self._elementwise(tensor, source, ELEMENTWISE[step.op])
        if step.op == "concat":
            joined = self._made(self._network.add_concatenation([tensor, source]), step.op)
            joined.axis = self._channels
            return joined.get_output(0)
        if step.layer is not None:
            return self._convolved(tensor, step.layer)
        if step.op == "scale":
            return self._scaled(tensor, step)
        if step.op in POOLINGS:
            assert step.window is not None
            kind = getattr(self._api.trt.PoolingType, POOLINGS[step.op])
            pooled = self._made(self._network.add_pooling_nd(tensor, kind, step.window), step.op)
            pooled.stride_nd = step.window
            return pooled.get_output(0)
        kind = self._api.required_member("ActivationType", ACTIVATIONS[step.op])
        layer = self._made(self._network.add_activation(tensor, kind), step.op)
        if step.op == "clip":
            assert step.low is not None and step.high is not None
            layer.alpha, layer.beta = step.low, step.high
        elif step.op == "leaky_relu":
            assert step.alpha is not None
            layer.alpha = step.alpha
        elif step.op in PARAMETERS:
            layer.alpha, layer.beta = PARAMETERS[step.op]
        output = layer.get_output(0)
        return self._elementwise(tensor, output, "PROD") if step.op in _GATES else output

    def _convolved(self, tensor: tensorrt.ITensor, layer: FurtherLayer) -> tensorrt.ITensor:
        """The output of a further layer."""
        given, maps, window = further_weights(self._case.data_type, layer), layer.shape[0], layer.shape[2:]
        arguments = [self._api.trt.Weights() if layer.scale is not None else self._weights(given.kernel)]
        if given.bias is not None:
            arguments.append(self._weights(given.bias))
        kernel = None
        if layer.scale is not None:  # before the layer, whose weights are empty: see `_Draft._tensor_inputs`
            constant = self._network.add_constant(given.kernel.shape, self._weights(given.kernel))
            kernel = self._rescaled(self._made(constant, "a constant").get_output(0), layer.scale)
        convolution = self._made(self._network.add_convolution_nd(tensor, maps, window, *arguments), "convolution")
        if kernel is not None:
            convolution.set_input(1, kernel)
        for name, value in layer.assignments.items():
            setattr(convolution, name, value)
        if not self._api.is_strongly_typed(self._case) and self._case.precision == "fp16":
            convolution.precision = self._api.data_type(self._case.data_type)
            convolution.set_output_type(0, self._api.data_type(self._case.data_type))
        return convolution.get_output(0)

    def _rescaled(self, tensor: tensorrt.ITensor, scale: tuple[float, ...]) -> tensorrt.ITensor:
        """The tensor after a Q and a DQ."""
        assert self._scaling is not None
        return self._scaling.dq(self._scaling.q(tensor, scale), scale)

    def _elementwise(self, left: tensorrt.ITensor, right: tensorrt.ITensor, operation: str) -> tensorrt.ITensor:
        kind = getattr(self._api.trt.ElementWiseOperation, operation)
        return self._made(self._network.add_elementwise(left, right, kind), operation).get_output(0)

    def _scaled(self, tensor: tensorrt.ITensor, step: EpilogueOperation) -> tensorrt.ITensor:
        dtype = NUMPY_TYPE[self._case.data_type]
        scale, shift = step.scale or (1.0,), step.shift or (0.0,)
        count = max(len(scale), len(shift))
        factors, shifts = (np.resize(np.asarray(values, dtype=dtype), count) for values in (scale, shift))
        mode = self._api.trt.ScaleMode.CHANNEL if count > 1 else self._api.trt.ScaleMode.UNIFORM
        power = self._weights(np.ones(count, dtype=dtype))
        weights = self._weights(shifts), self._weights(factors), power
        layer = self._network.add_scale_nd(tensor, mode, *weights, self._channels)
        return self._made(layer, "scale").get_output(0)

    @property
    def _channels(self) -> int:
        """The axis of the channels."""
        return len(self._case.network_shape) - self._case.spatial_rank - 1

    def _made(self, layer: T | None, what: str) -> T:
        return made(self._api, layer, "network", f"{what} was refused")
