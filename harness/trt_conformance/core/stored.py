"""Tensors that are stored in a file beside their case file: the weights of a model, as NumPy's ``.npy``.

Nothing of a file is trusted before its hash is that of the case. Pickled objects are refused, as are other types than
floating-point numbers, another shape, and paths and links that lead out of the folder of the case file.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.lib import format as npy
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from trt_conformance.core.arrays import Float64
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.files import read_regular_file
from trt_conformance.core.types import Model

MAX_BYTES = 2**28
"""Bytes of a file, 256 MiB: a kernel of 2^26 float32."""
CACHED = 4
_TYPES = ("float16", "float32", "float64")

_PART = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
FILE_PATTERN = rf"^({_PART}/)*{_PART}\.npy$"
SHA256_PATTERN = "^[0-9a-f]{64}$"


class Stored(Model):
    """A tensor in a file: its path from the folder of the case file, and the SHA-256 of the file.

    ``folder`` is that folder, set by the loader.
    """

    file: Annotated[str, Field(pattern=FILE_PATTERN, max_length=200)]
    sha256: Annotated[str, Field(pattern=SHA256_PATTERN)]
    folder: Annotated[SkipJsonSchema[str], Field(exclude=True)] = ""


def read_stored(stored: Stored, shape: Sequence[int]) -> Float64:
    """Return a stored tensor in float64, read-only.

    Raises:
        ConformanceError: the file cannot be read, is not the one of the case, or has no tensor of this shape.
    """
    return _read(stored, tuple(shape))


@lru_cache(CACHED)
def _read(stored: Stored, shape: tuple[int, ...]) -> Float64:
    folder = Path(stored.folder)
    path = folder / stored.file
    try:
        if not path.resolve().is_relative_to(folder.resolve()):
            raise _unusable(stored, "leads out of the folder of its case file")
        content = read_regular_file(path, MAX_BYTES)
    except (OSError, RuntimeError) as fault:
        raise _unusable(stored, f"cannot be read: {getattr(fault, 'strerror', None) or fault}") from None
    found = hashlib.sha256(content).hexdigest()
    if found != stored.sha256:
        raise _unusable(stored, f"is not the file that the case names: its SHA-256 is {found}")
    values = _parsed(stored, content, shape).astype(np.float64)
    unusable = values.size - int(np.isfinite(values).sum())
    if unusable:
        raise _unusable(stored, f"has {unusable} values that are not finite")
    values.setflags(write=False)
    return values


def _parsed(stored: Stored, content: bytes, shape: tuple[int, ...]) -> Float64:
    file = io.BytesIO(content)
    try:
        if npy.read_magic(file) == (1, 0):
            declared, _, dtype = npy.read_array_header_1_0(file)
        else:
            declared, _, dtype = npy.read_array_header_2_0(file)
    except (ValueError, SyntaxError, TypeError) as fault:
        raise _unusable(stored, f"is not in NumPy's format: {fault}") from None
    if dtype.name not in _TYPES:
        raise _unusable(stored, f"has {dtype.name}, expected one of {', '.join(_TYPES)}")
    if declared != shape:
        raise _unusable(stored, f"has the shape {list(declared)}, expected {list(shape)}")
    file.seek(0)
    try:
        array: Float64 = npy.read_array(file, allow_pickle=False)
    except ValueError as fault:
        raise _unusable(stored, f"is not in NumPy's format: {fault}") from None
    return array


def npy_bytes(values: np.ndarray[tuple[int, ...], np.dtype[np.floating]]) -> bytes:
    """The content of a ``.npy`` file of an array."""
    file = io.BytesIO()
    npy.write_array(file, np.ascontiguousarray(values), version=(1, 0), allow_pickle=False)
    return file.getvalue()


def _unusable(stored: Stored, reason: str) -> ConformanceError:
    return ConformanceError(f"{stored.file}: {reason}")
