"""Deterministic tensor contents: the same bytes on every machine and with every NumPy version.

Random fills map raw 64-bit words of Philox, whose stream NumPy guarantees. NumPy's distribution methods may change
between versions (NEP 19).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from trt_conformance.core.arrays import Float64
from trt_conformance.core.types import Fill

# The run, the reference and the bound of a case need the same tensors, so the last few small ones are cached, and the
# last one of medium size.
CACHED = 16
CACHED_ELEMENTS = 2**17
MEDIUM_ELEMENTS = 2**23
PART = 2**22
"""Elements that are drawn at once of a large tensor: 32 MiB in float64."""


@dataclass(frozen=True)
class _Part:
    """The elements from ``start`` to ``stop`` of a tensor in C order; ``exponents`` are those of `_octaves`."""

    shape: Sequence[int]
    seed: int
    start: int
    stop: int
    exponents: tuple[int, int] = (0, 0)

    @property
    def places(self) -> NDArray[np.int64]:
        return np.arange(self.start, self.stop)

    def words(self) -> NDArray[np.uint64]:
        """Random words. Philox counts blocks of four, so it can begin anywhere."""
        stream = np.random.Philox(key=self.seed)
        stream.advance(self.start // 4)
        skipped = self.start % 4
        return np.asarray(stream.random_raw(self.stop - self.start + skipped), dtype=np.uint64)[skipped:]


def _integers(part: _Part, low: int, high: int) -> Float64:
    """Return integers of [low, high]. The modulo bias is below 2^-40 for the ranges used here."""
    return ((part.words() >> np.uint64(16)) % np.uint64(high - low + 1)).astype(np.float64) + low


def _tiled(part: _Part) -> Float64:
    h, w = part.shape[-2:]
    return np.asarray(3.0 * (part.places // w % h % 3) + (part.places % w % 3) + 1.0, dtype=np.float64)


def _powers(part: _Part) -> Float64:
    window = math.prod(part.shape[-2:])
    powers = np.asarray([float(f"1e{4 - place}") for place in range(window)])
    return np.asarray(powers[part.places % window])


def _powers_alternating(part: _Part) -> Float64:
    signs = np.where(part.places // math.prod(part.shape[-2:]) % 2 == 0, 1.0, -1.0)
    return np.asarray(_powers(part) * signs)


def _uniform(part: _Part) -> Float64:
    return (part.words() >> np.uint64(11)).astype(np.float64) * 2.0**-52 - 1.0


def _sparse(part: _Part) -> Float64:
    choices = np.zeros(16)
    choices[:2] = -1, 1
    return choices[_integers(part, 0, len(choices) - 1).astype(np.intp)]


def _two_of_four(part: _Part) -> Float64:
    window = math.prod(part.shape[2:])
    channel, of_map = part.places // window % part.shape[1], part.places // (window * part.shape[1])
    return np.where((channel + of_map) % 4 < 2, _integers(part, -3, 3), 0.0)


def _extremes(part: _Part) -> Float64:
    choices = np.asarray([-128.0, -127.0, -1.0, 0.0, 1.0, 126.0, 127.0])
    return choices[_integers(part, 0, len(choices) - 1).astype(np.intp)]


def _octaves(part: _Part) -> Float64:
    """Return values of both signs in [2^e, 2^(e+1)), in 53 bits, e drawn from the exponents."""
    words, (low, high) = part.words(), part.exponents
    exponent = (words >> np.uint64(2)) % np.uint64(1024) % np.uint64(high - low + 1)
    magnitude = np.ldexp(1 + (words >> np.uint64(12)).astype(np.float64) * 2.0**-52, exponent.astype(np.int64) + low)
    return np.where(words & np.uint64(1), -magnitude, magnitude)


def _octaves_half_zero(part: _Part) -> Float64:
    return np.where(part.words() & np.uint64(2), _octaves(part), 0.0)


def _octaves_first_large(part: _Part) -> Float64:
    """Return octaves, of which the first value of each map or image is in the octave of 1."""
    is_first = part.places % math.prod(part.shape[1:]) == 0
    return np.where(is_first, _octaves(replace(part, exponents=(0, 0))), _octaves(part))


_FILLS: dict[Fill, Callable[[_Part], Float64]] = {
    "tiled_1_to_9": _tiled,
    "powers_of_ten": _powers,
    "powers_of_ten_alternating": _powers_alternating,
    "zeros": lambda part: np.zeros(part.stop - part.start),
    "ones": lambda part: np.ones(part.stop - part.start),
    "ramp": lambda part: np.asarray(np.arange(1.0 + part.start, 1.0 + part.stop), dtype=np.float64),
    "uniform": _uniform,
    "exact_integers": lambda part: _integers(part, -3, 3),
    "ternary": lambda part: _integers(part, -1, 1),
    "sparse_ternary": _sparse,
    "two_of_four": _two_of_four,
    "int8_full_range": lambda part: _integers(part, -128, 127),
    "uint8_full_range": lambda part: _integers(part, 0, 255),
    "int8_extremes": _extremes,
    "int8_ties": lambda part: _integers(part, -261, 261) / 2,
    "uniform_20_bits": lambda part: _integers(part, -(2**20), 2**20 - 1) * 2.0**-20,
    "integers_13_bits": lambda part: _integers(part, -(2**13), 2**13 - 1),
    "octaves": _octaves,
    "octaves_positive": lambda part: np.abs(_octaves(part)),
    "octaves_half_zero": _octaves_half_zero,
    "octaves_first_large": _octaves_first_large,
}


def content(
    shape: Sequence[int],
    fill: Fill | None,
    values: Sequence[float] | None = None,
    seed: int = 0,
    exponents: tuple[int, int] = (0, 0),
) -> Float64:
    """Return a tensor of ``shape`` in float64, from literal values or a named fill. A fill is read-only.

    Fills: ``tiled_1_to_9`` (the Cookbook's input: 1..9 tiled 3x3 over the last two dimensions),
    ``powers_of_ten`` (the Cookbook's kernel: 10^4, 10^3, ... over the last two dimensions),
    ``powers_of_ten_alternating`` (the same, sign alternating over the leading dimensions), ``zeros``,
    ``ones``, ``ramp`` (1, 2, 3, ...), ``uniform`` ([-1, 1)), ``exact_integers`` (-3..3), ``ternary`` (-1..1),
    ``sparse_ternary`` (the same, but 0 in 7 of 8 places), ``two_of_four`` (-3..3, but 0 in two of each four
    channels: a kernel of 2:4 sparsity), ``int8_full_range`` (-128..127), ``uint8_full_range`` (0..255),
    ``int8_extremes`` (values at the ends of int8), ``int8_ties`` (multiples of one half, to both sides beyond int8),
    ``uniform_20_bits`` (multiples of 2^-20 in [-1, 1): float32 rounds their sums, float64 does not),
    ``integers_13_bits`` (-2^13..2^13-1) and ``octaves`` (both signs, in [2^e, 2^(e+1)) with e drawn from the lowest to
    the highest of ``exponents``). Of the octaves there are three more: ``octaves_positive``, ``octaves_half_zero``
    (half of the values are 0) and ``octaves_first_large`` (e = 0 for the first value of each map or image).

    Raises:
        ValueError: the values do not fit the shape, or neither fill nor values are given.
    """
    if values is not None:
        if len(values) != math.prod(shape):
            raise ValueError(f"{len(values)} values do not fit shape {list(shape)} ({math.prod(shape)} elements)")
        return np.asarray(values, dtype=np.float64).reshape(tuple(shape))
    if fill is None:
        raise ValueError("either fill or values must be given")
    elements = math.prod(shape)
    draw = _cached if elements <= CACHED_ELEMENTS else _last if elements <= MEDIUM_ELEMENTS else _drawn
    return draw(fill, tuple(shape), seed, exponents)


def parts(
    shape: Sequence[int], fill: Fill, seed: int, size: int = PART, exponents: tuple[int, int] = (0, 0)
) -> Iterator[tuple[slice, Float64]]:
    """Yield a fill part by part: a slice of the elements in C order, and their values; together, what `content` gives.

    So a large tensor can be made in a narrower type without ever being in float64 as a whole.
    """
    elements = math.prod(shape)
    for start in range(0, elements, size):
        stop = min(start + size, elements)
        yield slice(start, stop), _FILLS[fill](_Part(shape, seed, start, stop, exponents))


def _drawn(fill: Fill, shape: tuple[int, ...], seed: int, exponents: tuple[int, int]) -> Float64:
    drawn = _FILLS[fill](_Part(shape, seed, 0, math.prod(shape), exponents)).reshape(shape)
    drawn.setflags(write=False)
    return drawn


def forget_last() -> None:
    """Release the cached tensor of medium size, at most 64 MiB, for a case that needs the memory."""
    _last.cache_clear()


_cached = lru_cache(CACHED)(_drawn)
_last = lru_cache(1)(_drawn)
