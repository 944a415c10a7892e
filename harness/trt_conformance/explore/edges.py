"""Which ranges between edges the draws of a search have reached, to show what it never tried."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from trt_conformance.catalog.edges import EVERY, SPATIAL, Range, in_order, on_axes, ranges
from trt_conformance.explore.layer import DrawnLayer


def cells(layer: DrawnLayer) -> Iterator[Range]:
    """Each number of a layer, with its range."""
    yield from ranges(_numbers(layer))


def _numbers(layer: DrawnLayer) -> Iterator[tuple[str, int]]:
    yield "batch", layer.batch
    yield "groups", layer.groups
    yield "channels", layer.channels
    yield "maps", layer.maps
    yield "terms", layer.terms
    yield "pixels", math.prod(layer.output_shape()[-layer.rank :])
    for name in SPATIAL:
        yield from on_axes(name, getattr(layer, name))


@dataclass
class Reached:
    """The ranges that some layers reached."""

    found: set[Range] = field(default_factory=set)

    def add(self, layer: DrawnLayer) -> None:
        self.found |= EVERY.intersection(cells(layer))

    @property
    def share(self) -> float:
        """The fraction of all ranges that were reached."""
        return len(self.found) / len(EVERY)

    def missing(self) -> dict[str, list[str]]:
        """The ranges of each number that were not reached, in order."""
        return in_order(EVERY - self.found)
