"""Reads a case's goldens: the values that the suite compares with.

The manifest judges first. A golden is read only if the manifest lists it for the case's current data, in the types and
shapes that the case needs, and if the file is the one listed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from trt_conformance.core.arrays import Array
from trt_conformance.core.case import Case
from trt_conformance.core.paths import relative
from trt_conformance.golden import manifest
from trt_conformance.golden.content import Content, GoldenError, Node, describe, split, type_and_shape
from trt_conformance.golden.differences import STALE, hash_fault
from trt_conformance.golden.files import read_listed_file
from trt_conformance.golden.layout import golden_layout
from trt_conformance.golden.loaded import RECENT, Version, manifest_lines
from trt_conformance.golden.observed import observed_group
from trt_conformance.golden.plan import Source, file_of, group_of, sources_of
from trt_conformance.numerics.printed import Printed
from trt_conformance.numerics.reference.result import Result
from trt_conformance.numerics.reference.shape import layer_output


def read_reference(case: Case, run_index: int = 0, root: Path | None = None) -> Result:
    """The stored reference of a case for its ``run_index``-th run shape; the arrays are read-only.

    ``root`` is the store; by default that of the case's folder.

    Raises:
        GoldenError: it is missing, stale, corrupt or not the one the manifest lists.
    """
    root = root or case.folder.golden
    with _explaining(case, "reference", root):
        content = _golden(case, "reference", root)
        node = content.get(f"run{run_index}")
        if node is None:
            raise GoldenError(f"has no {group_of(case)}/run{run_index}", "missing")
        shape = layer_output(case, case.run_shapes[run_index])
        output = _dataset(node, "output", "float64", shape)
        terms = content[""].attributes.get("terms")
        if not isinstance(terms, int):
            raise GoldenError(f"has no attribute terms, an integer, at {group_of(case)}")
        return Result(
            output=output,
            real=_dataset(node, "real", "float64", shape) if "real" in node.datasets else output,
            magnitude=_dataset(node, "magnitude", "float64", shape),
            slack=_dataset(node, "slack", "float64", shape) if "slack" in node.datasets else np.zeros(shape),
            terms=terms,
        )


def read_documented(case: Case, root: Path | None = None) -> Printed:
    """The stored values that the Cookbook prints for a case; the arrays are read-only.

    ``root`` is the store; by default that of the case's folder.

    Raises:
        GoldenError: the case has no printed values, or its golden is missing, stale, corrupt or not the
            one the manifest lists.
    """
    if case.expect.printed is None:
        raise GoldenError(f"{case.id}: the Cookbook prints no values for this case", "missing")
    root = root or case.folder.golden
    with _explaining(case, "documented", root):
        node = _golden(case, "documented", root)[""]
        if node.attributes.get("printed") != case.expect.printed.strip():
            raise GoldenError("has other values than the case's expect.printed", "stale")
        values = _dataset(node, "values", "float64")
        tolerance = _dataset(node, "tolerance", "float64", values.shape)
        return Printed(values, tolerance, _dataset(node, "digits", "int64", values.shape))


def stored_goldens(case: Case, root: Path | None = None) -> dict[str, Content]:
    """All goldens of a case by file and group, observed ones among them, as they are stored.

    ``root`` is the store; by default that of the case's folder.

    Raises:
        GoldenError: one is missing, cannot be read, or is not the one the manifest lists.
    """
    root = root or case.folder.golden
    found: dict[str, Content] = {}
    for source in sources_of(case):
        with _explaining(case, source, root):
            found[f"{source}/{file_of(case)}:{group_of(case)}"] = _golden(case, source, root)
    for path in sorted((root / "observed").glob(f"*/{file_of(case)}")):
        file = path.relative_to(root).as_posix()
        try:
            goldens = split(read_listed_file(root, file, manifest.read_manifest(root)).content)
        except GoldenError as fault:
            raise GoldenError(
                f"{relative(path)} {fault}; restore it, or delete it and observe the case again", fault.kind
            ) from None
        if observed_group(case) in goldens:
            found[f"{file}:{observed_group(case)}"] = goldens[observed_group(case)]
    return found


@contextmanager
def _explaining(case: Case, source: Source, root: Path) -> Iterator[None]:
    """Name the case, its golden file, and what to do, in every GoldenError of the block."""
    if source not in sources_of(case):
        raise GoldenError(
            f"{case.id}: the case is refused or not a valid convolution, or its golden is not stored as tensors",
            "missing",
        )
    try:
        yield
    except GoldenError as fault:
        file = relative(root / source / file_of(case))
        advice = (
            f"write it again with `trt-conformance golden update {case.id}{case.folder.options}` and review the change"
        )
        raise GoldenError(f"{case.id}: {file} {fault}; {advice}", fault.kind) from None


def _golden(case: Case, source: Source, root: Path) -> Content:
    """A case's golden, checked against the case's data and the manifest."""
    name, group = f"{source}/{file_of(case)}", group_of(case)
    version = Version.of(root / manifest.NAME)
    try:
        listed = manifest_lines(version).get(name, {})
    except GoldenError as fault:
        if not (root / name).exists():
            raise GoldenError("does not exist", "missing") from None
        raise GoldenError(f"cannot be trusted: {manifest.NAME} {fault}", "manifest") from None
    _check_listed(case, source, name, listed)
    file = RECENT.load(Version.of(root / name), name, version)
    content = file.goldens.get(group)
    if content is None:
        raise GoldenError(f"has no group {group}", "missing")
    stale = hash_fault(content, case)
    if stale is not None:
        raise GoldenError(f"{group}: {stale.message}", stale.kind)
    for key, line in file.lines[group].items():
        if listed.get(key) != line:
            raise GoldenError(f"is not what {manifest.NAME} lists: {key.partition(':')[2]}", "manifest")
    return content


def _check_listed(case: Case, source: Source, name: str, listed: manifest.Entries) -> None:
    """What the manifest lists is for the case's present data, and of its types and shapes. Nothing is read for this."""
    group = group_of(case)
    line = listed.get(f"{name}:{group}", "")
    if line.startswith("case ") and line.split(" ")[1] != case.data_hash():
        raise GoldenError(f"{group}: {STALE}", "stale")
    for where, needed in golden_layout(case, source).items():
        found = manifest.listed_type(listed.get(f"{name}:{group}/{where}", ""))
        if found and found != needed:
            raise GoldenError(f"has {group}/{where} as {found}, but the case needs {needed}")


def _dataset(node: Node, name: str, dtype: str, shape: tuple[int, ...] | None = None) -> Array:
    array = node.datasets.get(name)
    if array is None:
        raise GoldenError(f"has no dataset {name}")
    if array.dtype != np.dtype(dtype) or (shape is not None and array.shape != shape):
        expected = type_and_shape(dtype, array.shape if shape is None else shape)
        raise GoldenError(f"has {name} as {describe(array)}, but the case needs {expected}")
    return array
