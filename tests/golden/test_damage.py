"""Every way to damage a store is found and named; `python -m tests.support.golden_damage` tries all of them."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import h5py
import pytest

from tests.support import golden_damage
from tests.support.golden_damage import CATALOG, CHUNKED, FILES, REFERENCE, Damage, check, damages, run
from trt_conformance.golden import GoldenError, manifest, update, verify
from trt_conformance.golden import store as store_module
from trt_conformance.golden.store import read_golden_file


@pytest.fixture
def root(tmp_path: Path, store_of_every_kind: Path) -> Path:
    return Path(shutil.copytree(store_of_every_kind, tmp_path / "golden"))


def damage(name: str, file: str = REFERENCE) -> Damage:
    return next(found for found in damages(random.Random(0)) if (found.name, found.file) == (name, file))


def test_there_are_many_kinds_of_damage() -> None:
    names = {(found.name.rstrip("0123456789 "), found.file) for found in damages(random.Random(0))}
    assert len(names) >= 150


def test_damage_is_named() -> None:
    done, failed, _ = run(count=60, seed=20)
    assert done == 60
    assert failed == []


def test_a_damage_that_is_not_reported_fails_the_check(root: Path) -> None:
    assert "does not name" in check(Damage("nothing", REFERENCE, lambda path: None), root)


@pytest.mark.parametrize("index", range(12))
def test_a_flip_that_keeps_the_files_own_hash_valid_is_found_by_the_manifest(root: Path, index: int) -> None:
    damage(f"resealed flip {index}").act(root)
    (problem,) = verify(CATALOG, root)
    assert (problem.kind, problem.file) == ("manifest", REFERENCE)
    assert "is not the file that MANIFEST.json lists: its SHA-256 differs" in problem.message


MESSAGES = {
    "external storage": "has a dataset chunked/float32/run0/bias",
    "virtual dataset": "has a virtual dataset at",
    "soft link": "has a soft link at",
    "external link": "has an external link at",
    "hard link to the root": "has a second hard link to one object at loop",
    "fan of hard links": "has a second hard link to one object at",
    "named datatype": "has a named datatype at type, which goldens do not use",
    "4 GiB declared in chunks": "declares float64[536870912], 4,294,967,296 bytes; the limit is 268,435,456 per file",
    "a million chunks": "of 1,000,000 chunks; the limit is 65,536",
    "chunks not stored": "that needs 2 chunks, but stores 0",
    "compression bomb": "that does not unpack to its 32,768 bytes",
    "checksum filter": "packed in another way than shuffle and gzip: filters (3,)",
    "null space": "without elements or a shape (HDF5's null space)",
    "name with an escape": r"an object with an invalid name in its top level: b'a\x1b[31mred'",
    "200 nested groups": "has groups nested more than 16 deep",
    "400 attributes": "attributes at its top level; the limit is 256",
    "schema version 1.0": "has an attribute schema_version at its top level of a type that goldens do not use",
}


@pytest.mark.parametrize(("name", "message"), MESSAGES.items(), ids=MESSAGES)
def test_refused_before_anything_is_read(root: Path, name: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    damage(name).act(root)
    if "bomb" not in name:
        monkeypatch.setattr(store_module, "_read_dataset", lambda *given: pytest.fail("data was read"))
    if name == "external storage":
        message = "whose data is in another file"
    with pytest.raises(GoldenError) as raised:
        read_golden_file(root / REFERENCE, "reference")
    assert message in str(raised.value)


def test_two_files_are_open_at_once(root: Path) -> None:
    """HDF5 would take the second file in memory for the first if their names were equal."""
    opened = [store_module._open((root / file).read_bytes()) for file in FILES[:2]]
    assert [h5py.File(file).attrs["kind"] for file in opened] == ["documented", "reference"]


def test_update_copies_nothing_from_a_file_that_is_not_listed(root: Path) -> None:
    path = root / REFERENCE
    before = path.read_bytes()
    damage("external storage").act(root)
    update(CATALOG, [CHUNKED], root=root)
    assert path.read_bytes() == before
    assert verify(CATALOG, root) == []


@pytest.mark.parametrize("file", FILES)
def test_every_file_is_listed_with_its_hash(root: Path, file: str) -> None:
    assert manifest.read_manifest(root)[file] == f"file {golden_damage.file_hash((root / file).read_bytes())}"
