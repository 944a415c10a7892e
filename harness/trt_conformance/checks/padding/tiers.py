"""The axes of the padding truth table, and how many of their values each tier takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from itertools import product
from typing import Literal, get_args

from trt_conformance.core.types import PaddingMode
from trt_conformance.numerics.reference import shape as reference
from trt_conformance.targets.protocols import Configuration

Rank = Literal[2, 3]
Axis = tuple[int, int, int, int, int, int]
"""Size, window, stride, dilation, and padding before and after."""
Shape = tuple[int, ...] | None
"""Spatial output shape, or None where there is no convolution."""

MODES: tuple[PaddingMode, ...] = get_args(PaddingMode)
RANKS: tuple[Rank, ...] = get_args(Rank)

# A prime that divides no tier's number of axes: its multiples visit them all, far apart from each other.
_STEP = 7919


@dataclass(frozen=True)
class Tier:
    """Ranges of every number of an axis, and how many configurations of a kind are built (see padding_sample)."""

    name: str
    sizes: range
    windows: range
    strides: range
    dilations: range
    paddings: range
    samples: int

    @cached_property
    def axes(self) -> tuple[Axis, ...]:
        """Every combination of one axis's numbers."""
        ranges = (self.sizes, self.windows, self.strides, self.dilations, self.paddings, self.paddings)
        return tuple(product(*ranges))

    @cached_property
    def companions(self) -> tuple[Axis, ...]:
        """Axes whose window fits without padding: beside them, nothing hides the fate of another axis."""
        return tuple(axis for axis in self.axes if reference.extent(axis[1], axis[3]) <= axis[0])

    def configuration(self, index: int, rank: Rank, mode: PaddingMode) -> Configuration:
        """The axis of this index, in a place that goes round, among companions of other sizes than its own."""
        axes = [self.axes[index]]
        place = index * _STEP
        while len(axes) < rank:
            place += _STEP
            companion = self.companions[place % len(self.companions)]
            if companion[0] not in {axis[0] for axis in axes}:
                axes.append(companion)
        turn = index % rank
        return Configuration._make((*zip(*axes[turn:], *axes[:turn], strict=True), mode))

    def configurations(self, rank: Rank, mode: PaddingMode) -> Iterator[Configuration]:
        """As many as there are axes, each axis once beside its companions."""
        return (self.configuration(index, rank, mode) for index in range(len(self.axes)))

    def scattered(self, rank: Rank, mode: PaddingMode) -> Iterator[Configuration]:
        """The same, neighbours far apart."""
        return (self.configuration(i * _STEP % len(self.axes), rank, mode) for i in range(len(self.axes)))


TIERS: dict[str, Tier] = {
    tier.name: tier
    for tier in (
        Tier("smoke", range(6), range(1, 4), range(1, 4), range(1, 3), range(2), samples=1),
        Tier("ci", range(14), range(1, 6), range(1, 5), range(1, 4), range(4), samples=1),
        Tier("nightly", range(25), range(1, 8), range(1, 6), range(1, 5), range(6), samples=4),
    )
}

# TensorRT 8.6 needs 1.6 ms for a shape and 15 ms for a refusal: 160 and 600 times what TensorRT-RTX needs.
SLOW_TARGETS = ("tensorrt-8.*",)


def tier_of(asked: str | None, target: str) -> Tier:
    """The tier asked for by name; else ``ci``, or ``smoke`` where a target infers slowly."""
    is_slow = any(fnmatchcase(target, pattern) for pattern in SLOW_TARGETS)
    return TIERS[asked or ("smoke" if is_slow else "ci")]


def table_id(rank: Rank, mode: PaddingMode) -> str:
    """Stands where a case's id stands: ``padding/2d_same_upper``."""
    return f"padding/{rank}d_{mode.lower()}"
