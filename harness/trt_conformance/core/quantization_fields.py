"""The fields of a case about quantization: Q/DQ pairs, and the errors in pairs that must be refused."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from trt_conformance.core.types import DataType, Floats, Ints, Model, Shape, _Int

Operand = Literal["input", "kernel"]


class Dequantize(Model):
    """Scales of the DQ layers that differ from those of their Q layers."""

    input: Annotated[float, Field(gt=0)] | None = None
    kernel: Floats | None = None


class Misquantize(Model):
    """What is wrong with a Q/DQ pair that must be refused; TensorRT's own rules for it, which no reference has.

    ``input_scale``: a scale that is no positive number. ``input``: scales of the input, one for each channel.
    ``kernel``: scales of the kernel. ``kernel_axis``: the axis of the kernel's scales. ``zero_point``: the values of
    the input's zero points. ``scale_type``: the type of the input's scale. ``kernel_type``: the type to which the
    kernel is quantized. ``block_shape``: the shape of a block of the kernel that shares a scale. ``dynamic``: the type
    to which the input is quantized with scales that are computed as the network runs.
    """

    input_scale: float | None = None
    input: Floats | None = None
    kernel: Floats | None = None
    kernel_axis: _Int | None = None
    zero_point: Ints | None = None
    scale_type: Literal["float16"] | None = None
    kernel_type: Literal["INT4"] | None = None
    block_shape: Shape | None = None
    dynamic: Literal["FP4", "FP8"] | None = None


class Quantize(Model):
    """Q/DQ around the layer's input and kernel, and optionally after its output, to the type that the precision names.

    Scales are build-time constants; ``kernel`` has one scale, or one for each output map. With ``io_quantization`` the
    network reads quantized input, and writes quantized output where that has a scale; the caller applies the outer Q
    and DQ.

    ``only``: the operand that passes through Q and DQ, where the other does not. ``dequantize``: scales of the DQ
    layers. ``stored``: the kernel is a constant of the quantized type, followed by DQ. ``zero_point``: every Q and DQ
    has a zero point of zeros, given so. ``between``: the type of the tensors around Q and DQ. ``dynamic_range``: the
    input's range (least, largest) of a network that is quantized implicitly, without Q and DQ; the scales are those
    that TensorRT then derives from the range and from the kernel.
    """

    input: Annotated[float, Field(gt=0)]
    kernel: Floats
    output: Annotated[float, Field(gt=0)] | None = None
    io_quantization: bool = False
    only: Operand | None = None
    dequantize: Dequantize = Dequantize()
    stored: bool = False
    zero_point: Literal["constant", "cast"] | None = None
    between: Literal["float16", "bfloat16"] | None = None
    dynamic_range: Annotated[tuple[float, float], Field(strict=False)] | None = None
    wrong: Misquantize | None = None

    @property
    def is_implicit(self) -> bool:
        """Whether the network is quantized by a dynamic range, without Q and DQ."""
        return self.dynamic_range is not None

    @property
    def is_plain(self) -> bool:
        """Whether input and kernel both pass through a Q and a DQ of one scale."""
        return self.only is None and self.dequantize == Dequantize() and not self.is_implicit

    @property
    def has_no_extras(self) -> bool:
        """Whether every Q and DQ has a scale alone, between float32 tensors, and the kernel passes through Q."""
        return not self.stored and self.zero_point is None and self.wrong is None and self.between is None

    @property
    def float_type(self) -> DataType:
        """The type of the tensors around Q and DQ."""
        return self.between or "float32"

    def rounds_up(self, operand: Operand) -> bool:
        """Whether ties of an operand are rounded toward plus infinity: of kernels that are quantized implicitly."""
        return self.is_implicit and operand == "kernel"

    def passes(self, operand: Operand) -> bool:
        """Whether an operand passes through Q and DQ."""
        return self.only in (None, operand)

    def scales_of(self, operand: Operand) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """The scales of an operand's Q, and of its DQ."""
        if operand == "input":
            return (self.input,), (self.dequantize.input or self.input,)
        return self.kernel, self.dequantize.kernel or self.kernel
