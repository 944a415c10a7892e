"""Checks the data of a case: each tensor has a fill, or values that fit its shape and type."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from trt_conformance.catalog.explain import Problem
from trt_conformance.core.case import Case
from trt_conformance.core.tensors import NUMPY_TYPE
from trt_conformance.core.words import counted

Shape = tuple[int, ...]

# Fills that are defined over the last two dimensions.
_PLANE_FILLS = ("tiled_1_to_9", "powers_of_ten", "powers_of_ten_alternating")


def lint_data(case: Case, refused: bool) -> Iterator[Problem]:
    """Each tensor has a fill or values, and its values fit its shape and type."""
    tensors: list[tuple[str, Any, Shape]] = [
        ("input", case.input, case.input.shape),
        ("kernel", case.kernel, case.kernel.shape),
    ]
    if case.bias != "none":
        tensors.append(("bias", case.bias, case.kernel.shape[:1]))
    for name, tensor, shape in tensors:
        if (tensor.fill is None) == (tensor.values is None):
            which = "both fill and values" if tensor.fill else "neither fill nor values"
            yield (name,), f"{name} has {which}, expected one of them"
        elif tensor.fill in _PLANE_FILLS and len(shape) < 2:
            yield (name, "fill"), f"{name}.fill: {tensor.fill} needs two dimensions, but the {name} has {len(shape)}"
        elif tensor.values and not refused and len(tensor.values) != math.prod(shape):
            given = counted(len(tensor.values), "value")
            yield (name, "values"), f"{name}.values: {given} for shape {list(shape)}, expected {math.prod(shape)}"
        elif tensor.values and not refused:
            yield from _overflows(case, name, tensor.values)
    if case.dynamic and case.input.values and any(run != case.input.shape for run in case.dynamic.run):
        yield (
            ("input", "values"),
            f"input.values fit only {list(case.input.shape)}: dynamic.run needs a fill",
        )


def _overflows(case: Case, name: str, values: Sequence[float]) -> Iterator[Problem]:
    with np.errstate(over="ignore"):
        read = np.asarray(values, dtype=np.float64).astype(NUMPY_TYPE[case.data_type]).astype(np.float64)
    for index, (given, became) in enumerate(zip(values, read, strict=True)):
        if math.isfinite(given) and not math.isfinite(became):
            yield (name, "values", index), f"{name}.values[{index}]: {given:g} is beyond the range of {case.data_type}"
