"""A manifest that lists another hash, lists too much, or cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.golden_store import (
    EXAMPLE,
    FP32,
    catalog,
    every_byte,
    picked,
)
from trt_conformance.golden import (
    GoldenError,
    manifest,
    read_reference,
    update,
    verify,
)


def test_manifest_with_another_hash(root: Path) -> None:
    lines = manifest.read_manifest(root)
    key = f"{EXAMPLE}:uniform/float32/run0/output"
    manifest.write_manifest(root, lines | {key: lines[key][:-1] + "x"})
    (problem,) = verify(catalog(), root)
    assert (problem.kind, problem.file) == ("manifest", EXAMPLE)
    assert "uniform/float32/run0/output: not what MANIFEST.json lists" in problem.message
    with pytest.raises(GoldenError, match=r"is not what MANIFEST\.json lists: uniform/float32/run0/output"):
        read_reference(FP32, root=root)
    before = every_byte(root)
    assert [(change.action, change.file) for change in update(catalog(), root=root)] == [("manifest", EXAMPLE)]
    assert {name for name, data in every_byte(root).items() if data != before[name]} == {manifest.NAME}
    assert manifest.read_manifest(root) == lines


def test_manifest_that_lists_too_much(root: Path) -> None:
    lines = manifest.read_manifest(root)
    manifest.write_manifest(root, lines | {"reference/convolution/gone.h5:a/float32": "case 0"})
    (problem,) = verify(catalog(), root)
    assert (problem.kind, problem.file) == ("manifest", "reference/convolution/gone.h5")
    update(catalog(), root=root)
    assert manifest.read_manifest(root) == lines


BAD_MANIFESTS = [
    '{"schema_version": 1, "entries": {}}',
    '{"schema_version": true, "entries": {}}',
    '{"schema_version": 2.0, "entries": {}}',
    '{"schema_version": "2", "entries": {}}',
    '{"schema_version": 2, "schema_version": 2, "entries": {}}',
    '{"schema_version": 2, "entries": {"a": "file 0", "a": "file 0"}}',
    '{"schema_version": 2, "entries": {}, "more": 1}',
    '{"schema_version": 2, "entries": []}',
    '{"schema_version": 2, "entries": {"a": 1}}',
    "[" * 100_000,
]


@pytest.mark.parametrize("text", [None, "", "<<<<<<< HEAD", "[]", "{}", *BAD_MANIFESTS])
def test_manifest_that_cannot_be_read(root: Path, text: str | None) -> None:
    before = every_byte(root)
    if text is None:
        (root / manifest.NAME).unlink()
    else:
        (root / manifest.NAME).write_text(text)
    assert [problem.kind for problem in verify(catalog(), root)] == ["manifest"]
    with pytest.raises(GoldenError, match=r"cannot be trusted: MANIFEST\.json"):
        read_reference(FP32, root=root)
    changes = update(catalog(), picked("dynamic/h"), root=root)
    assert {change.action for change in changes} == {"manifest"}
    assert every_byte(root) == before
