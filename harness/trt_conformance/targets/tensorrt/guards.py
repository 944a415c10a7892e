"""The guards around an output on the GPU, which show what a kernel wrote outside of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from trt_conformance.core.arrays import Array
from trt_conformance.targets.device import cuda


class OutOfBounds(RuntimeError):
    """A kernel wrote outside of its output."""


def unwrapped(guarded: Array, dtype: np.dtype[Any]) -> Array:
    """The tensor between two intact guards. Raises OutOfBounds, saying where the nearest foreign byte lies."""
    inner = slice(cuda.GUARD_BYTES, guarded.size - cuda.GUARD_BYTES)
    before = np.flatnonzero(guarded[: inner.start] != cuda.GUARD_PATTERN)
    after = np.flatnonzero(guarded[inner.stop :] != cuda.GUARD_PATTERN)
    for touched, side, nearest in (
        (before, "before", cuda.GUARD_BYTES - int(before[-1]) if before.size else 0),
        (after, "after", int(after[0]) + 1 if after.size else 0),
    ):
        if touched.size:
            raise OutOfBounds(f"{touched.size} bytes {side} the output were written, the nearest {nearest} from it")
    return guarded[inner].view(dtype)
