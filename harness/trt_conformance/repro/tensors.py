"""The tensors of a case as NumPy code: values are written out, and fills are made as this suite makes them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from trt_conformance.core.case import BiasSpec, Case, TensorSpec
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.tensors import content_of, exponents_of
from trt_conformance.core.types import OCTAVES, DataType, Fill

WORDS = [
    "def words(shape, seed):",
    "    return np.random.Philox(key=seed).random_raw(math.prod(shape)).reshape(shape)",
]
WORDS_OF_STREAM = [
    "def words(shape, seed):  # a stream goes on where it was",
    "    stream = np.random.Philox(key=seed) if isinstance(seed, int) else seed",
    "    return stream.random_raw(math.prod(shape)).reshape(shape)",
]
STREAM = "stream_of_x"
"""The name of a stream of random words, in place of a seed."""
INTEGERS = [
    "def integers(shape, seed, low, high):",
    "    return (words(shape, seed) >> np.uint64(16)) % np.uint64(high - low + 1) + float(low)",
]
OCTAVES_CODE = [
    "def octaves(shape, seed, low, high):",
    "    drawn = words(shape, seed)",
    "    exponent = (drawn >> np.uint64(2)) % np.uint64(1024) % np.uint64(high - low + 1)",
    "    size = np.ldexp(1 + (drawn >> np.uint64(12)) * 2.0**-52, exponent.astype(int) + low)",
    "    return np.where(drawn & np.uint64(1), -size, size)",
]
BITS = [
    "def bits(values):  # bfloat16 is the upper half of float32",
    "    keep.append((values.view(np.uint32) >> np.uint32(16)).astype(np.uint16))",
    "    return trt.Weights(trt.DataType.BF16, keep[-1].ctypes.data, keep[-1].size)",
]
"""Weights of bfloat16, which NumPy does not have."""
BFLOAT16 = [
    "def bfloat16(values):  # rounded to nearest, ties to even, as float32",
    "    bits = np.asarray(values, np.float32).view(np.uint32)",
    "    bits = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) & np.uint32(0xFFFF0000)",
    "    return bits.view(np.float32)",
]
MAX_STORED = 2**18
"""Values of a stored tensor that a program contains as text."""
POWERS = "np.array([float(f'1e{{4 - i}}') for i in range({window})]).reshape({plane})"


def fill_code(fill: Fill, shape: Sequence[int], seed: int | str, exponents: tuple[int, int] = (0, 0)) -> str:
    """Return a NumPy expression for a fill, in float64; it may call `words`, `integers` and `octaves`.

    ``seed`` may be the name of a stream of random words, from which the expression draws the next ones.
    """
    size, ranges = tuple(shape), INTEGER_RANGES
    if fill in OCTAVES:
        return _octaves_code(fill, size, seed, exponents)
    if fill in ranges:
        return f"integers({size}, {seed}, {ranges[fill][0]}, {ranges[fill][1]})"
    if fill == "two_of_four":
        kept = f"(np.arange({size[1]}) + np.arange({size[0]})[:, None]) % 4 < 2"
        return f"np.where(({kept})[:, :{', None' * (len(size) - 2)}], integers({size}, {seed}, -3, 3), 0.0)"
    return _plain_code(fill, size, seed)


def _plain_code(fill: Fill, size: tuple[int, ...], seed: int | str) -> str:
    match fill:
        case "tiled_1_to_9":
            return (
                f"np.broadcast_to(3.0 * (np.arange({size[-2]}) % 3)[:, None] + np.arange({size[-1]}) % 3 + 1, {size})"
            )
        case "powers_of_ten" | "powers_of_ten_alternating":
            powers = POWERS.format(window=math.prod(size[-2:]), plane=size[-2:])
            if fill == "powers_of_ten":
                return f"np.broadcast_to({powers}, {size})"
            leading = (*size[:-2], 1, 1)
            return f"np.where(np.arange({math.prod(leading)}) % 2 == 0, 1.0, -1.0).reshape({leading}) * {powers}"
        case "zeros" | "ones":
            return f"np.{fill}({size})"
        case "ramp":
            return f"np.arange(1.0, {1.0 + math.prod(size)}).reshape({size})"
        case "uniform":
            return f"(words({size}, {seed}) >> np.uint64(11)) * 2.0**-52 - 1"
        case "uniform_20_bits":
            return f"integers({size}, {seed}, {-(2**20)}, {2**20 - 1}) * 2.0**-20"
        case "sparse_ternary":
            drawn = f"integers({size}, {seed}, 0, 15)"
            return f"np.array([-1.0, 1.0] + [0.0] * 14)[{drawn}.astype(int)]"
        case "int8_extremes":
            drawn = f"integers({size}, {seed}, 0, 6)"
            return f"np.array([-128.0, -127, -1, 0, 1, 126, 127])[{drawn}.astype(int)]"
        case "int8_ties":
            return f"integers({size}, {seed}, -261, 261) / 2"
    raise AssertionError(fill)


def _octaves_code(fill: Fill, size: tuple[int, ...], seed: int | str, exponents: tuple[int, int]) -> str:
    drawn = f"octaves({size}, {seed}, {exponents[0]}, {exponents[1]})"
    match fill:
        case "octaves_positive":
            return f"np.abs({drawn})"
        case "octaves_half_zero":
            return f"np.where(words({size}, {seed}) & np.uint64(2), {drawn}, 0.0)"
        case "octaves_first_large":
            is_first = f"np.arange({math.prod(size)}).reshape({size}) % {math.prod(size[1:])} == 0"
            return f"np.where({is_first}, octaves({size}, {seed}, 0, 0), {drawn})"
    return drawn


INTEGER_RANGES: dict[Fill, tuple[int, int]] = {
    "exact_integers": (-3, 3),
    "ternary": (-1, 1),
    "int8_full_range": (-128, 127),
    "uint8_full_range": (0, 255),
    "integers_13_bits": (-(2**13), 2**13 - 1),
}


def content_code(spec: TensorSpec | BiasSpec, shape: Sequence[int], values: Sequence[float] | None) -> str:
    """A NumPy expression for a tensor's content, before it is rounded to its type."""
    if values is not None:
        return f"np.array([{', '.join(map(number, values))}]).reshape({tuple(shape)})"
    if spec.stored is not None:
        return stored_code(spec, shape)
    assert spec.fill is not None
    return fill_code(spec.fill, shape, spec.seed, exponents_of(spec))


def stored_code(spec: TensorSpec | BiasSpec, shape: Sequence[int]) -> str:
    """A NumPy expression for a tensor that is stored in a file. Raises ConformanceError if it would be too long."""
    assert spec.stored is not None
    if math.prod(shape) > MAX_STORED:
        raise ConformanceError(
            f"{spec.stored.file}: has {math.prod(shape)} values, more than the {MAX_STORED} that a program can have"
        )
    values = content_of(spec, shape)
    single = values.astype("<f4")
    exact = single if (single.astype(np.float64) == values).all() else values.astype("<f8")
    return f'np.frombuffer(bytes.fromhex("{exact.tobytes().hex()}"), "{exact.dtype.str}").reshape({tuple(shape)})'


def number(value: float) -> str:
    """A number as Python writes it, without a needless fraction."""
    return str(int(value)) if float(value).is_integer() and abs(value) < 2**53 else repr(float(value))


def rounded_code(code: str, data_type: DataType) -> str:
    """An expression rounded to a type. bfloat16, which NumPy does not have, is rounded in float32."""
    return f"bfloat16({code})" if data_type == "bfloat16" else f"np.{data_type}({code})"


def input_code(case: Case, shape: Sequence[int]) -> str:
    """The input of one run shape, in the type of the case."""
    values = case.input.values if tuple(shape) == case.input.shape else None
    return rounded_code(content_code(case.input, shape, values), case.data_type)


def parameter_lines(case: Case) -> list[str]:
    """Assign ``kernel`` and, if there is one, ``bias``."""
    kernel = content_code(case.kernel, case.kernel.shape, case.kernel.values)
    lines = [f"kernel = {rounded_code(kernel, case.data_type)}"]
    if case.bias != "none":
        bias = content_code(case.bias, case.kernel.shape[:1], case.bias.values)
        lines.append(f"bias = {rounded_code(bias, case.data_type)}")
    return lines


def weights_code(case: Case, name: str) -> str:
    """A tensor of the case's type as TensorRT's weights."""
    return f"bits({name})" if case.data_type == "bfloat16" else f"trt.Weights({name})"


def helpers(code: Sequence[str]) -> list[str]:
    """The functions that lines of code call."""
    text = "\n".join(code)
    lines: list[str] = []
    if any(f"{name}(" in text for name in ("integers", "octaves", "words")):
        lines += ["", "", *(WORDS_OF_STREAM if STREAM in text else WORDS)]
    if "integers(" in text:
        lines += ["", "", *INTEGERS]
    if "octaves(" in text:
        lines += ["", "", *OCTAVES_CODE]
    if "bfloat16(" in text:
        lines += ["", "", *BFLOAT16]
    return lines


def given_types(case: Case) -> list[str]:
    """Change kernel and bias to the other type or shape that the layer is to refuse."""
    lines = []
    for name, dtype, shape in (
        ("kernel", case.types.kernel, case.shapes.kernel),
        ("bias", case.types.bias, case.shapes.bias),
    ):
        changed = name if dtype is None else f"{name}.astype(np.{dtype})"
        changed = f"np.resize({changed}, {tuple(shape)})" if shape is not None else changed
        if changed != name and (name == "kernel" or case.bias != "none"):
            lines.append(f"{name} = {changed}")
    return lines
