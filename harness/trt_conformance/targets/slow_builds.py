"""Cases whose builds take many seconds, because TensorRT compiles GPU kernels for them."""

from __future__ import annotations

from trt_conformance.core.case import Case
from trt_conformance.core.epilogue_fields import JOINS, POOLINGS, ROUNDING

COMPILED = frozenset(ROUNDING) - {"scale", *POOLINGS} | {"clip"}
"""Operations after the layer that few of TensorRT's precompiled kernels include."""


def is_slow_to_build(case: Case) -> bool:
    """Whether TensorRT compiles kernels for the operations around a case's layer.

    TensorRT 8.6 compiles for one thread at a time: such builds take 10 s each, or 30 s each if four threads build them.
    """
    after = {step.op for step in case.epilogue}
    if after & COMPILED or any(step.op == "relu" for step in case.prologue):
        return True
    return case.quantize is not None and bool(after & set(JOINS)) and "quantize" in after
