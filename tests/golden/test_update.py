"""An update writes what is wrong, all of it or nothing, and leaves what is right."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import h5py
import pytest

from tests.support.golden_store import (
    CASES,
    DYNAMIC,
    EXAMPLE,
    FILES,
    FP32,
    PRINTS,
    RUNS,
    catalog,
    change_output,
    cut,
    edit,
    every_byte,
    list_again,
    picked,
)
from tests.support.helpers import make_case
from trt_conformance.core.errors import ConformanceError
from trt_conformance.golden import (
    diff,
    manifest,
    update,
    verify,
)


def test_update_of_a_right_store_writes_nothing(root: Path) -> None:
    def times() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in root.rglob("*") if path.name != ".lock"}

    before = times()
    assert update(catalog(), root=root) == []
    assert times() == before


def test_versions_alone_change_nothing(root: Path) -> None:
    edit(root, lambda content: content["uniform/float32"].attributes.update(numpy="1.0", h5py="2.0", generator="x"))
    list_again(root)
    before = every_byte(root)
    assert verify(catalog(), root) == []
    assert update(catalog(), root=root) == []
    assert every_byte(root) == before


def test_update_says_what_it_changes_and_by_how_much(root: Path) -> None:
    edit(root, change_output)
    (change,) = diff(catalog(), root=root)
    assert (change.action, change.file, change.group) == ("change", EXAMPLE, "uniform/float32")
    assert change.difference == pytest.approx(1.0)
    assert "values change by at most 1" in str(change)
    assert update(catalog(), root=root) == [change]
    assert update(catalog(), root=root) == []


def test_diff_writes_nothing(root: Path) -> None:
    edit(root, change_output)
    (root / FILES[1]).unlink()
    before = every_byte(root)
    assert [change.action for change in diff(catalog(), root=root)] == ["add", "change"]
    assert every_byte(root) == before


def test_update_of_chosen_cases_leaves_the_others(root: Path) -> None:
    edit(root, change_output)
    edit(root, lambda content: content["stride/float32/run0"].datasets["output"].fill(0))
    (root / FILES[1]).unlink()
    changes = update(catalog(), picked("example/stride"), root=root)
    assert [(change.file, change.group) for change in changes] == [(EXAMPLE, "stride/float32")]
    found = {(problem.kind, problem.case) for problem in verify(catalog(), root) if problem.kind != "manifest"}
    assert found == {("differs", FP32.id), ("missing", RUNS.id)}


def test_any_case_of_a_golden_chooses_it(root: Path) -> None:
    edit(root, change_output)
    assert [change.group for change in update(catalog(), picked("*-tf32"), root=root)] == ["uniform/float32"]


def test_update_of_an_unreadable_file_writes_all_of_it(root: Path) -> None:
    cut(root / EXAMPLE)
    changes = update(catalog(), picked("example/stride"), root=root)
    assert len(changes) == 5
    assert all(change.reason == "the file is truncated" for change in changes)
    assert verify(catalog(), root) == []


def test_update_removes_what_no_case_uses(root: Path) -> None:
    cases = catalog(FP32, PRINTS)
    changes = update(cases, cases.select(["example/*"]), root=root)
    assert changes == []
    changes = update(cases, root=root)
    assert [(change.action, change.file, change.group) for change in changes] == [
        ("remove", EXAMPLE, "quantized/int8"),
        ("remove", EXAMPLE, "uniform/bfloat16"),
        ("remove", EXAMPLE, "uniform/float16"),
        ("remove", FILES[1], ""),
    ]
    assert verify(cases, root) == []


def test_update_deletes_no_file_that_is_not_its_own(root: Path) -> None:
    path = root / "reference" / "other.h5"
    with h5py.File(path, "w") as file:
        file["x"] = 1
    assert update(catalog(), root=root) == []
    assert path.exists()


@pytest.mark.parametrize("where", ["write_bytes", "replace"])
def test_a_file_is_written_whole_or_not_at_all(root: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    shutil.rmtree(root / "documented")
    before = every_byte(root)

    def full(*arguments: Any, **options: Any) -> None:
        if where == "write_bytes":
            os.write(os.open(arguments[0], os.O_CREAT | os.O_WRONLY), arguments[1][:100])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*((os, "replace") if where == "replace" else (Path, where)), full)
    with pytest.raises(ConformanceError, match=r"example\.h5 cannot be written: No space left on device\. .*run"):
        update(catalog(), root=root)
    assert every_byte(root) == before
    monkeypatch.undo()
    assert len(update(catalog(), root=root)) == 1
    assert verify(catalog(), root) == []


def test_the_manifest_comes_last(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (root / manifest.NAME).read_bytes()
    edit(root, change_output, listed=False)
    (root / FILES[1]).unlink()
    order: list[str] = []
    replace = os.replace

    def note(source: Path, target: Path) -> None:
        order.append(target.name)
        replace(source, target)

    monkeypatch.setattr(os, "replace", note)
    update(catalog(), root=root)
    assert order == ["dynamic.h5", "example.h5"]
    assert (root / manifest.NAME).read_bytes() == before
    order.clear()
    update(catalog(*CASES[1:]), picked("example/*"), root=root)
    changed = make_case(id="dynamic/h", file=RUNS.file, dynamic=DYNAMIC, bias={"fill": "ones"})
    update(catalog(*CASES[:6], changed), root=root)
    assert order == ["dynamic.h5", "MANIFEST.json"]
