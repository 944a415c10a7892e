"""The tensors of a drawn layer: fills, the bias and scales, chosen so that every wrong element is detected."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from trt_conformance.catalog.sweeps.layer import exact_fills, mixed, step_of_output
from trt_conformance.core.types import QUANTIZED_PRECISIONS, Fill

if TYPE_CHECKING:
    from trt_conformance.explore.layer import DrawnLayer

FEW_MAPS = 8
"""Biases of up to this many maps are written out, none of them 0."""
FEW_WEIGHTS = 64
"""Up to this many weights have a wide range in FP32, so that maps are rarely equal, and no weight is 0."""
WIDE_TERMS = 1000
"""Sums of up to this many products of int8 integers are exact in float32."""
UNIFORM: Fill = "uniform_20_bits"


def tensors(layer: DrawnLayer) -> dict[str, Any]:
    """The fields ``input``, ``kernel``, ``bias`` and ``quantize`` of a case."""
    inputs, kernel = fills(layer)
    found: dict[str, Any] = {
        "input": {"shape": layer.input_shape, "fill": inputs, "seed": layer.seed + 1},
        "kernel": {"shape": layer.kernel_shape, "fill": kernel, "seed": layer.seed + 2},
    }
    if layer.precision in QUANTIZED_PRECISIONS:
        found["quantize"] = _scales(layer, inputs, kernel)
    if layer.bias:
        found["bias"] = _bias(layer, found.get("quantize", {}).get("output", 1.0))
    return found


def fills(layer: DrawnLayer) -> tuple[Fill, Fill]:
    """The fills of input and kernel.

    exact: integers of which no sum is rounded, mostly small ones. wide: the integers of int8, where their sums are
    exact in the precision; int8's long sums have them in the input alone. uniform: numbers of 20 bits, whose sums are
    rounded.
    """
    if layer.content == "uniform":
        return UNIFORM, UNIFORM
    if layer.content == "wide" and layer.precision in ("fp32", "tf32", "int8") and layer.terms <= WIDE_TERMS:
        return "int8_full_range", "int8_full_range"
    inputs, kernel = exact_fills(layer.precision, layer.terms, small=layer.content != "wide")
    few = layer.precision in ("fp32", "tf32") and math.prod(layer.kernel_shape) <= FEW_WEIGHTS
    return inputs, "int8_full_range" if few else kernel


def _scales(layer: DrawnLayer, inputs: Fill, kernel: Fill) -> dict[str, Any]:
    """Scales of input, kernel and output. Those of the maps do not repeat with any short period.

    Exact data have powers of two, with which no integer is rounded, and those of int8's whole range saturate.
    """
    count = layer.groups * layer.maps if layer.scales == "each" else 1
    numbers = [(mixed(layer.seed + place) % 64) for place in range(count)]
    if layer.content == "uniform":
        own, given = 1.25 * 2.0**-7, tuple(2.0**-7 * (1 + number / 64) for number in numbers)
    else:
        whole = 0 if "int8_full_range" in (inputs, kernel) else 3
        own = 2.0 ** -(layer.seed % (whole + 1))
        first = min(whole, 1)
        given = tuple(2.0 ** -(first + number % (2 + whole)) if count > 1 else own for number in numbers)
    found: dict[str, Any] = {"input": own, "kernel": given}
    if layer.quantize_output:
        found["output"] = step_of_output(inputs, kernel, layer.terms) * (1.25 if layer.content == "uniform" else 1.0)
    if layer.io_quantization:
        found["io_quantization"] = True
    return found


def _bias(layer: DrawnLayer, step: float) -> dict[str, Any]:
    """Multiples of the step of a quantized output, so that none is rounded away; a fill for many maps."""
    maps = layer.groups * layer.maps
    if layer.content == "uniform":
        return {"fill": UNIFORM, "seed": layer.seed + 3}
    if maps > FEW_MAPS and step <= 1:
        return {"fill": "exact_integers", "seed": layer.seed + 3}
    unit = max(step, 1.0)
    return {"values": tuple(unit * (1 + place % 7) * (-1) ** place for place in range(maps))}
