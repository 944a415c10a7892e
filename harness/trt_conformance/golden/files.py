"""The golden files of a store: which there are, of which kind, and reading the ones that the manifest lists."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from trt_conformance.core.files import is_temporary
from trt_conformance.golden import manifest
from trt_conformance.golden.store import GoldenFile, read_golden_file

KINDS = ("documented", "reference", "observed")


def files_in(root: Path) -> list[str]:
    """Everything below the folders of the three kinds, relative to the root, with forward slashes.

    Whatever is not a folder counts, regular file or not. Links to folders are not followed. Unfinished files that an
    interrupted writer left behind do not count.
    """
    return sorted(path.relative_to(root).as_posix() for kind in KINDS for path in _below(root / kind))


def kind_of(file: str) -> str:
    """The kind of goldens that a file has by its place: documented, reference or observed/TARGET."""
    parts = file.split("/")
    return "/".join(parts[:2]) if parts[0] == "observed" else parts[0]


def read_listed_file(root: Path, file: str, lines: manifest.Entries | None) -> GoldenFile:
    """Read a golden file if it is the one that the manifest's ``lines`` list.

    Without lines, because the manifest is lost, any valid golden file is read.

    Raises:
        GoldenError: as `read_golden_file`; naming the file is left to the caller.
    """
    if lines is None:
        return read_golden_file(root / file, kind_of(file))
    return read_golden_file(
        root / file,
        kind_of(file),
        sha256=manifest.listed_hash(file, lines),
        types=manifest.listed_types(file, lines),
    )


def _below(folder: Path) -> Iterator[Path]:
    if folder.is_symlink() and not folder.exists():
        yield folder
    for parent, folders, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            if not is_temporary(path):
                yield path
        yield from (path for path in (Path(parent, name) for name in folders) if path.is_symlink())
