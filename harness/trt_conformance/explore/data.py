"""The tensors of a drawn layer: fills, the bias and scales, chosen so that every wrong element is detected."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal, get_args

from trt_conformance.catalog.sweeps.layer import exact_fills, mixed, step_of_output
from trt_conformance.core.types import QUANTIZED_PRECISIONS, Fill

if TYPE_CHECKING:
    from trt_conformance.explore.layer import DrawnLayer

Content = Literal["exact", "wide", "bits", "range", "sparse", "special", "uniform"]
"""What the tensors have in them.

exact: integers of which no sum is rounded, mostly small ones. wide: the integers of int8, where their sums are exact in
the precision; int8's long sums have them in the input alone. bits: integers of more bits than a narrower type or
accumulator keeps. range: values at the ends of the type: beyond int8 and FP8, and of floats the subnormal and the large
ones. sparse: two of each four channels of the kernel are 0. special: as exact, and NaN and infinities are run, too.
uniform: numbers of 20 bits, whose sums are rounded.
"""
CONTENTS: tuple[Content, ...] = get_args(Content)
ROUNDED: tuple[Content, ...] = ("uniform", "bits")
"""Contents of which the errors of all elements together are judged, where their sums are rounded."""

FEW_MAPS = 8
"""Biases of up to this many maps are written out, none of them 0."""
FEW_WEIGHTS = 64
"""Up to this many weights have a wide range in FP32, so that maps are rarely equal, and no weight is 0."""
WIDE_TERMS = 1000
"""Sums of up to this many products of int8 integers are exact in float32."""
LONGEST_EXACT = 20_000
"""Sums of more products are exact in float32 and int32 alone."""
UNIFORM: Fill = "uniform_20_bits"
FLOATS = ("fp32", "tf32")
_LARGE_EXPONENT = 40
"""Of both operands, in types of 8 bits of exponent: far beyond float16, and far from overflow."""


def possible(layer: DrawnLayer) -> Content:
    """The content of a layer, or the nearest that it can have."""
    quantized = layer.precision in QUANTIZED_PRECISIONS
    alone = not (layer.prologue or layer.epilogue or layer.free or layer.leading or quantized)
    content = layer.content
    if content == "special" and (not alone or layer.batch == 1):  # other images must stay finite
        return "exact"
    if content == "sparse" and (layer.channels < 4 or layer.terms > WIDE_TERMS or layer.precision == "bf16"):
        return "exact"
    if content == "bits" and quantized:
        return "wide"
    if content == "range" and not quantized and (layer.epilogue or layer.terms > WIDE_TERMS):
        return "exact"
    return content


def is_exact(layer: DrawnLayer) -> bool:
    """Whether no sum is rounded. That of very many products may be, in an accumulator of halves or of FP8."""
    if layer.terms > LONGEST_EXACT and layer.precision not in (*FLOATS, "int8"):
        return False
    match layer.content:
        case "uniform":
            return False
        case "bits":
            return layer.precision == "fp32"
        case "range":
            return layer.precision == "int8"
    return True


def tensors(layer: DrawnLayer) -> dict[str, Any]:
    """The fields ``input``, ``kernel``, ``bias`` and ``quantize`` of a case."""
    inputs, kernel = fills(layer)
    found: dict[str, Any] = {
        "input": {"shape": layer.given_shape, "fill": inputs, "seed": layer.seed + 1},
        "kernel": {"shape": layer.kernel_shape, "fill": kernel, "seed": layer.seed + 2},
    }
    if inputs == "octaves":
        for name, exponents in zip(("input", "kernel"), _exponents(layer), strict=True):
            found[name]["exponents"] = exponents
    if layer.precision in QUANTIZED_PRECISIONS:
        found["quantize"] = _scales(layer, inputs, kernel)
    if layer.bias:
        found["bias"] = _bias(layer, found.get("quantize", {}).get("output", 1.0))
    return found


def fills(layer: DrawnLayer) -> tuple[Fill, Fill]:
    """The fills of input and kernel, by the layer's content."""
    inputs, kernel = _fills(layer)
    if "cast" in layer.prologue:
        return "uint8_full_range", "exact_integers"
    if layer.pairs == "kernel" and layer.terms <= WIDE_TERMS // 2:
        return "integers_13_bits", "exact_integers"  # an input that is not quantized has more bits
    return inputs, kernel


def _fills(layer: DrawnLayer) -> tuple[Fill, Fill]:
    short = layer.terms <= WIDE_TERMS
    match layer.content:
        case "uniform":
            return UNIFORM, UNIFORM
        case "range" if layer.precision == "int8":
            return ("int8_ties", "int8_extremes")[layer.seed % 2], "int8_extremes" if short else "exact_integers"
        case "range" if layer.precision == "fp8":
            return "int8_full_range", "int8_full_range"
        case "range":
            return "octaves", "octaves"
        case "bits":
            of_input: Fill = "integers_13_bits" if layer.precision in FLOATS else "int8_full_range"
            return of_input, "exact_integers" if layer.terms <= WIDE_TERMS // 2 else "sparse_ternary"
        case "sparse":
            return "exact_integers", "two_of_four"
        case "wide" if layer.precision in (*FLOATS, "int8") and short:
            return "int8_full_range", "int8_full_range"
    inputs, kernel = exact_fills(layer.precision, layer.terms, small=layer.content != "wide")
    few = layer.precision in FLOATS and math.prod(layer.kernel_shape) <= FEW_WEIGHTS
    return inputs, "int8_full_range" if few else kernel


def _exponents(layer: DrawnLayer) -> tuple[tuple[int, int], tuple[int, int]]:
    """The exponents of input and kernel at the ends of the type's range: small inputs, small weights, or large sums.

    A sum of large values is at most half of the largest number.
    """
    kind = layer.seed % 3
    if layer.precision == "fp16":
        each = (13 - math.ceil(math.log2(layer.terms))) // 2
        return (((-22, -13), (0, 4)), ((0, 4), (-22, -13)), ((each - 1, each), (each - 1, each)))[kind]
    small, large = (-64, -52), (_LARGE_EXPONENT - 20, _LARGE_EXPONENT)
    return ((small, small), (large, (-_LARGE_EXPONENT, _LARGE_EXPONENT)), (large, large))[kind]


def _scales(layer: DrawnLayer, inputs: Fill, kernel: Fill) -> dict[str, Any]:
    """Scales of input, kernel and output. Those of the maps do not repeat with any short period.

    Exact data have powers of two, with which no integer is rounded, and those of int8's whole range saturate. Those at
    the ends of the type have scales with which some saturate, and some are rounded.
    """
    count = layer.groups * layer.maps if layer.scales == "each" else 1
    numbers = [mixed(layer.seed + place) for place in range(count)]
    if layer.content == "uniform":
        own, given = 1.25 * 2.0**-7, tuple(2.0**-7 * (1 + number / 2**16) for number in numbers)
    else:
        whole = 0 if "int8_full_range" in (inputs, kernel) or layer.content == "range" else 3
        largest = _largest_scale(layer)
        own = largest * 2.0 ** -(layer.seed % (whole + 1))
        first = min(whole, 1)
        given = tuple(largest * 2.0 ** -(first + number % (2 + whole)) if count > 1 else own for number in numbers)
    found: dict[str, Any] = {"input": own, "kernel": given}
    if layer.pairs in ("input", "kernel"):
        found["only"] = layer.pairs
    elif layer.pairs == "rescaled":
        found["dequantize"] = {"input": 2 * own}
    if layer.quantize_output:
        found["output"] = step_of_output(inputs, kernel, layer.terms) * (1.25 if layer.content == "uniform" else 1.0)
    if layer.io_quantization:
        found["io_quantization"] = True
    return found


def _largest_scale(layer: DrawnLayer) -> float:
    """The largest scale of exact data: 1, or in FP8 one with which integers of int8 are beyond 448, or subnormal."""
    if layer.content != "range" or layer.precision != "fp8":
        return 1.0
    return (2.0**-3, 2.0**8)[layer.seed % 2]


def _bias(layer: DrawnLayer, step: float) -> dict[str, Any]:
    """Multiples of the step of a quantized output, so that none is rounded away; a fill for many maps.

    Of data of many bits, or at the ends of the type, the bias has more bits, too; in int8, every second one has.
    """
    maps = layer.groups * layer.maps
    long = layer.content in ("bits", "range") or (layer.precision == "int8" and layer.seed % 2)
    if layer.content == "uniform":
        return {"fill": UNIFORM, "seed": layer.seed + 3}
    if long and layer.precision in (*FLOATS, "int8") and not layer.quantize_output:
        return {"fill": "integers_13_bits", "seed": layer.seed + 3}
    if maps > FEW_MAPS and step <= 1:
        return {"fill": "exact_integers", "seed": layer.seed + 3}
    unit = max(step, 1.0)
    return {"values": tuple(unit * (1 + place % 7) * (-1) ** place for place in range(maps))}
