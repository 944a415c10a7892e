"""The axes of the padding truth table, and the ranges of values in each tier."""

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
PaddingAxis = tuple[int, int, int, int, int, int]
"""Size, window, stride, dilation, and padding before and after."""
Shape = tuple[int, ...] | None
"""Spatial output shape, or None if the configuration is invalid."""

MODES: tuple[PaddingMode, ...] = get_args(PaddingMode)
RANKS: tuple[Rank, ...] = get_args(Rank)

# A prime that does not divide any tier's number of axes: its multiples visit every axis, neighbors far apart.
_STEP = 7919


@dataclass(frozen=True)
class PaddingTier:
    """The range of each value of an axis.

    ``samples`` is how many configurations of each kind are built (see `padding.sample`); ``fresh``, for how many of a
    table the shape is also inferred in a new network.
    """

    name: str
    sizes: range
    windows: range
    strides: range
    dilations: range
    paddings: range
    samples: int
    fresh: int

    @cached_property
    def axes(self) -> tuple[PaddingAxis, ...]:
        """Every combination of the values of one axis."""
        ranges = (self.sizes, self.windows, self.strides, self.dilations, self.paddings, self.paddings)
        return tuple(product(*ranges))

    @cached_property
    def companions(self) -> tuple[PaddingAxis, ...]:
        """Axes whose window fits without padding. They are always valid, so another axis decides about validity."""
        return tuple(axis for axis in self.axes if reference.extent(axis[1], axis[3]) <= axis[0])

    def configuration(self, index: int, rank: Rank, mode: PaddingMode) -> Configuration:
        """The axis at this index, among companions of other sizes. Its position rotates with the index."""
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
        """One configuration for each axis, with its companions."""
        return (self.configuration(index, rank, mode) for index in range(len(self.axes)))

    def scattered(self, rank: Rank, mode: PaddingMode) -> Iterator[Configuration]:
        """The same configurations in an order that puts neighbors far apart."""
        return (self.configuration(i * _STEP % len(self.axes), rank, mode) for i in range(len(self.axes)))


TIERS: dict[str, PaddingTier] = {
    tier.name: tier
    for tier in (
        PaddingTier("smoke", range(6), range(1, 4), range(1, 4), range(1, 3), range(2), samples=1, fresh=40),
        PaddingTier("ci", range(14), range(1, 6), range(1, 5), range(1, 4), range(4), samples=1, fresh=200),
        PaddingTier("nightly", range(25), range(1, 8), range(1, 6), range(1, 5), range(6), samples=4, fresh=200),
    )
}

# TensorRT 8.6 takes 1.6 ms per shape and 15 ms per refusal: 160 and 600 times as long as TensorRT-RTX.
SLOW_TARGETS = ("tensorrt-8.*",)


def tier_of(asked: str | None, target: str) -> PaddingTier:
    """The requested tier; by default ``ci``, or ``smoke`` if the target infers slowly."""
    is_slow = any(fnmatchcase(target, pattern) for pattern in SLOW_TARGETS)
    return TIERS[asked or ("smoke" if is_slow else "ci")]


def table_id(rank: Rank, mode: PaddingMode) -> str:
    """The table's id in a verdict, in place of a case's id: ``padding/2d_same_upper``."""
    return f"padding/{rank}d_{mode.lower()}"
