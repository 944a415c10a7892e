"""A case's Q and DQ layers as straight-line TensorRT code."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trt_conformance.core.case import Case
from trt_conformance.core.quantization_fields import Misquantize, Operand
from trt_conformance.core.types import TYPE_NAME
from trt_conformance.repro.tensors import number
from trt_conformance.targets.tensorrt.refitting import INPUT_SCALE

TYPED = [
    "def typed(shape, values, dtype):  # a constant of a quantized type, from its bytes",
    "    keep.append(np.ascontiguousarray(values).view(np.uint8))",
    "    weights = trt.Weights(dtype, keep[-1].ctypes.data, keep[-1].size)",
    "    return network.add_constant(shape, weights).get_output(0)",
    "",
    "",
]
_DYNAMIC = {"FP4": ("FP8", 16), "FP8": ("E8M0", 32)}


class ScalingCode:
    """The lines that add the Q and DQ layers of one network."""

    def __init__(self, case: Case, strong: bool) -> None:
        assert case.quantize is not None
        self._case, self._strong, self._given = case, strong, case.quantize
        self._wrong = case.quantize.wrong or Misquantize()
        self._to = f"trt.DataType.{TYPE_NAME[case.quantized_type]}"

    def helpers(self) -> list[str]:
        """Define ``scaled``, and ``typed`` where constants of the quantized type are needed."""
        has_zero, block = self._has_zero, self._wrong.block_shape
        floats = "np.float16" if self._given.between == "float16" else "np.float32"
        arguments = ["add", "tensor", "scale", *["dtype"] * self._strong, "axis=0", *["zero=None"] * has_zero]
        if block is not None:
            arguments.append("block=None")
        if self._wrong.scale_type is not None:
            arguments.append(f"floats={floats}")
            floats = "floats"
        named = ""
        if self._names_scale:
            arguments.append("name=None")
            named = ", name"
        lines = [
            f"def scaled({', '.join(arguments)}):  # Q or DQ, per tensor or along an axis",
            f"    scale = constant([len(scale)] if len(scale) > 1 else [], np.array(scale, {floats}){named})",
            f"    layer = add(tensor, scale{', dtype' * self._strong})",
            "    layer.axis = axis",
        ]
        if block is not None:
            blocks = tuple(size // each for size, each in zip(self._case.kernel.shape, block, strict=True))
            lines[1:2] = [
                "    scale = np.array(scale, np.float32)",
                f"    scale = constant({blocks}, np.full({blocks}, scale[0])) if block else constant([], scale)",
            ]
            lines += ["    if block:", "        layer.block_shape = block"]
        if has_zero:
            lines += ["    if zero is not None:", "        layer.set_input(2, zero)"]
        lines += ["    return layer.get_output(0)", "", ""]
        return [*TYPED * (self._given.stored or self._given.zero_point == "constant"), *lines]

    def input(self) -> list[str]:
        """Add Q and DQ after ``tensor``, the input."""
        if not self._given.passes("input"):
            return []
        if self._wrong.dynamic is not None:
            return self._dynamic(self._wrong.dynamic)
        q, dq = self._given.scales_of("input")
        if self._wrong.input is not None:
            q = dq = self._wrong.input
        elif self._wrong.input_scale is not None:
            q = dq = (self._wrong.input_scale,)
        axis = 0 if self._wrong.input is None else len(self._case.network_shape) - self._case.spatial_rank - 1
        zeros = self._zeros(len(q), "input")
        lines = [] if self._given.io_quantization else [self._layer("add_quantize", "tensor", q, axis, "input")]
        return [*zeros, *lines, self._layer("add_dequantize", "tensor", dq, axis, "input")]

    def kernel(self, tensor: str) -> list[str]:
        """Add Q and DQ after ``weights``, which the expression ``tensor`` makes."""
        if not self._given.passes("kernel"):
            return [f"weights = {tensor}"]
        q, dq = self._given.scales_of("kernel")
        if self._wrong.kernel is not None:
            q = dq = self._wrong.kernel
        axis = self._wrong.kernel_axis or 0
        back = self._layer("add_dequantize", "weights", dq, axis, "kernel")
        zeros = self._zeros(len(q), "kernel")
        if self._given.stored:
            dtype = "np.int8" if self._case.precision == "int8" else "ml_dtypes.float8_e4m3fn"
            scale = per_map_code(q, len(self._case.kernel.shape))
            values = f"(qdq(kernel.astype(float), {scale}) / {scale}).astype({dtype})"
            return [f"weights = typed(kernel.shape, {values}, {self._to})", *zeros, back]
        return [f"weights = {tensor}", *zeros, self._layer("add_quantize", "weights", q, axis, "kernel"), back]

    def output(self, scale: float, back: bool = True) -> list[str]:
        """Add Q, and DQ, after ``tensor``, the output of the layer."""
        return self.rescaled("tensor", (scale,))[: None if back else 1]

    def rescaled(self, tensor: str, scale: Sequence[float]) -> list[str]:
        """Add Q and DQ after the tensor of this name."""
        return [self._layer(add, tensor, scale) for add in ("add_quantize", "add_dequantize")]

    @property
    def _names_scale(self) -> bool:
        """Whether the scale of the input's Q is a constant that a refitter is to know."""
        refit = self._case.refit
        return refit is not None and refit.wrong is not None and refit.wrong.layer == "input_scale"

    @property
    def _has_zero(self) -> bool:
        return self._given.zero_point is not None or self._wrong.zero_point is not None

    def _layer(self, add: str, tensor: str, scale: Sequence[float], axis: int = 0, of: Operand | None = None) -> str:
        to = self._to if add == "add_quantize" else f"trt.DataType.{TYPE_NAME[self._case.data_type]}"
        if of == "kernel" and add == "add_quantize" and self._wrong.kernel_type is not None:
            to = f"trt.DataType.{self._wrong.kernel_type}"
        arguments = [f"network.{add}", tensor, f"[{', '.join(_literal(value) for value in scale)}]"]
        arguments += [to] * self._strong + [f"axis={axis}"] * (axis != 0)
        if self._has_zero and of is not None and (self._given.zero_point is not None or of == "input"):
            arguments.append("zero=zero")
        if of == "kernel" and self._wrong.block_shape is not None:
            arguments.append(f"block={self._wrong.block_shape}")
        if of == "input" and add == "add_quantize" and self._names_scale:
            arguments.append(f'name="{INPUT_SCALE}"')
        if of == "input" and self._wrong.scale_type is not None:
            arguments.append(f"floats=np.{self._wrong.scale_type}")
        return f"{tensor} = scaled({', '.join(arguments)})"

    def _zeros(self, count: int, of: Operand) -> list[str]:
        """Assign ``zero``, the zero points of an operand, as a constant or as one of floats that is cast."""
        values, shape = "np.zeros({})", [] if count == 1 else [count]
        if self._wrong.zero_point is not None and of == "input":
            given = self._wrong.zero_point
            values, shape = f"np.array({list(given)}, float)", [] if len(given) == 1 else [len(given)]
        elif self._given.zero_point is None:
            return []
        values = values.format(max(1, count))
        if self._given.zero_point == "constant" and "zeros" in values:
            return [f"zero = typed({shape}, np.zeros({max(1, count)}, np.uint8), {self._to})"]
        floats = f"constant({shape}, {values}.astype(np.float32))"
        return [f"zero = network.add_cast({floats}, {self._to}).get_output(0)"]

    def _dynamic(self, to: str) -> list[str]:
        """Append dynamic quantization along the channels, and DQ with the resulting scales, to ``tensor``."""
        scale, block = _DYNAMIC[to]
        axis = len(self._case.network_shape) - self._case.spatial_rank - 1
        arguments = f"tensor, {axis}, {block}, trt.DataType.{to}, trt.DataType.{scale}"
        lines = [f"layer = network.add_dynamic_quantize({arguments})"]
        if to == "FP4":
            lines.append("layer.set_input(1, constant([], np.array(1.0, np.float32)))")
        values, back = "layer.get_output(0), layer.get_output(1)", f"trt.DataType.{TYPE_NAME[self._case.data_type]}"
        return [*lines, f"tensor = network.add_dequantize({values}, {back}).get_output(0)"]


def scale_code(scale: Sequence[float]) -> str:
    """Scales as the engine has them, in float32."""
    rounded = [number(float(np.float32(value))) for value in scale]
    return rounded[0] if len(rounded) == 1 else f"np.array([{', '.join(rounded)}])"


def per_map_code(scale: Sequence[float], axes: int) -> str:
    """Scales of a kernel with that many axes, as an expression that broadcasts over it."""
    code = scale_code(scale)
    return code if len(scale) == 1 else f"{code}.reshape({(-1, *(1,) * (axes - 1))})"


def _literal(value: float) -> str:
    """A scale as Python code; those that must be refused may be infinite or no number."""
    return number(value) if abs(value) < float("inf") else f'float("{value}")'
