"""Makes layers from the convolutions in an ONNX model: Conv, QLinearConv, ConvInteger, and Conv between Q and DQ."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trt_conformance.catalog.imports.layer import (
    ImportedLayer,
    ImportedWeights,
    LeftOut,
    Listing,
    NotExpressible,
    generated_scales,
)
from trt_conformance.catalog.imports.onnx_epilogue import epilogue_of
from trt_conformance.catalog.imports.onnx_file import OnnxModel, Scope
from trt_conformance.catalog.imports.onnx_weights import WeightReader
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.quantization_fields import Quantize
from trt_conformance.core.types import PaddingMode, Precision
from trt_conformance.core.words import one_line

Shape = tuple[int, ...]

KIND = "ONNX model"
MAX_TEXT = 100

# TensorProto.DataType
FLOAT, UINT8, INT8, FLOAT16, DOUBLE, BFLOAT16, FLOAT8E4M3FN = 1, 2, 3, 10, 11, 16, 17
_PRECISIONS: dict[int, Precision] = {FLOAT: "fp32", FLOAT16: "fp16", BFLOAT16: "bf16"}
_QUANTIZED: dict[int, Precision] = {INT8: "int8", FLOAT8E4M3FN: "fp8"}
_TYPE_NAMES = {UINT8: "uint8", DOUBLE: "float64", 0: "an unknown type"}

_INPUTS = {"Conv": 2, "QLinearConv": 8, "ConvInteger": 2}
"""The inputs that an operator has at least."""
_ATTRIBUTES = {"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"}
"""Those of each of these operators, in every version of ONNX."""
_REFUSED = {
    "ConvTranspose": "a transposed convolution",
    "DeformConv": "a deformable convolution",
}


def read_layers(model: OnnxModel, with_weights: bool = False) -> Listing:
    """Return the layers of a model's convolutions, those in branches and loops too, and those that a case cannot
    express.

    Args:
        model: the model.
        with_weights: whether the layers have the model's own weights and scales, instead of generated ones.

    Raises:
        ConformanceError: weights cannot be read.
    """
    reader = WeightReader(model.weights, model.folder) if with_weights else None
    layers: list[ImportedLayer] = []
    left_out: list[LeftOut] = []
    for scope in model.scopes:
        for index, node in enumerate(scope.graph.node):
            if "conv" not in node.op_type.lower():
                continue
            name = node.name or (node.output[0] if node.output else "")
            where = f'node "{one_line(name, MAX_TEXT)}"' if name else f"node {index}"
            where += scope.inside
            try:
                layers.append(replace(_layer(scope, node, reader), name=name, where=where))
            except NotExpressible as reason:
                left_out.append(LeftOut(where, node.op_type, str(reason)))
            except ConformanceError as fault:
                raise ConformanceError(f"{model.name}: {where}: {fault}") from None
    return Listing(KIND, model.name, layers, left_out, model.batch, model.inputs, model.about)


def _layer(scope: Scope, node: Any, reader: WeightReader | None) -> ImportedLayer:
    """The layer of a node, without its name and place."""
    if node.domain not in ("", "ai.onnx"):
        raise NotExpressible(f"{node.op_type} is an operator of the domain {one_line(node.domain, MAX_TEXT)}")
    if node.op_type in _REFUSED:
        raise NotExpressible(_REFUSED[node.op_type])
    least = _INPUTS.get(node.op_type, 0)
    if len(node.input) < least or len(node.output) != 1:
        raise NotExpressible(
            f"it has {len(node.input)} inputs and {len(node.output)} outputs, which does not fit its operator"
        )
    if node.op_type == "Conv":
        return _conv(scope, node, reader)
    if node.op_type == "QLinearConv":
        return _qlinear_conv(scope, node, reader)
    if node.op_type == "ConvInteger":
        return _conv_integer(scope, node, reader)
    raise NotExpressible(f"{node.op_type} is not an operator of ONNX that TensorRT's convolution layer computes")


def _conv(scope: Scope, node: Any, reader: WeightReader | None) -> ImportedLayer:
    x, w, *more = node.input
    dq_x, dq_w = _dequantized(scope, x), _dequantized(scope, w)
    if dq_x is not None and dq_w is not None:
        return _between_q_and_dq(scope, node, (dq_x, dq_w), reader)
    geometry = _geometry(scope, node, x, w)
    element, bias = scope.type(x), _bias(scope, more)
    if element not in _PRECISIONS:
        raise NotExpressible(f"it computes in {_type_name(element)}")
    steps, names = epilogue_of(scope, node.output[0], x)
    weights = None
    if reader is not None:
        weights = _weights(
            geometry, _floats(reader.read(scope, w)), _floats(reader.read(scope, bias)) if bias else None
        )
    return ImportedLayer(
        **geometry,
        text=f"Conv{names}",
        precision=_PRECISIONS[element],
        has_bias=bool(bias),
        epilogue=tuple(steps),
        weights=weights,
    )


def _between_q_and_dq(scope: Scope, node: Any, given: tuple[Any, Any], reader: WeightReader | None) -> ImportedLayer:
    """A Conv whose input and kernel two DequantizeLinear give."""
    x, w, *more = node.input
    geometry = _geometry(scope, node, x, w)
    bias = _bias(scope, more)
    precision = _symmetric(scope, given[0], "input")
    if _symmetric(scope, given[1], "kernel") != precision:
        raise NotExpressible("its input and its kernel are quantized to different types")
    x_scale = _scales(scope, given[0].input[1], 1, "input")
    w_scale = _scales(scope, given[1].input[1], geometry["kernel"][0], "kernel")
    after = scope.only_user(node.output[0])
    y_scale = None if after is None else _output_scale(scope, after)
    steps, names = ((), " + QuantizeLinear") if y_scale is not None else epilogue_of(scope, node.output[0], x)
    quantize, weights = generated_scales(geometry["kernel"], w_scale.size, output=y_scale is not None), None
    if reader is not None:
        quantize, factor = _kept_scales(x_scale, w_scale, y_scale)
        b = reader.read(scope, bias) * factor if bias else None
        weights = _weights(geometry, _floats(reader.read(scope, w)), None if b is None else _floats(b))
    return ImportedLayer(
        **geometry,
        text=f"DequantizeLinear + Conv{names}",
        precision=precision,
        quantize=quantize,
        has_bias=bool(bias),
        epilogue=tuple(steps),
        weights=weights,
    )


def _qlinear_conv(scope: Scope, node: Any, reader: WeightReader | None) -> ImportedLayer:
    x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero, *more = node.input
    geometry = _geometry(scope, node, x, w)
    bias = _bias(scope, more)
    for zero, what in ((x_zero, "input"), (w_zero, "kernel"), (y_zero, "output")):
        _check_zero_point(scope, zero, what)
        if scope.type(zero) != INT8:
            raise NotExpressible(f"its {what} is {_type_name(scope.type(zero))}: TensorRT's convolution takes int8")
    x_scales, y_scales = _scales(scope, x_scale, 1, "input"), _scales(scope, y_scale, 1, "output")
    w_scales = _scales(scope, w_scale, geometry["kernel"][0], "kernel")
    quantize, weights = generated_scales(geometry["kernel"], w_scales.size), None
    if reader is not None:
        quantize, _ = _kept_scales(x_scales, w_scales, y_scales)
        kernel = _dequantize(reader.read(scope, w), w_scales)
        # The bias has the scale of the sums, which is that of the input times those of the kernel.
        b = _dequantize(reader.read(scope, bias), w_scales) * quantize.input if bias else None
        weights = _weights(geometry, kernel, None if b is None else _floats(b))
    return ImportedLayer(
        **geometry,
        text="QLinearConv",
        precision="int8",
        quantize=quantize.model_copy(update={"io_quantization": True}),
        has_bias=bool(bias),
        weights=weights,
    )


def _conv_integer(scope: Scope, node: Any, reader: WeightReader | None) -> ImportedLayer:
    x, w, *zeros = node.input
    geometry = _geometry(scope, node, x, w)
    for tensor, zero, what in zip((x, w), (*zeros, "", ""), ("input", "kernel"), strict=False):
        if zero:
            _check_zero_point(scope, zero, what)
        if scope.type(tensor) != INT8:
            raise NotExpressible(f"its {what} is {_type_name(scope.type(tensor))}: TensorRT's convolution takes int8")
    quantize, weights = generated_scales(geometry["kernel"], output=False), None
    if reader is not None:
        weights = _weights(geometry, _dequantize(reader.read(scope, w), np.asarray(quantize.kernel)), None)
    return ImportedLayer(
        **geometry,
        text="ConvInteger (its sums, times the scales that a case needs)",
        precision="int8",
        quantize=quantize,
        weights=weights,
    )


def _weights(geometry: dict[str, Any], kernel: NDArray[Any], bias: NDArray[Any] | None) -> ImportedWeights:
    """The weights of a layer. Raises NotExpressible if they do not have its shapes."""
    if kernel.shape != geometry["kernel"] or (bias is not None and bias.shape != kernel.shape[:1]):
        shapes = f"{list(kernel.shape)}{'' if bias is None else f' and {list(bias.shape)}'}"
        raise NotExpressible(f"its weights have the shapes {shapes}, expected {list(geometry['kernel'])} and one a map")
    return ImportedWeights.of(kernel, bias)


def _kept_scales(x: NDArray[Any], w: NDArray[Any], y: NDArray[Any] | None) -> tuple[Quantize, float]:
    """The model's scales for a generated input in [-1, 1), and the factor by which they make the sums smaller.

    The input has the scale that fits it, and the output that of the model times the same factor, so that integers are
    multiplied as in the model.
    """
    one = generated_scales((1, 1)).input
    factor = one / float(x.flat[0])
    output = None if y is None else float(y.flat[0]) * factor
    return Quantize(input=one, kernel=tuple(float(scale) for scale in w.flat), output=output), factor


def _dequantize(integers: NDArray[Any], scales: NDArray[Any]) -> NDArray[Any]:
    """Integers times scales, one or one for each output map, in float32."""
    factors = scales.reshape(-1, *(1,) * (integers.ndim - 1)) if scales.size > 1 else scales.reshape(())
    return np.asarray(integers.astype(np.float64) * factors, dtype=np.float32)


def _floats(values: NDArray[Any]) -> NDArray[Any]:
    """Weights in float16 as they are, others in float32: NumPy's files have no bfloat16."""
    return np.asarray(values if values.dtype == np.float16 else values.astype(np.float32))


def _geometry(scope: Scope, node: Any, x: str, w: str) -> dict[str, Any]:
    """The shapes and attributes of a node, as the fields of a layer."""
    source, kernel = scope.shape(x), scope.shape(w)
    if source is None:
        raise NotExpressible("the shape of its input is not known: it depends on values that are computed at run time")
    if kernel is None or not scope.is_constant(w):
        raise NotExpressible("its kernel is computed by the model")
    if min((*source, *kernel), default=0) < 1:
        raise NotExpressible(f"its input has the shape {list(source)}, and its kernel {list(kernel)}")
    rank = len(kernel) - 2
    if not 1 <= rank <= 3 or len(source) != rank + 2:
        raise NotExpressible(f"its input has {len(source)} dimensions and its kernel {len(kernel)}")
    given = {_text(attribute.name): attribute for attribute in node.attribute}
    if unknown := sorted(given.keys() - _ATTRIBUTES):
        raise NotExpressible(f"{node.op_type} has no attribute {one_line(unknown[0], MAX_TEXT)}")

    def integers(key: str, count: int, default: int) -> Shape:
        values = tuple(given[key].ints) if key in given else (default,) * count
        if len(values) != count:
            raise NotExpressible(f"its attribute {key} has {len(values)} values, expected {count}")
        return values

    window = integers("kernel_shape", rank, 0) if "kernel_shape" in given else kernel[2:]
    if window != kernel[2:]:
        raise NotExpressible(f"its attribute kernel_shape is {list(window)}, but its kernel is {list(kernel)}")
    mode = _text(given["auto_pad"].s) if "auto_pad" in given else "NOTSET"
    if mode not in ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"):
        raise NotExpressible(f"its attribute auto_pad is {one_line(mode, MAX_TEXT)}")
    pads = integers("pads", 2 * rank, 0) if mode == "NOTSET" else (0,) * (2 * rank)
    if min(pads) < 0:
        raise NotExpressible(f"its padding is negative: {list(pads)}")
    padding_mode: PaddingMode = "EXPLICIT_ROUND_DOWN"
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        padding_mode = "SAME_UPPER" if mode == "SAME_UPPER" else "SAME_LOWER"
    output = scope.shape(node.output[0])
    return {
        "input": source,
        "kernel": kernel,
        "stride": integers("strides", rank, 1),
        "pre": pads[:rank],
        "post": pads[rank:],
        "dilation": integers("dilations", rank, 1),
        "groups": given["group"].i if "group" in given else 1,
        "padding_mode": padding_mode,
        "output": None if output is None else output[2:],
    }


def _text(words: str | bytes) -> str:
    """Protobuf gives names that are not UTF-8 as bytes."""
    return words if isinstance(words, str) else words.decode(errors="replace")


def _bias(scope: Scope, more: list[str]) -> str:
    """The name of the bias; empty if there is none."""
    name = more[0] if more else ""
    if name and not scope.is_constant(name):
        raise NotExpressible("its bias is computed by the model")
    return name


def _dequantized(scope: Scope, name: str) -> Any | None:
    """The DequantizeLinear that gives a tensor; None if another node does."""
    node = scope.producer(name)
    return node if node is not None and node.op_type == "DequantizeLinear" and len(node.input) > 1 else None


def _symmetric(scope: Scope, node: Any, what: str) -> Precision:
    """The precision of a DequantizeLinear whose zero point is 0."""
    element = scope.type(node.input[0])
    if element not in _QUANTIZED:
        raise NotExpressible(f"its {what} is {_type_name(element)}: TensorRT's convolution takes int8 and FP8")
    if len(node.input) > 2 and node.input[2]:
        _check_zero_point(scope, node.input[2], what)
    return _QUANTIZED[element]


def _output_scale(scope: Scope, node: Any) -> NDArray[Any] | None:
    """The scale of a QuantizeLinear to int8 or FP8 with a zero point of 0; None for any other node."""
    if node.op_type != "QuantizeLinear" or len(node.input) < 3 or scope.type(node.output[0]) not in _QUANTIZED:
        return None
    scale, zero = scope.constant(node.input[1]), scope.constant(node.input[2])
    if scale is None or scale.size != 1 or zero is None or np.any(zero.astype(np.float64) != 0):
        return None
    return scale if _are_positive(scale) else None


def _check_zero_point(scope: Scope, name: str, what: str) -> None:
    value = scope.constant(name)
    if value is None:
        raise NotExpressible(f"the zero point of its {what} is computed by the model")
    if np.any(value.astype(np.float64) != 0):
        raise NotExpressible(f"the zero point of its {what} is {value.flat[0]}: TensorRT's quantization is symmetric")


def _scales(scope: Scope, name: str, most: int, what: str) -> NDArray[Any]:
    """Constant scales: one, or at most ``most``."""
    value = scope.constant(name)
    if value is None:
        raise NotExpressible(f"the scale of its {what} is computed by the model")
    if not _are_positive(value):
        raise NotExpressible(f"a scale of its {what} is not a positive number")
    if value.size not in (1, most):
        raise NotExpressible(f"its {what} has {value.size} scales, expected 1{f' or {most}' if most > 1 else ''}")
    return value


def _are_positive(scales: NDArray[Any]) -> bool:
    try:
        numbers = scales.astype(np.float64)
    except (ValueError, TypeError):  # of texts
        return False
    return bool((np.isfinite(numbers) & (numbers > 0)).all())


def _type_name(element: int) -> str:
    from onnx import TensorProto

    known = {value: name.lower() for name, value in TensorProto.DataType.items()}
    return _TYPE_NAMES.get(element) or known.get(element, f"type {element}")
