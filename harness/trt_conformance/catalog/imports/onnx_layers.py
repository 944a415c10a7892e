"""Makes layers of the convolutions in an ONNX model: Conv, QLinearConv, ConvInteger, and Conv between Q and DQ."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trt_conformance.catalog.imports.layer import Layer, LeftOut, Listing, NotExpressible, generated_scales
from trt_conformance.catalog.imports.onnx_file import OnnxModel, Scope
from trt_conformance.core.case import EpilogueOperation
from trt_conformance.core.types import PaddingMode, Precision
from trt_conformance.core.words import one_line

Shape = tuple[int, ...]

KIND = "ONNX model"
MAX_EPILOGUE = 4
MAX_TEXT = 100

# TensorProto.DataType
FLOAT, UINT8, INT8, FLOAT16, DOUBLE, BFLOAT16, FLOAT8E4M3FN = 1, 2, 3, 10, 11, 16, 17
_PRECISIONS: dict[int, Precision] = {FLOAT: "fp32", FLOAT16: "fp16", BFLOAT16: "bf16"}
_QUANTIZED: dict[int, Precision] = {INT8: "int8", FLOAT8E4M3FN: "fp8"}
_TYPE_NAMES = {UINT8: "uint8", DOUBLE: "float64", 0: "an unknown type"}

_REFUSED = {
    "ConvTranspose": "a transposed convolution",
    "DeformConv": "a convolution whose windows are deformed",
}


def read_layers(model: OnnxModel) -> Listing:
    """Return the layers of a model's convolutions, those in branches and loops too, and what can be none."""
    layers: list[Layer] = []
    left_out: list[LeftOut] = []
    for scope in model.scopes:
        for index, node in enumerate(scope.graph.node):
            if "conv" not in node.op_type.lower():
                continue
            name = node.name or (node.output[0] if node.output else "")
            where = f'node "{one_line(name, MAX_TEXT)}"' if name else f"node {index}"
            where += scope.inside
            try:
                layers.append(_layer(scope, node, name, where))
            except NotExpressible as reason:
                left_out.append(LeftOut(where, node.op_type, str(reason)))
    return Listing(KIND, model.name, layers, left_out, model.batch)


def _layer(scope: Scope, node: Any, name: str, where: str) -> Layer:
    if node.domain not in ("", "ai.onnx"):
        raise NotExpressible(f"{node.op_type} is an operator of the domain {one_line(node.domain, MAX_TEXT)}")
    if node.op_type in _REFUSED:
        raise NotExpressible(_REFUSED[node.op_type])
    if node.op_type == "Conv":
        return _conv(scope, node, name, where)
    if node.op_type == "QLinearConv":
        return _qlinear_conv(scope, node, name, where)
    if node.op_type == "ConvInteger":
        return _conv_integer(scope, node, name, where)
    raise NotExpressible(f"{node.op_type} is not an operator of ONNX that TensorRT's convolution layer computes")


def _conv(scope: Scope, node: Any, name: str, where: str) -> Layer:
    x, w, *more = node.input
    pair = _dequantized(scope, x), _dequantized(scope, w)
    geometry = _geometry(scope, node, x, w)
    has_bias = _has_bias(scope, more[0] if more else "")
    kind: dict[str, Any]
    if pair[0] is not None and pair[1] is not None:
        precision = _symmetric(scope, pair[0], "input")
        if _symmetric(scope, pair[1], "kernel") != precision:
            raise NotExpressible("its input and its kernel are quantized to different types")
        kernel_scales = _scales(scope, pair[1].input[1], geometry["kernel"][0], "kernel")
        _scales(scope, pair[0].input[1], 1, "input")
        writes = scope.only_user(node.output[0])
        quantizes = writes is not None and writes.op_type == "QuantizeLinear" and _writes_symmetric(scope, writes)
        kind = {
            "precision": precision,
            "quantize": generated_scales(geometry["kernel"], kernel_scales.size, output=quantizes),
        }
        text = "DequantizeLinear + Conv" + " + QuantizeLinear" * quantizes
        steps, names = ((), "") if quantizes else _epilogue(scope, node.output[0], x)
    else:
        element = scope.type(x)
        if element not in _PRECISIONS:
            raise NotExpressible(f"it computes in {_type_name(element)}")
        kind, text = {"precision": _PRECISIONS[element]}, "Conv"
        steps, names = _epilogue(scope, node.output[0], x)
    return Layer(
        name=name, where=where, text=f"{text}{names}", **geometry, **kind, has_bias=has_bias, epilogue=tuple(steps)
    )


def _qlinear_conv(scope: Scope, node: Any, name: str, where: str) -> Layer:
    x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero, *more = node.input
    geometry = _geometry(scope, node, x, w)
    for zero, what in ((x_zero, "input"), (w_zero, "kernel"), (y_zero, "output")):
        _check_zero_point(scope, zero, what)
        if scope.type(zero) != INT8:
            raise NotExpressible(f"its {what} is {_type_name(scope.type(zero))}: TensorRT's convolution takes int8")
    _scales(scope, x_scale, 1, "input")
    _scales(scope, y_scale, 1, "output")
    scales = _scales(scope, w_scale, geometry["kernel"][0], "kernel")
    quantize = generated_scales(geometry["kernel"], scales.size).model_copy(update={"io_quantization": True})
    has_bias = _has_bias(scope, more[0] if more else "")
    return Layer(
        name=name, where=where, text="QLinearConv", **geometry, precision="int8", quantize=quantize, has_bias=has_bias
    )


def _conv_integer(scope: Scope, node: Any, name: str, where: str) -> Layer:
    x, w, *zeros = node.input
    geometry = _geometry(scope, node, x, w)
    for tensor, zero, what in zip((x, w), (*zeros, "", ""), ("input", "kernel"), strict=False):
        if zero:
            _check_zero_point(scope, zero, what)
        if scope.type(tensor) != INT8:
            raise NotExpressible(f"its {what} is {_type_name(scope.type(tensor))}: TensorRT's convolution takes int8")
    return Layer(
        name=name,
        where=where,
        text="ConvInteger (its sums, times the scales that a case needs)",
        **geometry,
        precision="int8",
        quantize=generated_scales(geometry["kernel"], output=False),
    )


def _geometry(scope: Scope, node: Any, x: str, w: str) -> dict[str, Any]:
    """The shapes and attributes of a node, as the fields of a layer."""
    source, kernel = scope.shape(x), scope.shape(w)
    if source is None:
        raise NotExpressible("the shape of its input is not known: it depends on values that are computed in the run")
    if kernel is None or not scope.is_constant(w):
        raise NotExpressible("its kernel is computed by the model")
    rank = len(kernel) - 2
    if not 1 <= rank <= 3 or len(source) != rank + 2:
        raise NotExpressible(f"its input has {len(source)} dimensions and its kernel {len(kernel)}")
    given = {attribute.name: attribute for attribute in node.attribute}

    def integers(key: str, count: int, default: int) -> Shape:
        values = tuple(given[key].ints) if key in given else (default,) * count
        if len(values) != count:
            raise NotExpressible(f"its attribute {key} has {len(values)} values, expected {count}")
        return values

    window = integers("kernel_shape", rank, 0) if "kernel_shape" in given else kernel[2:]
    if window != kernel[2:]:
        raise NotExpressible(f"its attribute kernel_shape is {list(window)}, but its kernel is {list(kernel)}")
    mode = given["auto_pad"].s.decode(errors="replace") if "auto_pad" in given else "NOTSET"
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


def _has_bias(scope: Scope, name: str) -> bool:
    if name and not scope.is_constant(name):
        raise NotExpressible("its bias is computed by the model")
    return bool(name)


def _epilogue(scope: Scope, y: str, x: str) -> tuple[list[EpilogueOperation], str]:
    """The operations after a convolution that a case can state, and their names: `` + Relu``."""
    steps: list[EpilogueOperation] = []
    names = ""
    while len(steps) < MAX_EPILOGUE and (node := scope.only_user(y)) is not None:
        step = _step(scope, node, y, x)
        if step is None:
            break
        steps.append(step)
        names += f" + {node.op_type}"
        y = node.output[0]
    return steps, names


def _step(scope: Scope, node: Any, y: str, x: str) -> EpilogueOperation | None:
    if node.domain not in ("", "ai.onnx"):
        return None
    if node.op_type == "Relu":
        return EpilogueOperation(op="relu")
    if node.op_type == "Clip":
        limits = _limits(scope, node)
        if limits is None or not (math.isfinite(limits[0]) and math.isfinite(limits[1]) and limits[0] < limits[1]):
            return None
        return EpilogueOperation(op="clip", low=limits[0], high=limits[1])
    if node.op_type == "Add" and sorted(node.input) == sorted((x, y)) and scope.shape(x) == scope.shape(y):
        return EpilogueOperation(op="add")
    if node.op_type == "Concat" and [*node.input] == [y, x] and node.attribute[0].i == 1:
        return EpilogueOperation(op="concat")
    return None


def _limits(scope: Scope, node: Any) -> tuple[float, float] | None:
    """The limits of a Clip: attributes before opset 11, inputs since."""
    given = {attribute.name: attribute.f for attribute in node.attribute}
    if "min" in given and "max" in given:
        return given["min"], given["max"]
    if len(node.input) != 3 or given:
        return None
    low, high = (scope.constant(name) if name else None for name in node.input[1:])
    return None if low is None or high is None else (float(low.flat[0]), float(high.flat[0]))


def _dequantized(scope: Scope, name: str) -> Any | None:
    """The DequantizeLinear that gives a tensor; None if another node does."""
    node = scope.producer(name)
    return node if node is not None and node.op_type == "DequantizeLinear" else None


def _symmetric(scope: Scope, node: Any, what: str) -> Precision:
    """The precision of a DequantizeLinear whose zero point is 0."""
    element = scope.type(node.input[0])
    if element not in _QUANTIZED:
        raise NotExpressible(f"its {what} is {_type_name(element)}: TensorRT's convolution takes int8 and FP8")
    if len(node.input) > 2 and node.input[2]:
        _check_zero_point(scope, node.input[2], what)
    return _QUANTIZED[element]


def _writes_symmetric(scope: Scope, node: Any) -> bool:
    """Whether a QuantizeLinear has a constant scale, and a zero point of 0 in int8 or FP8."""
    scale = scope.constant(node.input[1])
    zero = scope.constant(node.input[2]) if len(node.input) > 2 else None
    return (
        scale is not None
        and scale.size == 1
        and zero is not None
        and not np.any(zero)
        and (scope.type(node.output[0]) in _QUANTIZED)
    )


def _check_zero_point(scope: Scope, name: str, what: str) -> None:
    value = scope.constant(name)
    if value is None:
        raise NotExpressible(f"the zero point of its {what} is computed by the model")
    if np.any(value.astype(np.float64) != 0):
        raise NotExpressible(f"the zero point of its {what} is {value.flat[0]}: TensorRT's quantization has none")


def _scales(scope: Scope, name: str, most: int, what: str) -> NDArray[Any]:
    """Constant scales: one, or at most ``most``."""
    value = scope.constant(name)
    if value is None:
        raise NotExpressible(f"the scale of its {what} is computed by the model")
    if value.size not in (1, most):
        raise NotExpressible(f"its {what} has {value.size} scales, expected 1{f' or {most}' if most > 1 else ''}")
    return value


def _type_name(element: int) -> str:
    from onnx import TensorProto

    known = {value: name.lower() for name, value in TensorProto.DataType.items()}
    return _TYPE_NAMES.get(element) or known.get(element, f"type {element}")
