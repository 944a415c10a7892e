"""Where GPU kernels branch: at powers of two, at tile sizes and at the limits of indices.

This is the only definition of the edges. Sweeps take their values from it, the search draws at them, and coverage
counts the ranges between them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from trt_conformance.core.case import Case
from trt_conformance.numerics.reference.shape import layer_output

Range = tuple[str, str]
"""A number of a layer, such as ``channels`` or ``stride W``, and a range of it, such as ``18..30``."""

AXES = {3: ("D", "H", "W"), 2: ("H", "W")}
"""The names of the spatial axes, by their number."""
REACH = {
    "batch": 8,
    "groups": 10,
    "channels": 10,
    "maps": 9,
    "terms": 13,
    "size": 10,
    "window": 6,
    "stride": 5,
    "dilation": 5,
    "pre": 6,
    "post": 6,
}
"""The last power of two, as an exponent, up to which each number's edges are counted."""
DEPTH_REACH = 6
"""The same for the size along D."""
SPATIAL = ("size", "window", "stride", "dilation", "pre", "post")
"""The numbers that each spatial axis has."""
BEYOND = 65_535
"""Numbers beyond it are a range of their own."""
UNBOUNDED = ("batch", "groups", "maps", "size D", "size H", "size W", "pixels")


def around(exponents: Iterable[int]) -> list[int]:
    """Powers of two, each with one less and one more; 0 is not one of them. The small ones occur twice."""
    return [2**n + offset for n in exponents for offset in (-1, 0, 1) if 2**n + offset]


def cell(number: int) -> str:
    """The range of a number: alone at a power of two, one less and one more, else between two of these."""
    if number < 4:
        return str(number)
    power = number.bit_length() - 1
    if number in (2**power, 2**power + 1, 2 ** (power + 1) - 1):
        return str(number)
    first, last = 2**power + 2, 2 ** (power + 1) - 2
    return f"{first}..{last}" if first < last else str(first)


def start(one: str) -> int:
    """The first number of a range."""
    return int(one.removeprefix("> ").partition("..")[0])


def ranges(numbers: Iterable[tuple[str, int]]) -> Iterator[Range]:
    """Each number that is counted, with its range.

    Args:
        numbers: those of a layer, by the names of `REACH` and `UNBOUNDED`.
    """
    for name, number in numbers:
        if number > BEYOND and name in UNBOUNDED:
            yield name, f"> {BEYOND}"
        elif name != "pixels":
            yield name, cell(number)


def on_axes(name: str, numbers: Sequence[int]) -> Iterator[tuple[str, int]]:
    """The numbers of the spatial axes, each with its name: ``stride H``, ``stride W``."""
    for axis, number in zip(AXES[len(numbers)], numbers, strict=True):
        yield f"{name} {axis}", number


def numbers_of(case: Case) -> Iterator[tuple[str, int]]:
    """The numbers of a case that `ranges` counts, those of each run's shape included. ``channels`` are one group's."""
    rank, attributes, kernel = case.spatial_rank, case.attributes, case.kernel.shape
    groups = attributes.groups
    yield "groups", groups
    yield "channels", kernel[1]
    yield "maps", kernel[0] // groups
    yield "terms", math.prod(kernel[1:])
    yield from on_axes("window", kernel[2:])
    for name in ("stride", "dilation", "pre", "post"):
        yield from on_axes(name, getattr(attributes, name))
    for shape in case.run_shapes:
        read = case.layer_shape(shape)
        yield "batch", math.prod(read[: -rank - 1])
        yield "pixels", math.prod(layer_output(case, shape)[-rank:])
        yield from on_axes("size", read[-rank:])


def every() -> frozenset[Range]:
    """Every range that is counted."""
    found = {(name, f"> {BEYOND}") for name in UNBOUNDED}
    for name, most in REACH.items():
        first = 0 if name in ("pre", "post") else 1
        for own in [f"{name} {axis}" for axis in AXES[3]] if name in SPATIAL else [name]:
            last = DEPTH_REACH if own == "size D" else most
            found |= {(own, cell(number)) for number in range(first, 2**last + 2)}
    return frozenset(found)


EVERY = every()


def in_order(found: Iterable[Range]) -> dict[str, list[str]]:
    """The ranges of each number, in order."""
    listed: dict[str, list[str]] = {}
    for name, one in sorted(found, key=lambda pair: (pair[0], start(pair[1]))):
        listed.setdefault(name, []).append(one)
    return listed
