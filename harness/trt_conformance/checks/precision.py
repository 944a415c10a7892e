"""Reads off a probe's output which arithmetic ran, whatever names its kernels have."""

from __future__ import annotations

from trt_conformance.core.arrays import Array
from trt_conformance.core.case import Case
from trt_conformance.core.types import Precision

UNKNOWN = "unknown"


def arithmetic(case: Case, output: Array) -> str | None:
    """The arithmetic that gives the output's first element the value it has; None where the case is no probe."""
    if not case.distinguishes:
        return None
    first = float(output.flat[0])
    return next((name for name, value in case.distinguishes.items() if value == first), UNKNOWN)


# Precisions that a target is told to use, and may silently leave. TF32 is only ever permitted.
NARROW: dict[Precision, str] = {"fp16": "fp16", "bf16": "bf16", "int8": "int8", "fp8": "fp8"}
