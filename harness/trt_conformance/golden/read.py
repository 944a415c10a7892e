"""Reading a case's goldens: what the suite compares with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from trt_conformance.core.arrays import Array
from trt_conformance.core.case import Case
from trt_conformance.core.paths import GOLDEN, relative
from trt_conformance.golden import manifest
from trt_conformance.golden.differences import hash_fault
from trt_conformance.golden.observed import observed_group
from trt_conformance.golden.plan import Source, file_of, group_of, sources_of
from trt_conformance.golden.store import Content, GoldenError, Node, describe, load, split
from trt_conformance.numerics.printed import Printed
from trt_conformance.numerics.reference.result import Result
from trt_conformance.numerics.reference.shape import output_shape


def read_reference(case: Case, run_index: int = 0, root: Path = GOLDEN) -> Result:
    """The stored reference of a case for its ``run_index``-th run shape; the arrays are read-only.

    Raises:
        GoldenError: it is missing, stale, corrupt or not the one the manifest lists.
    """
    with _explaining(case, "reference", root):
        content = _golden(case, "reference", root)
        node = content.get(f"run{run_index}")
        if node is None:
            raise GoldenError(f"has no {group_of(case)}/run{run_index}", "missing")
        shape = output_shape(case.run_shapes[run_index], case.kernel.shape, case.attributes)
        output = _dataset(node, "output", "float64", shape)
        terms = content[""].attributes.get("terms")
        if not isinstance(terms, int):
            raise GoldenError(f"has no terms at {group_of(case)}")
        return Result(
            output=output,
            real=_dataset(node, "real", "float64", shape) if "real" in node.datasets else output,
            magnitude=_dataset(node, "magnitude", "float64", shape),
            slack=_dataset(node, "slack", "float64", shape) if "slack" in node.datasets else np.zeros(shape),
            terms=terms,
        )


def read_documented(case: Case, root: Path = GOLDEN) -> Printed:
    """The stored values that the document prints for a case; the arrays are read-only.

    Raises:
        GoldenError: the case has no printed values, or its golden is missing, stale, corrupt or not the
            one the manifest lists.
    """
    if case.expect.printed is None:
        raise GoldenError(f"{case.id}: the document prints no values of it", "missing")
    with _explaining(case, "documented", root):
        node = _golden(case, "documented", root)[""]
        if node.attributes.get("printed") != case.expect.printed.strip():
            raise GoldenError("holds other values than the case's expect.printed", "stale")
        values = _dataset(node, "values", "float64")
        tolerance = _dataset(node, "tolerance", "float64", values.shape)
        return Printed(values, tolerance, _dataset(node, "digits", "int64", values.shape))


def stored(case: Case, root: Path = GOLDEN) -> dict[str, Content]:
    """All goldens of a case by file and group, observed ones among them, as they are stored.

    Raises:
        GoldenError: one is missing or cannot be read.
    """
    found: dict[str, Content] = {}
    for source in sources_of(case):
        with _explaining(case, source, root):
            goldens = split(load(root / source / file_of(case), source))
            if group_of(case) not in goldens:
                raise GoldenError(f"has no group {group_of(case)}", "missing")
        found[f"{source}/{file_of(case)}:{group_of(case)}"] = goldens[group_of(case)]
    for path in sorted((root / "observed").glob(f"*/{file_of(case)}")):
        file = path.relative_to(root).as_posix()
        try:
            goldens = split(load(path, "/".join(file.split("/")[:2])))
        except GoldenError as fault:
            raise GoldenError(f"{relative(path)} {fault}", fault.kind) from None
        if observed_group(case) in goldens:
            found[f"{file}:{observed_group(case)}"] = goldens[observed_group(case)]
    return found


@contextmanager
def _explaining(case: Case, source: Source, root: Path) -> Iterator[None]:
    """Name the case, its golden file, and what to do, in whatever is wrong with it."""
    if source not in sources_of(case):
        raise GoldenError(
            f"{case.id}: it is refused, generated, timed or no convolution, so it has no golden tensor", "missing"
        )
    try:
        yield
    except GoldenError as fault:
        file = relative(root / source / file_of(case))
        advice = f"write it anew with `trt-conformance golden update {case.id}` and review the change"
        raise GoldenError(f"{case.id}: {file} {fault}; {advice}", fault.kind) from None


@dataclass(frozen=True)
class _File:
    """A golden file in memory, and the manifest's lines that its content calls for, by golden."""

    goldens: dict[str, Content]
    lines: dict[str, manifest.Entries]


class _Version(NamedTuple):
    """A path, and what changes whenever the file there does."""

    path: Path
    modified: int
    size: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> _Version:
        try:
            state = path.stat()
        except OSError:  # whoever reads it says what is wrong
            return cls(path, 0, 0, 0)
        return cls(path, state.st_mtime_ns, state.st_size, state.st_ino)


@lru_cache(maxsize=8)
def _file(version: _Version, source: Source, name: str) -> _File:
    content = load(version.path, source)
    lines: dict[str, manifest.Entries] = {}
    for key, line in manifest.entries(name, content).items():
        lines.setdefault(manifest.golden_of(key), {})[key] = line
    return _File(split(content), lines)


@lru_cache(maxsize=2)
def _manifest(version: _Version) -> manifest.Entries:
    return manifest.read(version.path.parent)


def _golden(case: Case, source: Source, root: Path) -> Content:
    """A case's golden, checked against the case's data and the manifest."""
    name, group = f"{source}/{file_of(case)}", group_of(case)
    file = _file(_Version.of(root / name), source, name)
    content = file.goldens.get(group)
    if content is None:
        raise GoldenError(f"has no group {group}", "missing")
    stale = hash_fault(content, case)
    if stale is not None:
        raise GoldenError(f"{stale.message} ({group})", stale.kind)
    try:
        listed = _manifest(_Version.of(root / manifest.NAME))
    except GoldenError as fault:
        raise GoldenError(f"cannot be trusted: {manifest.NAME} {fault}", "manifest") from None
    for key, line in file.lines[group].items():
        if listed.get(key) != line:
            raise GoldenError(f"is not what {manifest.NAME} lists: {key.partition(':')[2]}", "manifest")
    return content


def _dataset(node: Node, name: str, dtype: str, shape: tuple[int, ...] | None = None) -> Array:
    array = node.datasets.get(name)
    if array is None:
        raise GoldenError(f"has no dataset {name}")
    if array.dtype != np.dtype(dtype) or (shape is not None and array.shape != shape):
        raise GoldenError(f"has {name} as {describe(array)}, but should have {dtype}{list(shape or array.shape)}")
    return array
