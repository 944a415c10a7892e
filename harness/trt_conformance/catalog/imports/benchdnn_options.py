"""What the options of oneDNN's benchdnn make of a convolution: types, layouts, scales, and post-ops.

The rules are those of oneDNN's ``tests/benchdnn/doc``: ``driver_conv.md``, ``knobs_attr.md`` and ``knobs_dt.md``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from trt_conformance.catalog.imports.benchdnn_post_ops import post_ops
from trt_conformance.catalog.imports.layer import ImportedLayer, NotExpressible, generated_scales, unrepresentable
from trt_conformance.core.types import Format, Precision

Options = Mapping[str, str]
"""The options that apply to a convolution, by name, each with one value."""

IGNORED = frozenset(
    (
        "--alg",
        "--allow-enum-tags-only",
        "--allow-unimpl",
        "--attr-acc-mode",
        "--attr-deterministic",
        "--attr-scratchpad",
        "--canonical",
        "--cold-cache",
        "--ctx-exe",
        "--ctx-init",
        "--engine",
        "--fix-times-per-prb",
        "--global-impl",
        "--impl",
        "--inplace",
        "--max-ms-per-prb",
        "--memory-kind",
        "--mode",
        "--mode-modifier",
        "--perf-template",
        "--skip-impl",
        "--summary",
        "--verbose",
        "--wtag",
    )
)
"""Options about how oneDNN computes and what it prints, not about what is computed."""
READ = frozenset(
    (
        "--attr-fpmath",
        "--attr-oscale",
        "--attr-post-ops",
        "--attr-scales",
        "--attr-zero-points",
        "--bia-dt",
        "--bia_dt",
        "--cfg",
        "--dir",
        "--dt",
        "--dtag",
        "--mb",
        "--stag",
    )
)

_TYPES = "f32|f16|bf16|f64|s32|s8|u8|s4|u4|f8_e4m3|f8_e5m2|f4_e2m1|f4_e3m0"
_FLOATS: dict[str, Precision] = {"f32": "fp32", "f16": "fp16", "bf16": "bf16"}
_QUANTIZED: dict[str, Precision] = {"s8": "int8", "f8_e4m3": "fp8"}
_BETWEEN: dict[str, Literal["float16", "bfloat16"]] = {"f16": "float16", "bf16": "bfloat16"}
_LINEAR_TAGS = ("any", "abx", "ncw", "nchw", "ncdhw", "abc", "abcd", "abcde")
_CHANNELS_LAST = ("axb", "nwc", "nhwc", "ndhwc", "acb", "acdb", "acdeb")


def changed(layer: ImportedLayer, options: Options) -> ImportedLayer:
    """The layer with what the options say of it.

    Raises:
        NotExpressible: no case can state an option.
        ValueError: with what is wrong with a value.
    """
    for name in options:
        if name not in READ:
            raise NotExpressible(f"it has benchdnn's option {name}, which a case cannot express")
    source, kernel, output = _types(options)
    layer = _with_precision(layer, options, source, kernel, output)
    layer = replace(layer, has_bias=_has_bias(options, output if output in _FLOATS else "f32"))
    layer = replace(layer, formats=_formats(layer, options))
    if (batch := _number("--mb", options.get("--mb", "0"))) > 0:
        layer = replace(layer, input=(batch, *layer.input[1:]))
    steps = post_ops(options.get("--attr-post-ops", ""), output)
    if steps and layer.quantize is not None and layer.quantize.output is not None:
        raise NotExpressible(f"its output is {output} after post-ops: a case quantizes only the output of the layer")
    if (step := unrepresentable(steps, layer.precision)) is not None:
        raise NotExpressible(f"post-op {step.op}: {output} cannot represent its constants")
    return replace(layer, epilogue=tuple(steps))


def _types(options: Options) -> tuple[str, str, str]:
    """The types of input, kernel and output, as benchdnn calls them."""
    name = "--dt" if "--dt" in options else "--cfg"
    given = options.get(name, "f32")
    stated = given if name == "--dt" else re.sub(r"_(wino|no_limits|full|stress)$", "", given)
    found = re.fullmatch(rf"({_TYPES})(?::?({_TYPES}):?({_TYPES}))?", stated)
    if found is None:
        raise ValueError(f"{name}={given}: expected a type such as f32, or three of them")
    return found[1], found[2] or found[1], found[3] or found[1]


def _with_precision(layer: ImportedLayer, options: Options, source: str, kernel: str, output: str) -> ImportedLayer:
    types = f"{source}:{kernel}:{output}"
    scales = _scales(options)
    points = options.get("--attr-zero-points", "")
    if any(_value(each) for each in points.split("+") if each):
        raise NotExpressible(f"--attr-zero-points={points}: TensorRT's zero points are 0")
    if source == kernel == output and source in _FLOATS:
        if scales:
            raise NotExpressible(f"scales of {', '.join(scales)} in {source}, which nothing quantizes")
        return replace(layer, precision=_float_precision(options, source))
    if source != kernel or source not in _QUANTIZED or output not in (source, *_FLOATS):
        raise NotExpressible(f"{types}: no precision of TensorRT has these types of input, kernel and output")
    per_map = _per_map(scales, layer.groups)
    if "dst" in scales and output != source:
        raise NotExpressible(f"a scale of the output in {output}, which nothing quantizes")
    quantize = generated_scales(layer.kernel, layer.kernel[0] if per_map else 1, output=output == source)
    changes = {"io_quantization": True, "between": _BETWEEN.get(output)}
    return replace(layer, precision=_QUANTIZED[source], quantize=quantize.model_copy(update=changes))


def _float_precision(options: Options, type_: str) -> Precision:
    mode = options.get("--attr-fpmath", "strict").partition(":")[0]
    if mode in ("", "strict"):
        return _FLOATS[type_]
    if (mode, type_) == ("tf32", "f32"):
        return "tf32"
    raise NotExpressible(f"--attr-fpmath={mode}: {type_} may be computed in another type")


def _scales(options: Options) -> dict[str, str]:
    """The policy of the scales of each argument. ``--attr-oscale`` is that of input and kernel together."""
    found = {}
    for each in filter(None, options.get("--attr-scales", "").split("+")):
        argument, _, policy = each.partition(":")
        found[argument] = policy.partition(":")[0]
    if (policy := options.get("--attr-oscale", "").partition(":")[0]) not in ("", "none"):
        found["wei"] = policy
    return found


def _per_map(scales: Mapping[str, str], groups: int) -> bool:
    """Whether each output map of the kernel has a scale."""
    for argument, policy in scales.items():
        if argument not in ("src", "wei", "dst"):
            raise NotExpressible(f"scales of {argument}: a case has those of input, kernel and output")
        of_maps = ("per_oc", "per_dim_01" if groups > 1 else "per_dim_0") if argument == "wei" else ()
        if policy not in ("common", "host_scalar", *of_maps):
            raise NotExpressible(f"scales of {argument} {policy}: TensorRT has one, or one for each map of the kernel")
    return scales.get("wei", "common").startswith("per_")


def _value(text: str) -> int:
    """The number of ``src:common:2*``; 1 if it is not stated, since it is then not known to be 0."""
    found = re.fullmatch(r"\w+:(?:[a-z]\w*:)?(-?\d+)\*?(?::.*)?", text)
    return int(found[1]) if found else 1


def _has_bias(options: Options, around: str) -> bool:
    """Whether there is a bias, whose type must be that of the tensors around it."""
    direction = options.get("--dir", "FWD_B")
    if direction.startswith("BWD"):
        raise NotExpressible(f"--dir={direction}: not a forward convolution")
    if direction not in ("FWD_B", "FWD_D", "FWD_I"):
        raise ValueError(f"--dir={direction}: expected FWD_B, FWD_D, FWD_I, or one that begins with BWD")
    stated = options.get("--bia-dt", options.get("--bia_dt"))
    if stated is None:
        return direction == "FWD_B"
    if stated not in ("undef", around):
        raise NotExpressible(f"its bias is {stated}, and a case has one of {around}")
    return stated != "undef"


def _formats(layer: ImportedLayer, options: Options) -> tuple[Format, Format]:
    """The layouts of input and output."""
    return _format(layer, "--stag", options), _format(layer, "--dtag", options)


def _format(layer: ImportedLayer, name: str, options: Options) -> Format:
    tag = options.get(name, "any")
    if tag in _LINEAR_TAGS:
        return "LINEAR"
    if tag not in _CHANNELS_LAST or layer.precision in _QUANTIZED.values():
        raise NotExpressible(f"{name}={tag}: no layout of TensorRT for {layer.precision}")
    is_half = layer.precision in ("fp16", "bf16")
    channels = layer.input[1] if name == "--stag" else layer.kernel[0]
    if is_half and channels % 8:
        raise NotExpressible(
            f"{name}={tag}: TensorRT's layout with the channels last pads {channels} to multiples of 8"
        )
    if layer.rank == 3:
        return "DHWC8" if is_half else "DHWC"
    return "HWC8" if is_half else "HWC"


def _number(name: str, text: str) -> int:
    if not re.fullmatch(r"\d{1,9}", text):
        raise ValueError(f"{name}={text}: expected a number of at most 9 digits")
    return int(text)
