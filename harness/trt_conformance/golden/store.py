"""Golden files: HDF5, read whole and written whole, the same bytes for the same content.

A file begins with a user block, which HDF5 leaves to its users: one line of text with the SHA-256 and the
size of all that follows. It is checked before HDF5 sees the file, since HDF5 may hang or crash on a damaged one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import h5py
import ml_dtypes
import numpy as np

from trt_conformance.core.arrays import Array
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.files import replacing

Attribute = str | int | tuple[int, ...]
Kind = Literal["missing", "stale", "corrupt", "truncated", "foreign", "extra", "manifest", "differs"]

FORMAT = "trt-conformance golden"
SCHEMA_VERSION = 1

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
COMPRESSED_FROM = 4096
"""Elements from which a dataset is worth compressing."""

# A newer layout would hold the time of writing in every group.
LAYOUT = ("earliest", "v110")

_USER_BLOCK = 512
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_SEAL = re.compile(rb"trt-conformance golden sha256 ([0-9a-f]{64}) bytes (\d{1,18})\n\0*")


class GoldenError(ConformanceError):
    """A golden that cannot be used; ``kind`` says why."""

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
    """The goldens of a file, by the first two parts of their path: case and type."""
    goldens: dict[str, Content] = {}
    for path, node in content.items():
        parts = path.split("/")
        goldens.setdefault("/".join(parts[:2]), {})["/".join(parts[2:])] = node
    return goldens


def join(goldens: dict[str, Content]) -> Content:
    """A file's content from its goldens; undoes `split`."""
    return {
        "/".join(part for part in (golden, path) if part): node
        for golden, content in goldens.items()
        for path, node in content.items()
    }


def fingerprint(array: Array) -> str:
    """Type, shape and the SHA-256 of the elements' bytes, little-endian in C order: ``float32[1,1,6,9] 5f0c…``."""
    stored = _stored(array)
    return f"{describe(array)} {_sha256(stored.astype(stored.dtype.newbyteorder('<'), copy=False).tobytes())}"


def describe(array: Array) -> str:
    """Type and shape: ``float32[1,1,6,9]``."""
    return f"{array.dtype}[{','.join(map(str, array.shape))}]"


def load(path: Path, kind: str) -> Content:
    """Everything a golden file holds, arrays read-only; its kind is documented, reference or observed/TARGET.

    Raises:
        GoldenError: the file is missing, truncated, corrupt, foreign, or of another schema. The message says
            what the file is or has, and leaves naming it to the caller.
    """
    try:
        _check_seal(path.read_bytes())
        # No lock: files are replaced whole, and some file systems cannot lock.
        with h5py.File(path, "r", locking=False) as file:
            _check_root(dict(file.attrs), kind)
            return dict(_nodes(file, ""))
    except FileNotFoundError:
        raise GoldenError("does not exist", "missing") from None
    except (OSError, RuntimeError, KeyError, ValueError) as fault:
        raise GoldenError(f"cannot be read ({fault})") from fault


def save(path: Path, kind: str, content: Content) -> None:
    """Write a golden file whole, or leave what is there as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        with h5py.File(temporary, "w", libver=LAYOUT, userblock_size=_USER_BLOCK) as file:
            file.attrs.update({"format": FORMAT, "kind": kind, "schema_version": SCHEMA_VERSION})
            for name, node in sorted(content.items()):
                group = file.require_group(name)
                for key, value in sorted(node.attributes.items()):
                    group.attrs[key] = value
                for key, array in sorted(node.datasets.items()):
                    _write(group, key, array)
        _seal(temporary)


def _seal(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(_USER_BLOCK)
        body = file.read()
        file.seek(0)
        file.write(f"{FORMAT} sha256 {_sha256(body)} bytes {len(body)}\n".encode())


def _check_seal(data: bytes) -> None:
    seal, body = _SEAL.fullmatch(data[:_USER_BLOCK]), data[_USER_BLOCK:]
    if data and not data.startswith(FORMAT.encode()):
        if _SIGNATURE in (data[:8], body[:8]):
            raise GoldenError("is HDF5, but no golden file of this suite", "foreign")
        raise GoldenError("is no HDF5 file")
    if len(data) < _USER_BLOCK or (seal is not None and len(body) < int(seal[2])):
        raise GoldenError("is truncated", "truncated")
    if seal is None or _sha256(body) != seal[1].decode():
        raise GoldenError("was damaged or edited: its bytes are not those that were written")


def _check_root(attributes: dict[str, Any], kind: str) -> None:
    if attributes.get("format") != FORMAT:
        raise GoldenError("is HDF5, but no golden file of this suite", "foreign")
    version = attributes.get("schema_version")
    if version != SCHEMA_VERSION:
        raise GoldenError(f"has schema version {version}, but this suite reads {SCHEMA_VERSION}")
    if attributes.get("kind") != kind:
        raise GoldenError(f"holds {attributes.get('kind')} goldens, but lies among the {kind} ones", "foreign")


def _nodes(group: Any, path: str) -> Iterator[tuple[str, Node]]:
    """The nodes under a group, those left out that only lead to others."""
    datasets, children = {}, []
    for name in sorted(group):
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise GoldenError(f"holds a link to elsewhere at {path}/{name}", "foreign")
        item = group[name]
        if isinstance(item, h5py.Dataset):
            datasets[name] = _read(item)
        else:
            children.append((name, item))
    attributes = {name: _attribute(name, value) for name, value in group.attrs.items()} if path else {}
    if datasets or attributes or (path and not children):
        yield path, Node(attributes, datasets)
    for name, item in children:
        yield from _nodes(item, f"{path}/{name}" if path else name)


def _attribute(name: str, value: Any) -> Attribute:
    if isinstance(value, str):
        return value
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, np.ndarray) and value.dtype.kind == "i":
        return tuple(int(part) for part in value.ravel())
    raise GoldenError(f"has an attribute {name} of a type that goldens do not use")


def _read(dataset: Any) -> Array:
    if dataset.dtype.kind not in "fiu":
        raise GoldenError(f"has a dataset {dataset.name} of type {dataset.dtype}, which goldens do not use")
    array: Array = np.asarray(dataset[()])
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    logical = dataset.attrs.get("dtype")
    if logical == "bfloat16" and array.dtype == np.uint16:
        array = array.view(BFLOAT16)
    elif logical is not None:
        raise GoldenError(f"has a dataset {dataset.name} that says it holds {logical}, but stores {array.dtype}")
    array.flags.writeable = False
    return array


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _stored(array: Array) -> Array:
    """HDF5 has no bfloat16: its bits are stored as uint16."""
    return array.view(np.uint16) if array.dtype == BFLOAT16 else array


def _write(group: Any, name: str, array: Array) -> None:
    packing = {"compression": "gzip", "shuffle": True} if array.size >= COMPRESSED_FROM else {}
    dataset = group.create_dataset(name, data=_stored(array), track_times=False, **packing)
    if array.dtype == BFLOAT16:
        dataset.attrs["dtype"] = "bfloat16"
