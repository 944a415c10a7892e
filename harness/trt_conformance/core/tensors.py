"""The tensors of a case: its fills rounded to the type the network reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

from trt_conformance.core.arrays import Array
from trt_conformance.core.case import Case
from trt_conformance.core.fills import content
from trt_conformance.core.types import DataType

INPUT, OUTPUT = "input", "output"

NUMPY_TYPE: dict[DataType, np.dtype[Any]] = {
    "float32": np.dtype(np.float32),
    "float16": np.dtype(np.float16),
    "bfloat16": np.dtype(ml_dtypes.bfloat16),
    "int8": np.dtype(np.int8),
    "float8": np.dtype(ml_dtypes.float8_e4m3fn),
}


@dataclass(frozen=True)
class Parameters:
    """Kernel ``(K, C/groups, *window)`` and bias ``(K,)`` in the case's type: all that a build needs."""

    kernel: Array
    bias: Array | None


@dataclass(frozen=True)
class CaseData(Parameters):
    """The parameters, and the input ``(N, C, *spatial)``."""

    input: Array


def parameters(case: Case) -> Parameters:
    """Kernel and bias of a case."""
    dtype = NUMPY_TYPE[case.data_type]
    bias = None
    if case.bias != "none":
        maps = case.kernel.shape[:1]
        bias = content(maps, case.bias.fill, case.bias.values, case.bias.seed).astype(dtype)
    kernel = content(case.kernel.shape, case.kernel.fill, case.kernel.values, case.kernel.seed)
    return Parameters(kernel.astype(dtype), bias)


def case_data(case: Case, run_shape: Sequence[int] | None = None) -> CaseData:
    """The tensors of a case, the input in ``run_shape`` (by default the case's first)."""
    dtype = NUMPY_TYPE[case.data_type]
    shape = case.run_shapes[0] if run_shape is None else run_shape
    values = case.input.values if tuple(shape) == case.input.shape else None
    given = parameters(case)
    x = content(shape, case.input.fill, values, case.input.seed).astype(dtype)
    return CaseData(given.kernel, given.bias, x)


def feeds_of(case: Case, index: int = 0) -> dict[str, Array]:
    """The inputs of a case's ``index``-th run, by tensor name."""
    return {INPUT: case_data(case, case.run_shapes[index]).input}
