"""Checks the data of a case: each tensor has a fill, or values that fit its shape and type."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from trt_conformance.catalog.explain import Problem
from trt_conformance.core.case import BiasSpec, Case, TensorSpec
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.tensors import NUMPY_TYPE, content_of
from trt_conformance.core.types import OCTAVES
from trt_conformance.core.words import counted

Shape = tuple[int, ...]

# Fills that are defined over two dimensions.
_PLANE_FILLS = ("tiled_1_to_9", "powers_of_ten", "powers_of_ten_alternating", "two_of_four")

# The last octave, to its end, that rounds to a finite value of the type.
LARGEST_OCTAVE = {"float32": 2.0**126, "bfloat16": 2.0**126, "float16": 2.0**14}


def lint_data(case: Case, refused: bool) -> Iterator[Problem]:
    """Each tensor has a fill or values, and its values fit its shape and type."""
    tensors: list[tuple[str, Any, Shape]] = [
        ("input", case.input, case.input.shape),
        ("kernel", case.kernel, case.kernel.shape),
    ]
    if case.bias != "none":
        tensors.append(("bias", case.bias, case.kernel.shape[:1]))
    if case.addend is not None:
        tensors.append(("addend", case.addend, case.addend.shape))
    for name, tensor, shape in tensors:
        contents = [key for key in ("fill", "values", "stored") if getattr(tensor, key) is not None]
        if len(contents) != 1:
            which = f"both {' and '.join(contents)}" if contents else "neither fill nor values"
            yield (name,), f"{name} has {which}, expected one of them"
        elif tensor.stored is not None:
            yield from _stored(case, name, tensor, shape)
        elif tensor.fill in _PLANE_FILLS and len(shape) < 2:
            yield (name, "fill"), f"{name}.fill: {tensor.fill} needs two dimensions, but the {name} has {len(shape)}"
        elif tensor.values and not refused and len(tensor.values) != math.prod(shape):
            given = counted(len(tensor.values), "value")
            yield (name, "values"), f"{name}.values: {given} for shape {list(shape)}, expected {math.prod(shape)}"
        elif tensor.values and not refused:
            yield from _overflows(case, name, tensor.values)
        if name != "bias":
            yield from _exponents(case, name, tensor)
    if case.dynamic and case.input.values and any(run != case.input.shape for run in case.dynamic.run):
        yield (
            ("input", "values"),
            f"input.values fit only {list(case.input.shape)}: dynamic.run needs a fill",
        )


def _exponents(case: Case, name: str, tensor: TensorSpec) -> Iterator[Problem]:
    """Yield the problem of the exponents of octaves: missing, without octaves, in the wrong order, or too large."""
    given = tensor.exponents
    if given is None:
        if tensor.fill in OCTAVES:
            yield (name,), f"{name}.exponents is missing: {tensor.fill} needs the lowest and the highest"
        return
    where = (name, "exponents")
    if tensor.fill not in OCTAVES:
        yield where, f"{name}.exponents: only {', '.join(OCTAVES)} have exponents"
    elif given[0] > given[1]:
        yield where, f"{name}.exponents: the lowest, {given[0]}, is larger than the highest, {given[1]}"
    elif 2.0 ** given[1] > LARGEST_OCTAVE[case.data_type]:
        yield where, f"{name}.exponents: 2^{given[1]} and more is beyond the range of {case.data_type}"


def _stored(case: Case, name: str, tensor: TensorSpec | BiasSpec, shape: Shape) -> Iterator[Problem]:
    """Yield the problem of a tensor in a file: the file cannot be used, or a value is beyond the type of the case."""
    if name in ("input", "addend"):
        yield (name, "stored"), f"{name}.stored: only the kernel and the bias can be stored in a file"
        return
    try:
        values = content_of(tensor, shape)
    except ConformanceError as fault:
        yield (name, "stored"), f"{name}.stored: {fault}"
        return
    with np.errstate(over="ignore"):
        beyond = ~np.isfinite(values.astype(NUMPY_TYPE[case.data_type]).astype(np.float64))
    if beyond.any():
        yield (name, "stored"), f"{name}.stored: {values[beyond][0]:g} is beyond the range of {case.data_type}"


def _overflows(case: Case, name: str, values: Sequence[float]) -> Iterator[Problem]:
    with np.errstate(over="ignore"):
        read = np.asarray(values, dtype=np.float64).astype(NUMPY_TYPE[case.data_type]).astype(np.float64)
    for index, (given, became) in enumerate(zip(values, read, strict=True)):
        if math.isfinite(given) and not math.isfinite(became):
            yield (name, "values", index), f"{name}.values[{index}]: {given:g} is beyond the range of {case.data_type}"
