"""Checks the structure of an HDF5 file before any of its data is read.

HDF5 can take data from other files (external storage, virtual datasets, links), run filters that are loaded as plugins,
declare far more elements than it stores, and link one object many times. Goldens need none of this. Only groups,
datasets of plain numbers, and attributes that are text or integers are accepted, each linked once, within limits.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import h5py
import numpy as np

from trt_conformance.core.words import counted
from trt_conformance.golden.content import BFLOAT16, GoldenError, type_and_shape

MAX_DECLARED = 2**28
"""Bytes that all datasets of a file may have together: 256 MiB."""
MAX_OBJECTS = 100_000
"""Groups and datasets of a file."""
MAX_DEPTH = 16
"""Groups within groups."""
MAX_ATTRIBUTES = 256
"""Attributes of one group or dataset."""
MAX_INTEGERS = 64
"""Integers of one attribute."""
MAX_CHUNKS = 2**16
"""Chunks of one dataset."""

_SCALAR_OR_ARRAY = (h5py.h5s.SCALAR, h5py.h5s.SIMPLE)
_FILTERS = (h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_DEFLATE)
_LAYOUTS = (h5py.h5d.COMPACT, h5py.h5d.CONTIGUOUS, h5py.h5d.CHUNKED)


@dataclass(frozen=True)
class DeclaredDataset:
    """A dataset as its header declares it; none of its data has been read."""

    id: Any
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    logical: np.dtype[Any]
    chunk: tuple[int, ...] | None
    filters: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    def describe(self) -> str:
        return type_and_shape(self.logical.name, self.shape)


@dataclass(frozen=True)
class DeclaredGroup:
    """A group as its header declares it: the names of its attributes, and its datasets."""

    id: Any
    attributes: tuple[str, ...]
    datasets: dict[str, DeclaredDataset] = field(default_factory=dict)
    children: tuple[str, ...] = ()


def declared_groups(file: Any) -> dict[str, DeclaredGroup]:
    """All groups of an open HDF5 file by path, parents first, the root as ``""``.

    Raises:
        GoldenError: the file has anything other than plain groups, datasets and attributes, or exceeds a limit.
    """
    groups = dict(_walk(h5py.h5g.open(file, b"/"), "", set()))
    total = sum(dataset.nbytes for group in groups.values() for dataset in group.datasets.values())
    if total > MAX_DECLARED:
        raise GoldenError(f"declares {total:,} bytes of data; the limit is {MAX_DECLARED:,} per file")
    return groups


def _walk(group: Any, path: str, seen: set[Any]) -> Iterator[tuple[str, DeclaredGroup]]:
    if path.count("/") >= MAX_DEPTH:
        raise GoldenError(f"has groups nested more than {MAX_DEPTH} deep")
    if group.get_num_objs() + len(seen) > MAX_OBJECTS:
        raise GoldenError(f"has more than {MAX_OBJECTS:,} groups and datasets")
    datasets: dict[str, DeclaredDataset] = {}
    children = []
    for raw in sorted(group):
        name = _name(raw, path)
        where = f"{path}/{name}".lstrip("/")
        kind = group.links.get_info(raw).type
        if kind != h5py.h5l.TYPE_HARD:
            what = {h5py.h5l.TYPE_SOFT: "a soft link", h5py.h5l.TYPE_EXTERNAL: "an external link"}.get(kind, "a link")
            raise GoldenError(f"has {what} at {where}; goldens contain their data themselves", "foreign")
        about = h5py.h5o.get_info(group, raw)
        if about.addr in seen:
            raise GoldenError(f"has a second hard link to one object at {where}", "foreign")
        seen.add(about.addr)
        if about.type == h5py.h5o.TYPE_DATASET:
            datasets[name] = _dataset(h5py.h5d.open(group, raw), where)
        elif about.type == h5py.h5o.TYPE_GROUP:
            children.append((raw, name))
        else:
            raise GoldenError(f"has a named datatype at {where}, which goldens do not use", "foreign")
    attributes = _attribute_names(group, path or "its top level")
    yield path, DeclaredGroup(group, attributes, datasets, tuple(name for _, name in children))
    for raw, name in children:
        yield from _walk(h5py.h5g.open(group, raw), f"{path}/{name}".lstrip("/"), seen)


def _name(raw: bytes, path: str) -> str:
    try:
        name = raw.decode()
    except UnicodeDecodeError:
        name = ""
    if not name.isprintable() or not name or name in (".", ".."):
        raise GoldenError(f"has an object with an invalid name in {path or 'its top level'}: {raw[:80]!r}")
    return name


def _dataset(dataset: Any, where: str) -> DeclaredDataset:
    creation = dataset.get_create_plist()
    layout = creation.get_layout()
    if layout == h5py.h5d.VIRTUAL:
        raise GoldenError(f"has a virtual dataset at {where}; goldens contain their data themselves", "foreign")
    if layout not in _LAYOUTS:
        raise GoldenError(f"has a dataset {where} of an unknown layout")
    if creation.get_external_count():
        raise GoldenError(f"has a dataset {where} whose data is in another file", "foreign")
    filters = tuple(creation.get_filter(index)[0] for index in range(creation.get_nfilters()))
    if any(number not in _FILTERS for number in filters) or len(set(filters)) < len(filters):
        raise GoldenError(f"has a dataset {where} packed in another way than shuffle and gzip: filters {filters}")
    dtype = _number_type(dataset.get_type(), where)
    space = dataset.get_space()
    if space.get_simple_extent_type() not in _SCALAR_OR_ARRAY:
        raise GoldenError(f"has a dataset {where} without elements or a shape (HDF5's null space)")
    shape = tuple(int(size) for size in space.get_simple_extent_dims())
    chunk = creation.get_chunk() if layout == h5py.h5d.CHUNKED else None
    declared = DeclaredDataset(dataset, shape, dtype, _logical(dataset, dtype, where), chunk, filters)
    if declared.nbytes > MAX_DECLARED:
        raise GoldenError(
            f"has a dataset {where} that declares {declared.describe()}, {declared.nbytes:,} bytes; "
            f"the limit is {MAX_DECLARED:,} per file"
        )
    if chunk is not None:
        _check_chunks(declared, chunk, where)
    elif dataset.get_storage_size() != declared.nbytes:
        raise GoldenError(
            f"has a dataset {where} that declares {declared.nbytes:,} bytes, but stores {dataset.get_storage_size():,}"
        )
    return declared


def _check_chunks(declared: DeclaredDataset, chunk: tuple[int, ...], where: str) -> None:
    """Every chunk that the shape calls for is stored, and none is larger than the file may be."""
    size = math.prod(chunk) * declared.dtype.itemsize
    if size > MAX_DECLARED:
        raise GoldenError(f"has a dataset {where} with chunks of {size:,} bytes; the limit is {MAX_DECLARED:,}")
    needed = math.prod(-(-length // step) for length, step in zip(declared.shape, chunk, strict=True))
    if needed > MAX_CHUNKS:
        raise GoldenError(f"has a dataset {where} of {needed:,} chunks; the limit is {MAX_CHUNKS:,}")
    stored = declared.id.get_num_chunks()
    if stored != needed:
        raise GoldenError(f"has a dataset {where} that needs {counted(needed, 'chunk')}, but stores {stored}")


def _number_type(found: Any, where: str) -> np.dtype[Any]:
    """The NumPy type of a dataset: a standard integer or float of 1 to 8 bytes."""
    if found.get_class() not in (h5py.h5t.INTEGER, h5py.h5t.FLOAT):
        raise GoldenError(f"has a dataset {where} of a type that goldens do not use; they store numbers only")
    try:
        dtype: np.dtype[Any] = np.dtype(found.dtype)
        standard = dtype.kind in "fiu" and dtype.itemsize <= 8 and found.equal(h5py.h5t.py_create(dtype))
    except (TypeError, ValueError):
        standard = False
    if not standard:
        raise GoldenError(f"has a dataset {where} of a number type that goldens do not use")
    return dtype


def _logical(dataset: Any, dtype: np.dtype[Any], where: str) -> np.dtype[Any]:
    """The type that the elements stand for: bfloat16 is stored as uint16 with an attribute that says so."""
    names = _attribute_names(dataset, where)
    if not names:
        return np.dtype(dtype.newbyteorder("="))
    if names != ("dtype",):
        raise GoldenError(f"has a dataset {where} with attributes that goldens do not use: {', '.join(names)}")
    said = h5py.AttributeManager(h5py.Dataset(dataset))["dtype"]
    if said != "bfloat16" or dtype != np.uint16:
        raise GoldenError(f"has a dataset {where} that declares {said!r}, but stores {dtype}")
    return BFLOAT16


def _attribute_names(item: Any, where: str) -> tuple[str, ...]:
    """Names of the attributes of a group or dataset, each of them text, an integer or a row of integers."""
    count = h5py.h5a.get_num_attrs(item)
    if count > MAX_ATTRIBUTES:
        raise GoldenError(f"has {count:,} attributes at {where}; the limit is {MAX_ATTRIBUTES}")
    names = []
    for index in range(count):
        attribute = h5py.h5a.open(item, index=index)
        try:
            name = attribute.name.decode()
        except UnicodeDecodeError:
            name = ""
        if not name or not name.isprintable():
            raise GoldenError(f"has an attribute with an invalid name at {where}: {attribute.name[:80]!r}")
        kind, space = attribute.get_type().get_class(), attribute.get_space()
        extent = space.get_simple_extent_type()
        row = extent == h5py.h5s.SIMPLE and space.get_simple_extent_ndims() == 1
        short_row = row and space.get_simple_extent_npoints() <= MAX_INTEGERS
        text = kind == h5py.h5t.STRING and extent == h5py.h5s.SCALAR
        integers = kind == h5py.h5t.INTEGER and (extent == h5py.h5s.SCALAR or short_row)
        if not text and not integers:
            raise GoldenError(f"has an attribute {name} at {where} of a type that goldens do not use")
        names.append(name)
    return tuple(sorted(names))
