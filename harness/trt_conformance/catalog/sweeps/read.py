"""Reads and checks a sweep file. Mistakes become faults of the file, each with its line."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any, get_args

from pydantic import ValidationError

from trt_conformance.catalog.case_file import DEFAULT_KEYS
from trt_conformance.catalog.explain import explain
from trt_conformance.catalog.lint.assignments import lint_assignments
from trt_conformance.catalog.source import Source
from trt_conformance.catalog.sweeps.covering import Possible
from trt_conformance.catalog.sweeps.layer import Layer
from trt_conformance.catalog.sweeps.model import STRENGTH, Cover, Edges, Exclude, Sweep
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.toml import KeyPath
from trt_conformance.core.types import Model, Precision
from trt_conformance.core.words import choice, shown

KEYS = ["section", "source", "seed", "usual", "base", "axis", "exclude", "cover"]
FIELDS = ["layer", *(key for key in DEFAULT_KEYS if key not in ("batch", "source", "latency", "relations"))]

EDGES = "edges"
"""The key of an axis that states its values by rule."""

MAX_AXES = 64
MAX_ROWS = 100_000
"""How many rows a matrix may have before exclusions: more is a mistake, such as one axis too many."""
MAX_COMBINATIONS = 1_000_000
"""How many combinations a cover may have to cover: each of them is checked."""

_VALUE = re.compile("[a-z0-9]+")


def read_sweep(source: Source, lint: bool = True) -> Sweep | None:
    """Return the sweep of a file; None if it has faults. ``lint`` is False if each value is known to occur in a row."""
    return _Reader(source).sweep(lint)


class _Reader:
    def __init__(self, source: Source) -> None:
        self.source = source
        self.document = source.document

    def fault(self, path: KeyPath, message: str) -> None:
        self.source.fault(path, message)

    def sweep(self, lint: bool) -> Sweep | None:
        self._head()
        axes = self._axes()
        excludes = self._entries("exclude", Exclude)
        covers = self._entries("cover", Cover)
        if not self.document.get("cover"):
            self.fault((), "has no covers: expected at least one [[cover]]")
        usual = self._usual(axes)
        if self.source.faults:
            return None
        for index, exclude in enumerate(excludes):
            self._values(("exclude", index, "where"), exclude.where, axes)
        for index, cover in enumerate(covers):
            self._cover(index, cover, axes)
        if self.source.faults:
            return None
        sweep = Sweep(
            file=self.source.file,
            path=self.source.path,
            folder=self.source.folder,
            name=self.source.stem,
            section=self.document["section"],
            source=self.document["source"],
            seed=self.document["seed"],
            base=self.document.get("base", {}),
            axes=axes,
            usual=usual,
            excludes=excludes,
            covers=covers,
            lines=tuple(self.source.line(("cover", index)) for index in range(len(covers))),
        )
        if lint and self._is_small(sweep):
            self._check_satisfiable(sweep)
        return None if self.source.faults else sweep

    def _head(self) -> None:
        for key in self.document:
            if key not in KEYS:
                self.fault((key,), choice("unknown key", key, KEYS))
        if not re.fullmatch("[a-z0-9][a-z0-9_]*", self.source.stem):
            rule = "may have only lower-case letters, digits and underscores, because it is part of the case ids"
            self.fault((), f"the file's name {shown(self.source.stem)} {rule}")
        for key in ("section", "source"):
            if not isinstance(self.document.get(key), str) or not self.document[key]:
                self.fault((key,), f"{key}: expected a non-empty string, got {shown(self.document.get(key))}")
        seed = self.document.get("seed")
        if type(seed) is not int or seed < 0:
            self.fault(("seed",), f"seed: expected an integer of at least 0, got {shown(seed)}")
        self._fields(("base",), self.document.get("base", {}))

    def _axes(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Return the axes, without those of the wrong type."""
        given = self.document.get("axis")
        if not isinstance(given, dict) or len(given) < 2:
            self.fault(("axis",), "axis: expected at least two tables [axis.NAME] of values")
            return {}
        if len(given) > MAX_AXES:
            self.fault(("axis",), f"axis: has {len(given)} axes, but at most {MAX_AXES} are allowed")
            return {}
        axes: dict[str, dict[str, dict[str, Any]]] = {}
        first: dict[str, str] = {}
        for axis, values in given.items():
            path = ("axis", axis)
            if not isinstance(values, dict) or not values:
                self.fault(path, f"axis {shown(axis)}: expected a table of values, got {shown(values)}")
                continue
            axes[axis] = {name: fields for name, fields in values.items() if name != EDGES}
            by_rule = self._by_rule(axis, values.get(EDGES, []))
            for value, fields in (*axes[axis].items(), *by_rule.items()):
                place = (*path, EDGES) if value in by_rule else (*path, value)
                if not _VALUE.fullmatch(value):
                    self.fault(place, f"value {shown(value)}: may have only lower-case letters and digits")
                elif first.setdefault(value, axis) != axis:
                    other = shown(first[value])
                    message = f"value {shown(value)} is also a value of axis {other}: ids would be ambiguous"
                    self.fault(place, message)
                self._fields(place, fields)
            if twice := [value for value in by_rule if value in axes[axis]]:
                self.fault((*path, twice[0]), f"value {shown(twice[0])}: the axis also has it by rule")
            axes[axis] |= by_rule
        return axes

    def _by_rule(self, axis: str, given: object) -> dict[str, dict[str, Any]]:
        """The values of an axis that rules state: one table, or several."""
        found: dict[str, dict[str, Any]] = {}
        for rule in given if isinstance(given, list) else [given]:
            edges = self._validated(("axis", axis, EDGES), rule, Edges)
            if isinstance(edges, Edges):
                found |= edges.values()
        return found

    def _fields(self, path: KeyPath, fields: object) -> None:
        """Check the fields of a case, and the settings of the layer, that a value sets."""
        if not isinstance(fields, dict):
            self.fault(path, f"expected a table of a case's fields, got {shown(fields)}")
            return
        for key, value in fields.items():
            if key not in FIELDS:
                self.fault((*path, key), choice("unknown field of a case:", key, FIELDS))
            elif key == "layer":
                self._validated((*path, key), value, Layer)
            elif key == "precision":
                if value not in get_args(Precision):
                    known = get_args(Precision)
                    self.fault((*path, key), choice(f"{key}: unknown value", value, known))
            elif key == "set" and isinstance(value, dict):
                for where, message in lint_assignments(value):
                    self.fault((*path, *where), message)

    def _entries(self, key: str, model: Callable[..., Any]) -> tuple[Any, ...]:
        given = self.document.get(key, [])
        if not isinstance(given, list):
            self.fault((key,), f"{key}: expected [[{key}]] tables, got {shown(given)}")
            return ()
        found = (self._validated((key, index), entry, model) for index, entry in enumerate(given))
        return tuple(entry for entry in found if entry is not None)

    def _validated(self, path: KeyPath, value: object, model: Any) -> Model | None:
        try:
            validated: Model = model.model_validate(value)
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                place: KeyPath = detail["loc"]
                self.fault((*path, *place), explain(detail, place or path[-1:], model))
            return None
        return validated

    def _usual(self, axes: dict[str, Any]) -> dict[str, str]:
        usual = self.document.get("usual", {})
        if not isinstance(usual, dict):
            self.fault(("usual",), f"usual: expected a table of axes and their usual values, got {shown(usual)}")
            return {}
        for axis, value in usual.items():
            if not isinstance(value, str):
                self.fault(("usual", axis), f"usual.{axis}: expected the name of a value, got {shown(value)}")
                return {}
        self._values(("usual",), {axis: (value,) for axis, value in usual.items()}, axes)
        if axes and all(axis in usual for axis in axes):
            self.fault(("usual",), "usual: leave out at least one axis, or a row of usual values has no name")
        return usual

    def _values(self, path: KeyPath, named: dict[str, tuple[str, ...]], axes: dict[str, Any]) -> None:
        for axis, values in named.items():
            if axis not in axes:
                self.fault((*path, axis), choice("unknown axis", axis, axes))
                continue
            for value in values:
                if value not in axes[axis]:
                    self.fault((*path, axis), choice(f"axis {axis} has no value", value, axes[axis]))

    def _cover(self, index: int, cover: Cover, axes: dict[str, Any]) -> None:
        path: KeyPath = ("cover", index)
        self._values((*path, "only"), cover.only, axes)
        for axis in cover.each:
            if axis not in axes:
                self.fault((*path, "each"), choice("unknown axis", axis, axes))
        if cover.how == "matrix" and cover.each:
            self.fault((*path, "each"), "each: a matrix has every combination anyway")
        if STRENGTH.get(cover.how, 0) > len(axes) > 1:
            self.fault((*path, "how"), f"how: {cover.how} needs {STRENGTH[cover.how]} axes, but there are {len(axes)}")

    def _is_small(self, sweep: Sweep) -> bool:
        """Whether the numbers of rows and combinations are within their limits; a fault for each cover that is not."""
        small = True
        for index, cover in enumerate(sweep.covers):
            domains = sweep.domains | cover.only
            sizes = [len(values) for axis, values in domains.items() if axis not in cover.each]
            blocks = math.prod(len(domains[axis]) for axis in cover.each)
            if cover.how == "matrix":
                found, most, what = math.prod(map(len, domains.values())), MAX_ROWS, "combinations of all axes"
            else:
                strength = STRENGTH[cover.how]
                found = blocks * _elementary(sizes + [1] * len(cover.each), strength)
                most, what = MAX_COMBINATIONS, "combinations to cover"
            if found > most:
                remedy = "narrow it with only, or remove values"
                self.fault(("cover", index), f"has {found} {what}, but at most {most} are allowed: {remedy}")
                small = False
        return small

    def _check_satisfiable(self, sweep: Sweep) -> None:
        """Record a fault for each value that is in no row of the sweep, or of a cover that lists it."""
        try:
            self._check_values_occur(sweep)
        except ConformanceError as error:
            self.fault(("exclude", 0), str(error))

    def _check_values_occur(self, sweep: Sweep) -> None:
        possible = Possible(sweep.domains, sweep.exclusions)
        for axis, values in sweep.domains.items():
            for value in values:
                if not possible(((axis, value),)):
                    self.fault(("axis", axis, value), f"value {shown(value)}: every row with it is excluded")
        for index, cover in enumerate(sweep.covers):
            within = Possible(sweep.domains | cover.only, sweep.exclusions)
            for axis in {*cover.only, *cover.each}:
                for value in cover.only.get(axis, sweep.domains[axis]):
                    if not within(((axis, value),)):
                        message = f"{axis} {shown(value)}: every row of this cover with it is excluded"
                        self.fault(("cover", index), message)


def _elementary(sizes: Sequence[int], strength: int) -> int:
    """Return how many combinations of one value each of ``strength`` axes there are, for axes of these sizes."""
    counts = [1, *[0] * strength]
    for size in sizes:
        for chosen in range(strength, 0, -1):
            counts[chosen] += size * counts[chosen - 1]
    return counts[strength]
