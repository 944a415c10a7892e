"""The model of a sweep file: axes with their values, exclusions, and how each tier covers the rest."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args

from pydantic import Field, InstanceOf

from trt_conformance.catalog.case_file import merged
from trt_conformance.catalog.edges import around
from trt_conformance.core.case_folder import CaseFolder
from trt_conformance.core.types import Model, Tier

TIERS: tuple[Tier, ...] = get_args(Tier)
"""From the smallest to the largest; each includes those before it."""

How = Literal["matrix", "once", "pairwise", "threeway"]
STRENGTH: dict[str, int] = {"once": 1, "pairwise": 2, "threeway": 3}

Exponent = Annotated[int, Field(ge=0, le=24)]

Row = tuple[str, ...]
"""The name of one value of each axis, in the order of the axes."""

_Names = Annotated[tuple[str, ...], Field(strict=False, min_length=1)]


class Exclude(Model):
    """Excluded combinations: those in which each named axis has one of the listed values. ``doc`` gives the reason."""

    doc: Annotated[str, Field(min_length=8)]
    where: Annotated[dict[str, _Names], Field(min_length=1)]


class Edges(Model):
    """The values of an axis by rule: a setting of the layer at powers of two, one less and one more.

    ``setting`` is a number of the layer, such as ``channels``, or one on a single axis, such as ``W.stride``. The name
    of a value is ``prefix`` and its number. ``powers`` are the first and the last exponent; ``also`` are further
    numbers, which come first. ``beside`` are fields of a case that each value sets, too.
    """

    setting: str
    prefix: Annotated[str, Field(pattern="^[a-z]+$")]
    powers: Annotated[tuple[Exponent, Exponent], Field(strict=False)] | None = None
    also: Annotated[tuple[int, ...], Field(strict=False)] = ()
    beside: dict[str, Any] = Field(default_factory=dict)

    def values(self) -> dict[str, dict[str, Any]]:
        """The fields of a case that each value sets, by the value's name."""
        first, last = self.powers or (0, -1)
        numbers = dict.fromkeys((*self.also, *around(range(first, last + 1))))
        return {f"{self.prefix}{number}": merged(self.beside, {"layer": self._words(number)}) for number in numbers}

    def _words(self, number: int) -> dict[str, Any]:
        axis, dot, setting = self.setting.partition(".")
        return {"on": {axis: {setting: number}}} if dot else {self.setting: number}


class Cover(Model):
    """How a tier covers the axes: every combination, or each value, pair or triple of values at least once.

    ``only`` restricts axes to some of their values. ``each`` names axes: for each combination of their values, the
    other axes are covered again.
    """

    tier: Tier
    how: How
    only: dict[str, _Names] = Field(default_factory=dict)
    each: Annotated[tuple[str, ...], Field(strict=False)] = ()


class Block(NamedTuple):
    """One covering array: the values of its axes, and one value for each axis of ``each``."""

    domains: dict[str, tuple[str, ...]]
    strength: int


class Sweep(Model):
    """A sweep file, read and checked.

    ``base`` has the fields that all cases share, and ``axes`` the fields that each value of each axis adds. ``usual``
    names values that ids omit. ``lines`` are the lines of ``covers`` in the file.
    """

    file: str
    path: Path
    folder: InstanceOf[CaseFolder]
    name: str
    section: str
    source: str
    seed: Annotated[int, Field(ge=0)]
    base: dict[str, Any]
    axes: dict[str, dict[str, dict[str, Any]]]
    usual: dict[str, str]
    excludes: tuple[Exclude, ...]
    covers: tuple[Cover, ...]
    lines: tuple[int, ...]

    @cached_property
    def domains(self) -> dict[str, tuple[str, ...]]:
        """The names of the values of each axis."""
        return {axis: tuple(values) for axis, values in self.axes.items()}

    @cached_property
    def place_of(self) -> dict[str, int]:
        """The place in a row of the axis of each value."""
        return {value: place for place, values in enumerate(self.axes.values()) for value in values}

    @cached_property
    def usual_row(self) -> tuple[str | None, ...]:
        """The value of each axis that ids omit, in the order of a row; None for an axis without one."""
        return tuple(self.usual.get(axis) for axis in self.axes)

    @cached_property
    def exclusions(self) -> tuple[dict[str, frozenset[str]], ...]:
        return tuple({axis: frozenset(values) for axis, values in e.where.items()} for e in self.excludes)

    @cached_property
    def _placed_exclusions(self) -> tuple[tuple[Exclude, tuple[tuple[int, frozenset[str]], ...]], ...]:
        """Each exclusion with the places of its axes in a row and the values that it excludes there together."""
        place = {axis: number for number, axis in enumerate(self.axes)}
        placed = (tuple((place[axis], listed) for axis, listed in where.items()) for where in self.exclusions)
        return tuple(zip(self.excludes, placed, strict=True))

    def excluded_by(self, row: Row) -> Exclude | None:
        """Return the first exclusion that applies to a row; None if none does."""
        for exclude, where in self._placed_exclusions:
            for place, listed in where:
                if row[place] not in listed:
                    break
            else:
                return exclude
        return None
