"""Shows a stored golden as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from trt_conformance.core.arrays import Array
from trt_conformance.core.words import one_line
from trt_conformance.golden.content import Content, describe

WIDTH = 110
MOST = 500
"""Elements above which an array is shown in part."""


def lines(content: Content) -> Iterator[str]:
    """Attributes and rounded values as lines of text."""
    for path, node in content.items():
        for name, value in node.attributes.items():
            yield from _entry(f"{path}/{name}", str(value))
        for name, array in node.datasets.items():
            yield from _entry(f"{path}/{name}", describe(array))
            text = np.array2string(_printable(array), precision=6, threshold=MOST, max_line_width=WIDTH)
            yield from (f"  {line}" for line in text.splitlines())


def as_json(content: Content) -> dict[str, Any]:
    """Attributes and all values, as JSON values."""
    return {
        path: {
            "attributes": node.attributes,
            "datasets": {
                name: {"type": describe(array), "values": _printable(array).tolist()}
                for name, array in node.datasets.items()
            },
        }
        for path, node in content.items()
    }


def _entry(name: str, text: str) -> Iterator[str]:
    first, *rest = [one_line(line) for line in text.splitlines()] or [""]
    yield f"{name.lstrip('/'):<14} {first}"
    yield from (f"{'':<14} {line}" for line in rest)


def _printable(array: Array) -> Array:
    """The array in a type that NumPy can print."""
    return array if array.dtype.kind in "fiu" else array.astype(np.float64)
