"""Writers of one store: they wait for each other, clean up after killed ones, and say what the disk refuses."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.golden_damage import CATALOG, CHUNKED, FILES, HALF
from trt_conformance.core.errors import ConformanceError
from trt_conformance.golden import diff, update, verify, write_observed
from trt_conformance.golden import lock as lock_module
from trt_conformance.golden.lock import locked, temporaries

LEFT_OVER = ("reference/convolution/.example.h5.123-456.tmp", ".MANIFEST.json.123-456.tmp", "sweeps/.a.tsv.1-2.tmp")
UPDATE = """\
import sys
from pathlib import Path
from tests.support.golden_damage import CATALOG
from trt_conformance.golden import update
update(CATALOG, CATALOG.select([sys.argv[2]]), Path(sys.argv[1]), notify=lambda text: print(text, flush=True))
"""


@pytest.fixture
def root(tmp_path: Path, store_of_every_kind: Path) -> Path:
    return Path(shutil.copytree(store_of_every_kind, tmp_path / "golden"))


def test_writers_wait_for_each_other_and_lose_no_line(tmp_path: Path) -> None:
    root = tmp_path / "golden"
    with locked(root):
        started = [
            subprocess.Popen([sys.executable, "-c", UPDATE, root, case.id], stdout=subprocess.PIPE, text=True)
            for case in CATALOG.cases
        ]
        for process in started:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("waiting for another process that writes the goldens in ")
        assert not (root / FILES[1]).exists()
    for process in started:
        with process:
            assert process.wait() == 0
    assert verify(CATALOG, root) == []


def test_unfinished_files_are_ignored_and_then_deleted(root: Path) -> None:
    for name in LEFT_OVER:
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(b"half of it")
    assert verify(CATALOG, root) == []
    assert diff(CATALOG, root=root) == []
    assert len(temporaries(root)) == 3
    changes = update(CATALOG, [HALF], root=root)
    assert {(change.action, change.file) for change in changes} == {("remove", name) for name in LEFT_OVER}
    assert temporaries(root) == []


@pytest.mark.parametrize("name", [".hidden.h5", "example.h5.tmp", ".example.h5.tmp"])
def test_other_files_are_no_unfinished_ones(root: Path, name: str) -> None:
    path = root / "reference" / name
    path.write_bytes(b"mine")
    assert [problem.file for problem in verify(CATALOG, root)] == [f"reference/{name}"]
    update(CATALOG, root=root)
    assert path.exists()


def refuse(number: int) -> None:
    raise OSError(number, os.strerror(number))


@pytest.mark.parametrize("number", [30, 13, 1], ids=["read-only file system", "no permission", "not permitted"])
def test_store_that_cannot_be_written(root: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    monkeypatch.setattr(lock_module.FileLock, "acquire", lambda *given, **options: refuse(number))
    assert update(CATALOG, root=root) == []
    (root / FILES[0]).unlink()
    with pytest.raises(ConformanceError, match=f"cannot lock the store for writing: {os.strerror(number)}"):
        update(CATALOG, root=root)
    with pytest.raises(ConformanceError, match="cannot lock the store for writing"):
        write_observed("mine", CHUNKED, 0, {}, {}, environment={}, root=root)


def test_file_system_without_locks(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock_module.FileLock, "acquire", lambda *given, **options: refuse(38))
    with pytest.raises(ConformanceError, match="cannot lock the store for writing: Function not implemented"):
        update(CATALOG, root=root)


def test_full_disk_when_the_manifest_is_written(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / FILES[0]).unlink()
    replace = os.replace

    def full(source: Path, target: Path) -> None:
        if target.name == "MANIFEST.json":
            refuse(28)
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        assert len(update(CATALOG, root=root)) == 1  # the file gets its old bytes, so that the manifest is right
        (root / "MANIFEST.json").unlink()
        with pytest.raises(ConformanceError, match=r"MANIFEST\.json cannot be written: No space left on device"):
            update(CATALOG, root=root)
    update(CATALOG, root=root)
    assert verify(CATALOG, root) == []
    assert temporaries(root) == []
