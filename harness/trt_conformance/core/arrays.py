"""Types of arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Float64 = NDArray[np.float64]


def widened(values: Array) -> Float64:
    """The values in float64. NumPy warns of a signaling NaN in the conversion, which gives a quiet one."""
    with np.errstate(invalid="ignore"):
        return values.astype(np.float64)
