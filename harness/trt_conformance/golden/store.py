"""Golden files: HDF5, read and written completely, with the same bytes for the same content.

A file begins with a user block, which HDF5 leaves to its users: one line of text with the SHA-256 and the size of all
that follows. It finds accidents: a file that was truncated, edited, or replaced by something else. Whether the file is
the one that was reviewed is for the manifest to say: readers pass the SHA-256 that it lists, and HDF5 is not given any
other bytes. What HDF5 is given is checked by `structure` before data is read.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import re
import zlib
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from trt_conformance.core.arrays import Array
from trt_conformance.core.files import read_regular_file, replacing
from trt_conformance.golden.content import BFLOAT16, Attribute, Content, GoldenError, Node, as_stored
from trt_conformance.golden.structure import MAX_DECLARED, DeclaredDataset, DeclaredGroup, declared_groups

FORMAT = "trt-conformance golden"
SCHEMA_VERSION = 1

COMPRESSED_FROM = 4096
"""Elements from which a dataset is worth compressing."""
MAX_FILE = 2**27
"""Bytes of a golden file: 128 MiB."""

# A newer layout would store the time of writing in every group.
LAYOUT = ("earliest", "v110")

_NUMBERS = itertools.count()
_USER_BLOCK = 512
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_SEAL = re.compile(rb"trt-conformance golden sha256 ([0-9a-f]{64}) bytes (\d{1,18})\n\0*")
_NOT_LISTED = "is not listed in MANIFEST.json"


@dataclass(frozen=True)
class GoldenFile:
    """What a golden file contains, arrays read-only, and the SHA-256 of its bytes."""

    content: Content
    sha256: str


def read_golden_file(
    path: Path, kind: str | None, *, sha256: str | None = None, types: Mapping[str, str] | None = None
) -> GoldenFile:
    """Read all of a golden file.

    Args:
        path: The file. Anything but a regular file is refused.
        kind: The kind that the file has to declare: documented, reference or observed/TARGET; None for any.
        sha256: The SHA-256 that the manifest lists for the file, empty if it does not list the file; None if no
            manifest is at hand.
        types: The type and shape that each dataset has to declare, by path: ``float32[1,1,6,9]``.

    Raises:
        GoldenError: the file is missing, truncated, corrupt, foreign, not the one listed, of another schema, or
            declares other datasets than ``types``. The message says what the file is or has; naming the file is
            left to the caller.
    """
    try:
        data = read_regular_file(path, MAX_FILE)
    except FileNotFoundError:
        raise GoldenError("does not exist", "missing") from None
    except OSError as fault:
        raise GoldenError(f"cannot be read: {fault.strerror}") from None
    _check_seal(data)
    found = _sha256(data)
    if sha256 is not None and found != sha256:
        unlisted = "is not the file that MANIFEST.json lists: its SHA-256 differs" if sha256 else _NOT_LISTED
        raise GoldenError(unlisted, "manifest")
    try:
        with closing(_open(data)) as file:
            groups = declared_groups(file)
            _check_root(groups[""], kind)
            if types is not None:
                _check_types(groups, types)
            return GoldenFile(_content(groups), found)
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError, MemoryError) as fault:
        raise GoldenError(f"cannot be read as HDF5: {fault}") from fault


def encode_golden_file(kind: str, content: Content) -> bytes:
    """The bytes of a golden file.

    Raises:
        GoldenError: the content has a type or a name that goldens do not use, or is larger than a file may be.
    """
    _check_storable(content)
    size = sum(array.nbytes for node in content.values() for array in node.datasets.values())
    if size > MAX_DECLARED:
        raise GoldenError(
            f"would hold {size:,} bytes of data, but the limit is {MAX_DECLARED:,} per file: "
            "distribute its cases over several case files, or make their tensors smaller"
        )
    with h5py.File(
        _memory_name(), "w", driver="core", backing_store=False, libver=LAYOUT, userblock_size=_USER_BLOCK
    ) as file:
        file.attrs.update({"format": FORMAT, "kind": kind, "schema_version": SCHEMA_VERSION})
        for name, node in sorted(content.items()):
            group = file.require_group(name)
            for key, value in sorted(node.attributes.items()):
                group.attrs[key] = value
            for key, array in sorted(node.datasets.items()):
                _write_dataset(group, key, array)
        file.flush()
        body: bytes = file.id.get_file_image()
    return seal(body)


def write_golden_file(path: Path, data: bytes) -> None:
    """Write the bytes of a golden file, all of them or none.

    Raises:
        OSError: the folder or the file cannot be written; the file that was there is unchanged.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def seal(body: bytes) -> bytes:
    """Put the user block, with the hash and the size of the HDF5 data, in front of it."""
    return f"{FORMAT} sha256 {_sha256(body)} bytes {len(body)}\n".encode().ljust(_USER_BLOCK, b"\0") + body


def file_hash(data: bytes) -> str:
    """The SHA-256 that the manifest lists for a file of these bytes."""
    return _sha256(data)


def _check_seal(data: bytes) -> None:
    found, body = _SEAL.fullmatch(data[:_USER_BLOCK]), data[_USER_BLOCK:]
    if data and not data.startswith(FORMAT.encode()[: len(data)]):
        if _SIGNATURE in (data[:8], body[:8]):
            raise GoldenError("is an HDF5 file, but not a golden file of this suite", "foreign")
        raise GoldenError("is not an HDF5 file")
    if len(data) < _USER_BLOCK or (found is not None and len(body) < int(found[2])):
        raise GoldenError("is truncated", "truncated")
    if found is None or _sha256(body) != found[1].decode() or len(body) != int(found[2]):
        raise GoldenError("is damaged or was edited: its bytes do not have the hash that was written with them")


def _check_storable(content: Content) -> None:
    """What is written can be read again: targets choose the names and types of observed outputs."""
    for path, node in content.items():
        for name, array in node.datasets.items():
            if not name.isprintable() or "/" in name or name in ("", ".", ".."):
                raise GoldenError(f"cannot store a tensor named {name!r}: the name is not valid in a golden file")
            if array.dtype != BFLOAT16 and (array.dtype.kind not in "fiu" or array.dtype.itemsize > 8):
                raise GoldenError(f"cannot store {path}/{name}: goldens do not use the type {array.dtype}")
        for name, value in node.attributes.items():
            if isinstance(value, str) and ("\0" in value or not _is_utf8(value)):
                raise GoldenError(f"cannot store the attribute {name} of {path}: {value!r} is not valid text")


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _open(data: bytes) -> Any:
    """Open HDF5 data from memory, so that the bytes read are the bytes that were checked."""
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    access.set_fapl_core(backing_store=False)
    access.set_file_image(data)
    access.set_fclose_degree(h5py.h5f.CLOSE_STRONG)
    return h5py.h5f.open(_memory_name().encode(), h5py.h5f.ACC_RDONLY, fapl=access)


def _memory_name() -> str:
    """A new name: HDF5 takes two open files in memory for the same one if their names are equal."""
    return f"golden-{next(_NUMBERS)}.h5"


def _check_root(root: DeclaredGroup, kind: str | None) -> None:
    attributes = _attributes(root)
    if attributes.get("format") != FORMAT:
        raise GoldenError("is an HDF5 file, but not a golden file of this suite", "foreign")
    version = attributes.get("schema_version")
    if version != SCHEMA_VERSION:
        raise GoldenError(f"has schema version {version!r}, but this suite reads {SCHEMA_VERSION}")
    if unknown := sorted(attributes.keys() - {"format", "kind", "schema_version"}):
        raise GoldenError(f"has attributes at its top level that goldens do not use: {', '.join(unknown)}")
    if kind is not None and attributes.get("kind") != kind:
        raise GoldenError(f"is of kind {attributes.get('kind')!r}, but is stored among the {kind} goldens", "foreign")


def _check_types(groups: Mapping[str, DeclaredGroup], types: Mapping[str, str]) -> None:
    """Every dataset declares the type and shape that the manifest lists for it."""
    for path, group in groups.items():
        for name, dataset in group.datasets.items():
            where = f"{path}/{name}".lstrip("/")
            listed = types.get(where)
            if listed != dataset.describe():
                expected = f"MANIFEST.json lists {listed}" if listed else "MANIFEST.json does not list it"
                raise GoldenError(f"has a dataset {where} that is {dataset.describe()}, but {expected}", "manifest")


def _content(groups: Mapping[str, DeclaredGroup]) -> Content:
    """All nodes; groups that only lead to others are left out."""
    content: Content = {}
    for path, group in groups.items():
        attributes = _attributes(group) if path else {}
        datasets = {name: _read_dataset(dataset, f"{path}/{name}") for name, dataset in group.datasets.items()}
        if datasets or attributes or (path and not group.children):
            content[path] = Node(attributes, datasets)
    return content


def _attributes(group: DeclaredGroup) -> dict[str, Attribute]:
    values = h5py.AttributeManager(h5py.Group(group.id))
    return {name: _attribute(name, values[name]) for name in group.attributes}


def _attribute(name: str, value: Any) -> Attribute:
    if isinstance(value, str):
        return value
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, np.ndarray) and value.dtype.kind in "iu":
        return tuple(int(part) for part in value.ravel())
    raise GoldenError(f"has an attribute {name} of a type that goldens do not use")


def _read_dataset(declared: DeclaredDataset, where: str) -> Array:
    array: Array = np.empty(declared.shape, declared.dtype)
    if declared.chunk is None:
        declared.id.read(h5py.h5s.ALL, h5py.h5s.ALL, array)
    else:
        _read_chunks(declared, declared.chunk, array, where.lstrip("/"))
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if declared.logical == BFLOAT16:
        array = array.view(BFLOAT16)
    array.flags.writeable = False
    return array


def _read_chunks(declared: DeclaredDataset, chunk: tuple[int, ...], array: Array, where: str) -> None:
    """Read chunks and unpack them here: HDF5 sets no limit to what a chunk may unpack to."""
    size = math.prod(chunk) * declared.dtype.itemsize
    for index in range(declared.id.get_num_chunks()):
        about = declared.id.get_chunk_info(index)
        if about.size > MAX_FILE:
            raise GoldenError(f"has a chunk of {about.size:,} bytes in {where}; the limit is {MAX_FILE:,}")
        skipped, packed = declared.id.read_direct_chunk(about.chunk_offset)
        raw = _unpack(packed, size, declared, skipped)
        if raw is None:
            raise GoldenError(f"has a chunk in {where} that does not unpack to its {size:,} bytes")
        place = tuple(
            slice(start, min(start + step, length))
            for start, step, length in zip(about.chunk_offset, chunk, declared.shape, strict=True)
        )
        values = np.frombuffer(raw, declared.dtype).reshape(chunk)
        array[place] = values[tuple(slice(part.stop - part.start) for part in place)]


def _unpack(data: bytes, size: int, declared: DeclaredDataset, skipped: int) -> bytes | None:
    """Undo the filters of a chunk in reverse order; None if the result does not have ``size`` bytes."""
    for index, number in reversed(list(enumerate(declared.filters))):
        if skipped >> index & 1:
            continue
        if number == h5py.h5z.FILTER_DEFLATE:
            stream = zlib.decompressobj()
            try:
                data = stream.decompress(data, size + 1)
            except zlib.error:
                return None
        elif len(data) == size:
            data = np.frombuffer(data, np.uint8).reshape(declared.dtype.itemsize, -1).T.tobytes()
    return data if len(data) == size else None


def _write_dataset(group: Any, name: str, array: Array) -> None:
    packing = {"compression": "gzip", "shuffle": True} if array.size >= COMPRESSED_FROM else {}
    dataset = group.create_dataset(name, data=as_stored(array), track_times=False, **packing)
    if array.dtype == BFLOAT16:
        dataset.attrs["dtype"] = "bfloat16"


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
