"""Adds the Q and DQ layers of a case to its network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from trt_conformance.core.arrays import Array
from trt_conformance.core.case import Case
from trt_conformance.core.quantization_fields import Misquantize, Operand, Quantize
from trt_conformance.core.tensors import NUMPY_TYPE
from trt_conformance.core.types import DataType
from trt_conformance.numerics.reference.quantization import grid_of, quantize, scales
from trt_conformance.targets.tensorrt.api import Api
from trt_conformance.targets.tensorrt.refusal import made, refusal

if TYPE_CHECKING:
    import tensorrt

Constant = Callable[..., "tensorrt.ITensor"]
"""Adds a constant of an array, and optionally of a name, to the network, and gives its tensor."""


# The type of the scales of dynamic quantization, and how many values share one.
_DYNAMIC = {"FP4": ("FP8", 16), "FP8": ("E8M0", 32)}


class Scaling:
    """The Q and DQ layers of one network."""

    def __init__(self, api: Api, case: Case, network: tensorrt.INetworkDefinition, constant: Constant) -> None:
        assert case.quantize is not None
        self._api, self._case, self._network, self._constant = api, case, network, constant
        self._given: Quantize = case.quantize
        self._wrong = self._given.wrong or Misquantize()
        self._strong = api.is_strongly_typed(case)

    def input(self, tensor: tensorrt.ITensor) -> tensorrt.ITensor:
        """The input after its Q and DQ; after only DQ if the network reads it quantized."""
        if not self._given.passes("input"):
            return tensor
        q, dq = self._given.scales_of("input")
        wrong = self._wrong
        if wrong.dynamic is not None:
            return self._dynamic(tensor, wrong.dynamic)
        if wrong.input is not None:
            q = dq = wrong.input
        elif wrong.input_scale is not None:
            q = dq = (wrong.input_scale,)
        axis = 0 if wrong.input is None else len(self._case.network_shape) - self._case.spatial_rank - 1
        if not self._given.io_quantization:
            tensor = self.q(tensor, q, axis, "input")
        return self.dq(tensor, dq, axis, "input")

    def kernel(self, add: Callable[[], tensorrt.ITensor], values: Array) -> tensorrt.ITensor:
        """The kernel after its Q and DQ, or stored quantized and after only DQ.

        Args:
            add: adds the kernel's own tensor.
            values: the kernel.
        """
        if not self._given.passes("kernel"):
            return add()
        q, dq = self._given.scales_of("kernel")
        if self._wrong.kernel is not None:
            q = dq = self._wrong.kernel
        axis = self._wrong.kernel_axis or 0
        tensor = self._constant(self._stored(values)) if self._given.stored else self.q(add(), q, axis, "kernel")
        return self.dq(tensor, dq, axis, "kernel")

    def output(self, tensor: tensorrt.ITensor) -> tensorrt.ITensor:
        """The output after its Q and DQ, if it is quantized; without DQ if the network writes it quantized."""
        if self._given.output is None:
            return tensor
        tensor = self.q(tensor, (self._given.output,))
        return tensor if self._given.io_quantization else self.dq(tensor, (self._given.output,))

    def q(
        self, tensor: tensorrt.ITensor, by: tuple[float, ...], axis: int = 0, of: Operand | None = None
    ) -> tensorrt.ITensor:
        """Quantize, per tensor or along an axis."""
        return self._layer("add_quantize", tensor, by, axis, of, self._case.quantized_type)

    def dq(
        self, tensor: tensorrt.ITensor, by: tuple[float, ...], axis: int = 0, of: Operand | None = None
    ) -> tensorrt.ITensor:
        """Dequantize, per tensor or along an axis."""
        return self._layer("add_dequantize", tensor, by, axis, of, self._case.data_type)

    def _layer(
        self,
        method: Literal["add_quantize", "add_dequantize"],
        tensor: tensorrt.ITensor,
        by: tuple[float, ...],
        axis: int,
        of: Operand | None,
        to: DataType,
    ) -> tensorrt.ITensor:
        dtype = NUMPY_TYPE[self._given.float_type]
        if of == "input" and self._wrong.scale_type is not None:
            dtype = NUMPY_TYPE[self._wrong.scale_type]
        name = "input_scale" if of == "input" and method == "add_quantize" else None
        block = self._wrong.block_shape if of == "kernel" else None
        scale = self._constant(self._scale(by, block).astype(dtype), name)
        to_type = self._api.data_type(to)
        if of == "kernel" and method == "add_quantize" and self._wrong.kernel_type is not None:
            to_type = self._api.required_member("DataType", self._wrong.kernel_type)
        typed = [to_type] if self._strong else []
        layer: tensorrt.IQuantizeLayer | tensorrt.IDequantizeLayer | None
        if method == "add_quantize":
            layer = self._network.add_quantize(tensor, scale, *typed)
        else:
            layer = self._network.add_dequantize(tensor, scale, *typed)
        if layer is None:
            raise refusal(self._api, "network", f"{method} was refused")
        layer.axis = axis
        # Before the attribute existed, the shape of the scales alone said it.
        if block is not None and hasattr(self._api.trt.IQuantizeLayer, "block_shape"):
            layer.block_shape = block
        zeros = self._zero_point(len(by), of)
        if zeros is not None:
            layer.set_input(2, zeros)
        return layer.get_output(0)

    def _scale(self, by: tuple[float, ...], block: Sequence[int] | None) -> Array:
        """One scale, one along an axis, or one for each block of the kernel."""
        if block is None:
            return np.asarray(by if len(by) > 1 else by[0])
        blocks = [size // each for size, each in zip(self._case.kernel.shape, block, strict=True)]
        return np.full(blocks, by[0])

    def _dynamic(self, tensor: tensorrt.ITensor, to: str) -> tensorrt.ITensor:
        """A tensor after dynamic quantization along its channels and DQ with the resulting scales."""
        self._api.require_attribute(self._network, "add_dynamic_quantize")
        scale, block = _DYNAMIC[to]
        types = [self._api.required_member("DataType", name) for name in (to, scale)]
        axis = len(self._case.network_shape) - self._case.spatial_rank - 1
        layer = self._network.add_dynamic_quantize(tensor, axis, block, *types)
        layer = made(self._api, layer, "network", "dynamic quantization was refused")
        if to == "FP4":
            layer.set_input(1, self._constant(np.asarray(1.0, dtype=np.float32)))
        to_type = self._api.data_type(self._case.data_type)
        restored = self._network.add_dequantize(layer.get_output(0), layer.get_output(1), to_type)
        return made(self._api, restored, "network", "add_dequantize was refused").get_output(0)

    def _zero_point(self, count: int, of: Operand | None) -> tensorrt.ITensor | None:
        """A zero point of the scale's size, as a constant of the quantized type or as one of floats that is cast."""
        values = np.zeros(() if count == 1 else count)
        if self._wrong.zero_point is not None and of == "input":
            given = np.asarray(self._wrong.zero_point)
            values = given[0] if given.size == 1 else given
        elif self._given.zero_point is None:
            return None
        elif self._given.zero_point == "constant":
            return self._constant(values.astype(NUMPY_TYPE[self._case.quantized_type]))
        floats = self._constant(np.asarray(values, dtype=np.float32))
        cast = self._network.add_cast(floats, self._api.data_type(self._case.quantized_type))
        return made(self._api, cast, "network", "add_cast was refused").get_output(0)

    def _stored(self, kernel: Array) -> Array:
        """The kernel in the quantized type."""
        scale = scales(self._given.scales_of("kernel")[0], kernel.ndim)
        values = quantize(kernel.astype(np.float64), scale, grid_of(self._case.precision))
        return values.astype(NUMPY_TYPE[self._case.quantized_type])
