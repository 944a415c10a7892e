"""The content of golden files in memory, and the error for goldens that cannot be used."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import ml_dtypes
import numpy as np

from trt_conformance.core.arrays import Array
from trt_conformance.core.errors import ConformanceError

Attribute = str | int | tuple[int, ...]
Kind = Literal["missing", "stale", "corrupt", "truncated", "foreign", "extra", "manifest", "differs"]

BFLOAT16: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)


class GoldenError(ConformanceError):
    """A golden that cannot be used; ``kind`` classifies the reason."""

    def __init__(self, message: str, kind: Kind = "corrupt") -> None:
        super().__init__(message)
        self.kind: Kind = kind


@dataclass(frozen=True)
class Node:
    """One HDF5 group: its attributes and its datasets by name."""

    attributes: dict[str, Attribute] = field(default_factory=dict)
    datasets: dict[str, Array] = field(default_factory=dict)


Content = dict[str, Node]
"""The nodes of a file by path, ``h2_w2/float32/run0``, or of one golden by path within it, ``run0``."""


def split(content: Content) -> dict[str, Content]:
    """Separate a file's content into its goldens, keyed by the first two parts of their path: case and type."""
    goldens: dict[str, Content] = {}
    for path, node in content.items():
        parts = path.split("/")
        goldens.setdefault("/".join(parts[:2]), {})["/".join(parts[2:])] = node
    return goldens


def join(goldens: dict[str, Content]) -> Content:
    """Combine goldens into a file's content; the inverse of `split`."""
    return {
        "/".join(part for part in (golden, path) if part): node
        for golden, content in goldens.items()
        for path, node in content.items()
    }


def fingerprint(array: Array) -> str:
    """Type, shape and the SHA-256 of the elements' bytes, little-endian in C order: ``float32[1,1,6,9] 5f0c…``."""
    stored = as_stored(array)
    data = stored.astype(stored.dtype.newbyteorder("<"), copy=False).tobytes()
    return f"{describe(array)} {hashlib.sha256(data).hexdigest()}"


def describe(array: Array) -> str:
    """Type and shape of an array: ``float32[1,1,6,9]``."""
    return type_and_shape(array.dtype.name, array.shape)


def type_and_shape(dtype: str, shape: Sequence[int]) -> str:
    """The text of a type and a shape: ``float32[1,1,6,9]``."""
    return f"{dtype}[{','.join(map(str, shape))}]"


def as_stored(array: Array) -> Array:
    """The array as HDF5 stores it. HDF5 has no bfloat16, so its bits are stored as uint16."""
    return array.view(np.uint16) if array.dtype == BFLOAT16 else array
