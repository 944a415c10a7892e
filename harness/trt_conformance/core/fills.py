"""Deterministic tensor contents: the same bytes on every machine and with every NumPy version.

Random fills map raw 64-bit words of Philox, whose stream NumPy guarantees. NumPy's distribution methods may change
between versions (NEP 19).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from trt_conformance.core.arrays import Float64
from trt_conformance.core.types import Fill

# The run, the reference and the bound of a case need the same tensors, so the last few small ones are cached.
CACHED = 16
CACHED_ELEMENTS = 2**17


def _words(count: int, seed: int) -> NDArray[np.uint64]:
    return np.asarray(np.random.Philox(key=seed).random_raw(count), dtype=np.uint64)


def _integers(shape: Sequence[int], seed: int, low: int, high: int) -> Float64:
    """Return integers of [low, high]. The modulo bias is below 2^-40 for the ranges used here."""
    words = _words(math.prod(shape), seed) >> np.uint64(16)
    return (words % np.uint64(high - low + 1)).astype(np.float64).reshape(shape) + low


def _tiled(shape: Sequence[int], seed: int) -> Float64:
    h, w = (np.arange(n) % 3 for n in shape[-2:])
    return np.broadcast_to(3.0 * h[:, None] + w[None, :] + 1.0, shape).copy()


def _powers(shape: Sequence[int], seed: int) -> Float64:
    window = math.prod(shape[-2:])
    exponents = 4 - np.arange(window)
    powers = np.asarray([float(f"1e{e}") for e in exponents]).reshape(shape[-2:])
    return np.array(np.broadcast_to(powers, shape), dtype=np.float64)


def _powers_alternating(shape: Sequence[int], seed: int) -> Float64:
    leading = math.prod(shape[:-2])
    signs: Float64 = np.where(np.arange(leading) % 2 == 0, 1.0, -1.0).reshape(*shape[:-2], 1, 1)
    return _powers(shape, seed) * signs


def _uniform(shape: Sequence[int], seed: int) -> Float64:
    return (_words(math.prod(shape), seed) >> np.uint64(11)).astype(np.float64).reshape(shape) * 2.0**-52 - 1.0


def _sparse(shape: Sequence[int], seed: int) -> Float64:
    drawn = _integers(shape, seed, 0, 15)
    return np.where(drawn < 2, 2 * drawn - 1, 0.0)


def _extremes(shape: Sequence[int], seed: int) -> Float64:
    choices = np.asarray([-128.0, -127.0, -1.0, 0.0, 1.0, 126.0, 127.0])
    return choices[_integers(shape, seed, 0, len(choices) - 1).astype(np.intp)]


_FILLS: dict[Fill, Callable[[Sequence[int], int], Float64]] = {
    "tiled_1_to_9": _tiled,
    "powers_of_ten": _powers,
    "powers_of_ten_alternating": _powers_alternating,
    "zeros": lambda shape, seed: np.zeros(shape),
    "ones": lambda shape, seed: np.ones(shape),
    "ramp": lambda shape, seed: np.arange(1.0, 1.0 + math.prod(shape), dtype=np.float64).reshape(shape),
    "uniform": _uniform,
    "exact_integers": lambda shape, seed: _integers(shape, seed, -3, 3),
    "ternary": lambda shape, seed: _integers(shape, seed, -1, 1),
    "sparse_ternary": _sparse,
    "int8_full_range": lambda shape, seed: _integers(shape, seed, -128, 127),
    "int8_extremes": _extremes,
    "int8_ties": lambda shape, seed: _integers(shape, seed, -261, 261) / 2,
    "uniform_20_bits": lambda shape, seed: _integers(shape, seed, -(2**20), 2**20 - 1) * 2.0**-20,
}


def content(shape: Sequence[int], fill: Fill | None, values: Sequence[float] | None = None, seed: int = 0) -> Float64:
    """Return a tensor of ``shape`` in float64, from literal values or a named fill. A fill is read-only.

    Fills: ``tiled_1_to_9`` (the document's input: 1..9 tiled 3x3 over the last two dimensions),
    ``powers_of_ten`` (the document's kernel: 10^4, 10^3, ... over the last two dimensions),
    ``powers_of_ten_alternating`` (the same, sign alternating over the leading dimensions), ``zeros``,
    ``ones``, ``ramp`` (1, 2, 3, ...), ``uniform`` ([-1, 1)), ``exact_integers`` (-3..3), ``ternary`` (-1..1),
    ``sparse_ternary`` (the same, but 0 in 7 of 8 places), ``int8_full_range`` (-128..127), ``int8_extremes``
    (values at the ends of int8), ``int8_ties`` (multiples of one half, to both sides beyond int8) and
    ``uniform_20_bits`` (multiples of 2^-20 in [-1, 1): float32 rounds their sums, float64 does not).

    Raises:
        ValueError: the values do not fit the shape, or neither fill nor values are given.
    """
    if values is not None:
        if len(values) != math.prod(shape):
            raise ValueError(f"{len(values)} values do not fit shape {list(shape)} ({math.prod(shape)} elements)")
        return np.asarray(values, dtype=np.float64).reshape(tuple(shape))
    if fill is None:
        raise ValueError("either fill or values must be given")
    return (_cached if math.prod(shape) <= CACHED_ELEMENTS else _drawn)(fill, tuple(shape), seed)


def _drawn(fill: Fill, shape: tuple[int, ...], seed: int) -> Float64:
    drawn = _FILLS[fill](shape, seed)
    drawn.setflags(write=False)
    return drawn


_cached = lru_cache(CACHED)(_drawn)
