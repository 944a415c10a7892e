"""The golden files that this process has read, and the lines of their manifest. A file that changes is read again."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from trt_conformance.golden import manifest
from trt_conformance.golden.content import Content, split
from trt_conformance.golden.files import read_listed_file

MOST_BYTES = 2**27
"""Bytes of tensors that are remembered, 128 MiB. Those of the suite's files take less than a fifth of it."""


@dataclass(frozen=True)
class LoadedFile:
    """A golden file in memory, and the manifest's lines that its content calls for, by golden."""

    goldens: dict[str, Content]
    lines: dict[str, manifest.Entries]

    @property
    def nbytes(self) -> int:
        """Bytes of all its tensors."""
        nodes = (node for content in self.goldens.values() for node in content.values())
        return sum(array.nbytes for node in nodes for array in node.datasets.values())


class Version(NamedTuple):
    """A path, and what changes whenever the file there does."""

    path: Path
    modified: int
    size: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> Version:
        """The version of a file as it is now."""
        try:
            state = path.stat()
        except OSError:  # reading the file reports what is wrong
            return cls(path, 0, 0, 0)
        return cls(path, state.st_mtime_ns, state.st_size, state.st_ino)


_Key = tuple[Version, str, Version]


class RecentFiles:
    """Reads golden files. The files used last are remembered, up to ``limit`` bytes of tensors together."""

    def __init__(self, limit: int = MOST_BYTES) -> None:
        self._limit = limit
        self._bytes = 0
        self._files: OrderedDict[_Key, tuple[LoadedFile, int]] = OrderedDict()

    def load(self, version: Version, name: str, listed: Version) -> LoadedFile:
        """A golden file, ``name`` relative to the folder of its manifest, which is ``listed``.

        Raises:
            GoldenError: as `read_golden_file` does.
        """
        key = version, name, listed
        found = self._files.get(key)
        if found is None:
            file = _read(name, listed)
            found = self._files[key] = file, file.nbytes
            self._bytes += found[1]
            while self._bytes > self._limit and len(self._files) > 1:
                self._bytes -= self._files.popitem(last=False)[1][1]
        self._files.move_to_end(key)
        return found[0]


def _read(name: str, listed: Version) -> LoadedFile:
    golden_file = read_listed_file(listed.path.parent, name, manifest_lines(listed).get(name, {}))
    lines: dict[str, manifest.Entries] = {}
    for key, line in manifest.entries(name, golden_file).items():
        lines.setdefault(manifest.golden_of(key), {})[key] = line
    return LoadedFile(split(golden_file.content), lines)


@lru_cache(maxsize=2)
def manifest_lines(version: Version) -> dict[str, manifest.Entries]:
    """The lines of a manifest by file.

    Raises:
        GoldenError: as `manifest.read_manifest` does.
    """
    by_file: dict[str, manifest.Entries] = {}
    for key, line in manifest.read_manifest(version.path.parent).items():
        by_file.setdefault(manifest.file_of(key), {})[key] = line
    return by_file


RECENT = RecentFiles()
