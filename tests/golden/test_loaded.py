"""Golden files are read once while they fit into the memory that is theirs, and again after a change."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.golden_store import EXAMPLE, FILES, FP32, RUNS, change_output, edit
from trt_conformance.golden import loaded, manifest, read_reference
from trt_conformance.golden.loaded import RecentFiles, Version


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that were read, in the order of reading."""
    found: list[str] = []
    read_file = loaded.read_listed_file

    def noted(root: Path, file: str, *rest: object) -> object:
        found.append(file)
        return read_file(root, file, *rest)

    monkeypatch.setattr(loaded, "read_listed_file", noted)
    return found


def load(files: RecentFiles, root: Path, name: str) -> loaded.LoadedFile:
    return files.load(Version.of(root / name), name, Version.of(root / manifest.NAME))


def test_a_file_is_read_once_until_it_changes(root: Path, read: list[str]) -> None:
    before = read_reference(FP32, root=root)
    assert read_reference(FP32, root=root).output is before.output
    assert read == [EXAMPLE]
    edit(root, change_output)
    assert read_reference(FP32, root=root).output[0, 0, 1, 2] == before.output[0, 0, 1, 2] + 1
    assert read == [EXAMPLE, EXAMPLE]
    read_reference(RUNS, root=root)
    assert read_reference(FP32, root=root).output is not before.output
    assert len(read) == 3


def test_what_was_used_longest_ago_is_forgotten_first(root: Path, read: list[str]) -> None:
    sizes = {name: load(RecentFiles(), root, name).nbytes for name in FILES}
    read.clear()
    documented, dynamic, example = FILES
    files = RecentFiles(sum(sizes.values()) - 1)
    for name in (documented, dynamic, documented, example, documented, dynamic):
        load(files, root, name)
    assert read == [documented, dynamic, example, dynamic]


def test_a_file_beyond_the_limit_is_still_remembered_alone(root: Path, read: list[str]) -> None:
    files = RecentFiles(1)
    for name in (EXAMPLE, EXAMPLE, FILES[0], EXAMPLE):
        load(files, root, name)
    assert read == [EXAMPLE, FILES[0], EXAMPLE]
