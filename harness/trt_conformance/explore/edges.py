"""Which ranges between edges the draws of a search have reached, so that one sees what it never tried."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from trt_conformance.explore.layer import SPATIAL, Layer

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
BEYOND = 65_535
"""Numbers beyond it are a range of their own."""
UNBOUNDED = ("batch", "groups", "maps", "size D", "size H", "size W", "pixels")


def cell(number: int) -> str:
    """The range of a number: alone at a power of two, one less and one more, else between two of these."""
    if number < 4:
        return str(number)
    power = number.bit_length() - 1
    if number in (2**power, 2**power + 1, 2 ** (power + 1) - 1):
        return str(number)
    first, last = 2**power + 2, 2 ** (power + 1) - 2
    return f"{first}..{last}" if first < last else str(first)


def cells(layer: Layer) -> Iterator[tuple[str, str]]:
    """Each number of a layer, with its range."""
    for name, number in _numbers(layer):
        if number > BEYOND and name in UNBOUNDED:
            yield name, f"> {BEYOND}"
        elif name != "pixels":
            yield name, cell(number)


def _numbers(layer: Layer) -> Iterator[tuple[str, int]]:
    yield "batch", layer.batch
    yield "groups", layer.groups
    yield "channels", layer.channels
    yield "maps", layer.maps
    yield "terms", layer.terms
    yield "pixels", math.prod(layer.output_shape()[-layer.rank :])
    for name in SPATIAL:
        for axis, number in zip(AXES[layer.rank], getattr(layer, name), strict=True):
            yield f"{name} {axis}", number


def every() -> frozenset[tuple[str, str]]:
    """Every range that is counted."""
    found = {(name, f"> {BEYOND}") for name in UNBOUNDED}
    for name, most in REACH.items():
        first = 0 if name in ("pre", "post") else 1
        for own in [f"{name} {axis}" for axis in AXES[3]] if name in SPATIAL else [name]:
            last = DEPTH_REACH if own == "size D" else most
            found |= {(own, cell(number)) for number in range(first, 2**last + 2)}
    return frozenset(found)


EVERY = every()


@dataclass
class Reached:
    """The ranges that some layers reached."""

    found: set[tuple[str, str]] = field(default_factory=set)

    def add(self, layer: Layer) -> None:
        self.found |= EVERY.intersection(cells(layer))

    @property
    def share(self) -> float:
        """The fraction of all ranges that were reached."""
        return len(self.found) / len(EVERY)

    def missing(self) -> dict[str, list[str]]:
        """The ranges of each number that were not reached, in order."""
        left: dict[str, list[str]] = {}
        for name, one in sorted(EVERY - self.found, key=lambda pair: (pair[0], _start(pair[1]))):
            left.setdefault(name, []).append(one)
        return left


def _start(one: str) -> int:
    return int(one.removeprefix("> ").partition("..")[0])
