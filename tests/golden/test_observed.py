"""What a target gave is kept apart from what is expected, and never becomes it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.golden_store import (
    CASES,
    EXAMPLE,
    FP16,
    FP32,
    TF32,
    UNIFORM,
    assert_same,
    catalog,
    change_output,
    cut,
    edit,
    every_byte,
    load,
)
from tests.support.helpers import make_case
from trt_conformance.core.case import Case
from trt_conformance.core.tensors import case_data
from trt_conformance.golden import (
    GoldenError,
    manifest,
    read_reference,
    stored_goldens,
    update,
    verify,
    write_observed,
)
from trt_conformance.numerics.reference.result import reference


def observe(root: Path, case: Case = FP32, value: float = 1.0, run: int = 0, **environment: str) -> bool:
    outputs = {"output": np.full((1, 4, 4, 4), value, np.float32)}
    inputs = {"input": case_data(case).input}
    return write_observed("mine-1.0", case, run, inputs, outputs, environment=environment, root=root)


OBSERVED = "observed/mine-1.0/convolution/example.h5"


def test_observed_goldens_are_kept_by_precision(root: Path) -> None:
    assert observe(root, FP32, 1.0, gpu="none")
    assert observe(root, TF32, 2.0)
    content = load(root / OBSERVED, "observed/mine-1.0")
    assert content["uniform/fp32/run0/outputs"].datasets["output"].max() == 1.0
    assert content["uniform/tf32/run0/outputs"].datasets["output"].max() == 2.0
    assert content["uniform/fp32/run0/environment"].attributes == {"gpu": "none"}
    assert content["uniform/fp32"].attributes["target"] == "mine-1.0"
    assert verify(catalog(), root) == []
    assert set(stored_goldens(TF32, root)) == {f"{EXAMPLE}:uniform/float32", f"{OBSERVED}:uniform/tf32"}


def test_observing_the_same_again_writes_nothing(root: Path) -> None:
    observe(root)
    before = every_byte(root)
    assert not observe(root)
    assert every_byte(root) == before
    assert observe(root, value=2.0)


def test_observed_goldens_that_the_manifest_does_not_list_are_not_read(root: Path) -> None:
    observe(root)
    lines = manifest.read_manifest(root)
    manifest.write_manifest(root, {key: line for key, line in lines.items() if not key.startswith("observed/")})
    assert [problem.kind for problem in verify(catalog(), root)] == ["manifest"]
    with pytest.raises(GoldenError, match=r"is not listed in MANIFEST\.json; restore it, or delete it and observe"):
        observe(root)
    (root / OBSERVED).unlink()
    assert observe(root)
    assert manifest.read_manifest(root) == lines


def test_update_leaves_observed_goldens(root: Path) -> None:
    observe(root)
    before = every_byte(root)
    edit(root, change_output)
    update(catalog(), root=root)
    assert every_byte(root) == before


def test_a_deleted_observed_file_leaves_the_manifest(root: Path) -> None:
    observe(root)
    (root / OBSERVED).unlink()
    assert [(problem.kind, problem.file) for problem in verify(catalog(), root)] == [("manifest", OBSERVED)]
    assert [change.action for change in update(catalog(), root=root)] == ["manifest"]
    assert verify(catalog(), root) == []


def test_observed_goldens_of_a_changed_case(root: Path) -> None:
    observe(root, run=0)
    observe(root, run=1)
    changed = make_case(id="example/uniform", **UNIFORM | {"bias": {"fill": "uniform", "seed": 4}})
    cases = catalog(changed, *CASES[2:])
    update(cases, root=root)
    (problem,) = verify(cases, root)
    assert (problem.kind, problem.file, problem.case) == ("stale", OBSERVED, changed.id)
    assert "golden observe --target mine-1.0" in problem.message
    observe(root, changed)
    assert "uniform/fp32/run1/outputs" not in load(root / OBSERVED, "observed/mine-1.0")
    assert verify(cases, root) == []


def test_observed_goldens_of_no_case(root: Path) -> None:
    observe(root, FP16)
    cases = catalog(FP32, *CASES[3:])
    update(cases, root=root)
    assert [(problem.kind, problem.file) for problem in verify(cases, root)] == [("extra", OBSERVED)]


def test_observed_goldens_never_become_expected(root: Path) -> None:
    observe(root, FP32, 7.0)
    assert_same(read_reference(FP32, root=root), reference(FP32))


@pytest.mark.parametrize("name", ["", "..", "a/b", "path/to/file.py:Class", ".hidden"])
def test_target_must_name_a_directory(root: Path, name: str) -> None:
    with pytest.raises(GoldenError, match="is not a valid folder name"):
        write_observed(name, FP32, 0, {}, {}, environment={}, root=root)


def test_observing_into_a_damaged_store(root: Path) -> None:
    observe(root)
    cut(root / OBSERVED)
    (problem,) = verify(catalog(), root)
    assert (problem.kind, problem.message) == (
        "truncated",
        "is truncated; restore it, or delete it and observe its cases again",
    )
    with pytest.raises(GoldenError, match="is truncated; restore it, or delete it and observe"):
        observe(root)
    (root / OBSERVED).unlink()
    (root / manifest.NAME).write_text("<<<<<<<")
    with pytest.raises(GoldenError, match="rebuild it with `trt-conformance golden update`"):
        observe(root)
