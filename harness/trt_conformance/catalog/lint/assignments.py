"""Checks the names and types of assigned attributes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from trt_conformance.catalog.explain import Problem
from trt_conformance.core.attributes import ATTRIBUTE_FIELDS
from trt_conformance.core.types import PaddingMode
from trt_conformance.core.words import choice, shown

# Newer versions of TensorRT no longer have the names without `_nd`, so none of them is suggested.
_SUGGESTED = tuple(name for name in ATTRIBUTE_FIELDS if f"{name}_nd" not in ATTRIBUTE_FIELDS)


def lint_assignments(assignments: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield the problems of the names and types in ``set``, before it becomes part of a case."""
    for name, value in assignments.items():
        path = ("set", name)
        if name not in ATTRIBUTE_FIELDS:
            yield path, choice("unknown attribute in set:", name, _SUGGESTED)
        elif name == "padding_mode":
            if value not in get_args(PaddingMode):
                yield path, choice(f"set.{name}: unknown mode", value, get_args(PaddingMode))
        elif name in ("num_groups", "num_output_maps"):
            if type(value) is not int:
                yield path, f"set.{name}: expected an integer, got {shown(value)}"
        elif not isinstance(value, list) or not value or any(type(part) is not int for part in value):
            yield path, f"set.{name}: expected an array of integers, one per axis, got {shown(value)}"
