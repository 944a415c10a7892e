"""Reads command lines of MIOpen's driver: ``MIOpenDriver conv -n 128 -c 64 -H 27 -W 27 -k 192 -y 5 -x 5 -p 2 -q 2``.

The options and their defaults are those of ``AddCmdLineArgs`` in MIOpen's ``driver/conv_driver.hpp``.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from trt_conformance.catalog.imports.layer import ImportedLayer, LeftOut, NotExpressible
from trt_conformance.core.types import Format, Precision
from trt_conformance.core.words import choice

KIND = "MIOpen command lines"

PRECISIONS: dict[str, Precision] = {"conv": "fp32", "convfp16": "fp16", "convbfp16": "bf16", "convint8": "int8"}

# Short name, default. What is not a number is a text.
_NUMBERS = {
    "spatial_dim": ("_", 2),
    "forw": ("F", 0),
    "batchsize": ("n", 100),
    "in_channels": ("c", 3),
    "in_d": ("!", 32),
    "in_h": ("H", 32),
    "in_w": ("W", 32),
    "out_channels": ("k", 32),
    "fil_d": ("@", 3),
    "fil_h": ("y", 3),
    "fil_w": ("x", 3),
    "conv_stride_d": ("#", 1),
    "conv_stride_h": ("u", 1),
    "conv_stride_w": ("v", 1),
    "pad_d": ("$", 0),
    "pad_h": ("p", 0),
    "pad_w": ("q", 0),
    "pad_val": ("r", 0),
    "dilation_d": ("^", 1),
    "dilation_h": ("l", 1),
    "dilation_w": ("j", 1),
    "group_count": ("g", 1),
    "bias": ("b", 0),
    "tensor_vect": ("Z", 0),
}
_TEXTS = {
    "in_layout": ("I", ""),
    "out_layout": ("O", ""),
    "fil_layout": ("f", ""),
    "mode": ("m", "conv"),
    "pad_mode": ("z", "default"),
    "in_cast_type": ("", ""),
    "wei_cast_type": ("", ""),
    "out_cast_type": ("", ""),
}
# How the driver measures and verifies, and the output padding of transposed convolutions.
_IGNORED = {
    "trans_output_pad_d": "%",
    "trans_output_pad_h": "Y",
    "trans_output_pad_w": "X",
    "iter": "i",
    "verify": "V",
    "verification_cache": "C",
    "time": "t",
    "wall": "w",
    "search": "s",
    "printconv": "P",
    "dump_output": "o",
    "in_data": "d",
    "weights": "e",
    "in_bias": "a",
    "dout_data": "D",
    "vector_length": "L",
    "solution": "S",
    "gpualloc": "G",
}
_SHORT = {short: name for name, (short, _) in (*_NUMBERS.items(), *_TEXTS.items()) if short} | {
    short: name for name, short in _IGNORED.items()
}
_KNOWN = {*_NUMBERS, *_TEXTS, *_IGNORED}
_BLOCKED: dict[Precision, Format] = {"fp16": "HWC8", "bf16": "HWC8"}


def read_lines(lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, ImportedLayer | LeftOut | str]]:
    """Yield each command line's layer, the reason why it has none, or an error. Other lines yield nothing."""
    for number, line in lines:
        found = re.search(r"MIOpenDriver\s+(.*)", line.split(" #")[0])
        if found is None or line.lstrip().startswith("#"):
            continue
        try:
            yield number, read_command(found[1], f"line {number}")
        except NotExpressible as reason:
            yield number, LeftOut(f"line {number}", found[1], str(reason))
        except ValueError as fault:
            yield number, str(fault)


def read_command(text: str, where: str) -> ImportedLayer:
    """The layer of a command line after the program's name.

    Raises:
        ValueError: with what is wrong with the command line.
        NotExpressible: it is valid, but a case cannot express it.
    """
    if re.search(r"\$[{(\w]", text):
        raise NotExpressible("it has shell variables: replace them by their values")
    base, *rest = shlex.split(text)
    if base not in PRECISIONS:
        raise NotExpressible(f"{base} is not a convolution that a case can state, such as {', '.join(PRECISIONS)}")
    numbers, texts = _options(rest)
    _check_expressible(numbers, texts)
    axes = {2: "hw", 3: "dhw"}.get(numbers["spatial_dim"])
    if axes is None:
        raise ValueError(f"spatial_dim is {numbers['spatial_dim']}, expected 2 or 3")
    c, groups = numbers["in_channels"], max(1, numbers["group_count"])
    padding = tuple(numbers[f"pad_{axis}"] for axis in axes)
    precision = PRECISIONS[base]
    return ImportedLayer(
        name="",
        where=where,
        text=f"{base} {' '.join(rest)}",
        input=(numbers["batchsize"], c, *(numbers[f"in_{axis}"] for axis in axes)),
        kernel=(numbers["out_channels"], c // groups, *(numbers[f"fil_{axis}"] for axis in axes)),
        stride=tuple(numbers[f"conv_stride_{axis}"] for axis in axes),
        pre=padding,
        post=padding,
        dilation=tuple(numbers[f"dilation_{axis}"] for axis in axes),
        groups=groups,
        has_bias=bool(numbers["bias"]),
        precision=precision,
        formats=(_format(texts["in_layout"], precision, axes), _format(texts["out_layout"], precision, axes)),
    )


def _options(given: list[str]) -> tuple[dict[str, int], dict[str, str]]:
    numbers = {name: default for name, (_, default) in _NUMBERS.items()}
    texts = {name: default for name, (_, default) in _TEXTS.items()}
    if len(given) % 2:
        raise ValueError(f"{given[-1]!r} has no value: options come in pairs, such as -n 128")
    for option, value in zip(given[::2], given[1::2], strict=True):
        name = option[2:] if option.startswith("--") else _SHORT.get(option[1:], option)
        if not option.startswith("-") or name not in _KNOWN:
            raise ValueError(choice("unknown option", option, [f"--{known}" for known in sorted(_KNOWN)]))
        if name in texts:
            texts[name] = value
        elif name in numbers:
            if not re.fullmatch(r"\d{1,9}", value):
                raise ValueError(f"{option} {value}: expected an integer of at least 0")
            numbers[name] = int(value)
    return numbers, texts


def _check_expressible(numbers: dict[str, int], texts: dict[str, str]) -> None:
    if texts["mode"] != "conv":
        raise NotExpressible(f"mode {texts['mode']}: only forward convolutions (conv) can be cases")
    if numbers["forw"] and not numbers["forw"] & 1:
        raise NotExpressible(f"forw {numbers['forw']}: a backward pass")
    if texts["pad_mode"] != "default":
        raise NotExpressible(f"pad_mode {texts['pad_mode']}: MIOpen's own padding rule; give the padding as numbers")
    if numbers["pad_val"]:
        raise NotExpressible(f"pad_val {numbers['pad_val']}: TensorRT pads with 0")
    if numbers["tensor_vect"]:
        raise NotExpressible("tensor_vect: a vectorized MIOpen layout")
    if casts := [name for name in ("in_cast_type", "wei_cast_type", "out_cast_type") if texts[name]]:
        raise NotExpressible(f"{casts[0]} {texts[casts[0]]}: the input is cast inside the convolution")


def _format(layout: str, precision: Precision, axes: str) -> Format:
    if layout in ("", f"NC{axes.upper()}"):
        return "LINEAR"
    if layout != f"N{axes.upper()}C":
        raise NotExpressible(f"layout {layout}: expected NC{axes.upper()} or N{axes.upper()}C")
    if precision == "int8":
        raise NotExpressible(f"layout {layout} in int8: the network around Q/DQ reads and writes float32")
    blocked = _BLOCKED.get(precision)
    if len(axes) == 3:
        return "DHWC8" if blocked else "DHWC"
    return blocked or "HWC"
