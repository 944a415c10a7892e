"""What is noticed: damage, changed content, stale and unused goldens."""

from __future__ import annotations

import pickle
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tests.support.golden_store import (
    CASES,
    EXAMPLE,
    FILES,
    FP16,
    FP32,
    PRINTED,
    STRIDE,
    UNIFORM,
    assert_same,
    catalog,
    change_output,
    cut,
    edit,
    list_bytes,
    load,
    reseal,
    save,
)
from tests.support.helpers import make_case
from trt_conformance.core.errors import ConformanceError
from trt_conformance.golden import (
    GoldenError,
    diff,
    manifest,
    read_documented,
    read_reference,
    store,
    update,
    verify,
    write_observed,
)
from trt_conformance.golden.content import Content, Node
from trt_conformance.golden.plan import group_of
from trt_conformance.numerics.reference.result import reference


def flip_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def replace_by_other_hdf5(path: Path) -> None:
    path.unlink()
    with h5py.File(path, "w") as file:
        file["uniform/float32/run0/output"] = np.zeros(3)


def edit_in_place(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["uniform/float32/run0/output"][0, 0, 0, 0] += 1


DAMAGE: dict[str, tuple[str, Callable[[Path], None]]] = {
    "no file": ("missing", Path.unlink),
    "one bit": ("corrupt", flip_byte),
    "edited in place": ("corrupt", edit_in_place),
    "text": ("corrupt", lambda path: path.write_text("version https://git-lfs.github.com/spec/v1") and None),
    "half": ("truncated", cut),
    "nothing": ("truncated", lambda path: path.write_bytes(b"") and None),
    "another HDF5": ("foreign", replace_by_other_hdf5),
}


@pytest.mark.parametrize(("kind", "damage"), DAMAGE.values(), ids=DAMAGE)
def test_damaged_file(root: Path, kind: str, damage: Callable[[Path], None]) -> None:
    damage(root / EXAMPLE)
    problems = verify(catalog(), root)
    assert [(problem.kind, problem.file) for problem in problems] == [(kind, EXAMPLE)]
    assert "trt-conformance golden update" in problems[0].message
    with pytest.raises(
        GoldenError, match=r"example/uniform-fp32: .*example.h5 .*golden update example/uniform-fp32"
    ) as e:
        read_reference(FP32, root=root)
    assert e.value.kind == kind
    assert {change.file for change in update(catalog(), root=root)} == {EXAMPLE}
    assert verify(catalog(), root) == []


def change_input(content: Content) -> None:
    content["uniform/float32/run0"].datasets["input"][0, 0, 0, 0] += 1


def make_stale(content: Content) -> None:
    content["uniform/float32"].attributes["case_hash"] = "0" * 64


def drop_source(content: Content) -> None:
    del content["uniform/float32"].attributes["source"]


def change_source(content: Content) -> None:
    content["uniform/float32"].attributes["source"] = "somewhere else"


def change_terms(content: Content) -> None:
    content["uniform/float32"].attributes["terms"] = 1


def drop_group(content: Content) -> None:
    for path in ("uniform/float32", "uniform/float32/run0"):
        del content[path]


def drop_run(content: Content) -> None:
    del content["uniform/float32/run0"]


def drop_dataset(content: Content) -> None:
    del content["uniform/float32/run0"].datasets["magnitude"]


def change_type(content: Content) -> None:
    datasets = content["uniform/float32/run0"].datasets
    datasets["output"] = datasets["output"].astype(np.float32)


def change_shape(content: Content) -> None:
    datasets = content["uniform/float32/run0"].datasets
    datasets["output"] = datasets["output"][:, :1].copy()


def drop_hash(content: Content) -> None:
    del content["uniform/float32"].attributes["case_hash"]


CHANGES: dict[str, tuple[str, str, Callable[[Content], None]]] = {
    "output": ("differs", "run0/output differs in 1 of 64 elements, most at (n=0, k=0, h=1, w=2)", change_output),
    "input": ("differs", "run0/input differs in 1 of 144 elements", change_input),
    "hash": ("stale", "the case's data changed since", make_stale),
    "no hash": ("corrupt", "has no attribute case_hash", drop_hash),
    "no source": ("stale", "its source is missing, but should be ", drop_source),
    "terms": ("stale", "its terms is 1, but should be 37", change_terms),
    "no group": ("missing", "has no group uniform/float32", drop_group),
    "no run": ("missing", "has no run0", drop_run),
    "no dataset": ("missing", "has no dataset run0/magnitude", drop_dataset),
    "type": ("corrupt", "run0/output is float32[1,4,4,4], but should be float64[1,4,4,4]", change_type),
    "shape": ("corrupt", "run0/output is float64[1,1,4,4], but should be float64[1,4,4,4]", change_shape),
}


@pytest.mark.parametrize(("kind", "message", "change"), CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("listed", [False, True], ids=["not listed", "listed"])
def test_changed_content(root: Path, kind: str, message: str, change: Callable[[Content], None], listed: bool) -> None:
    edit(root, change, listed=listed)
    problems = verify(catalog(), root)
    if not listed:
        assert [(problem.kind, problem.file) for problem in problems] == [("manifest", EXAMPLE)]
        assert "is not the file that MANIFEST.json lists" in problems[0].message
        with pytest.raises(GoldenError, match=r"example/uniform-fp32: .*example\.h5 is not the file that MANIFEST"):
            read_reference(FP32, root=root)
        return
    (problem,) = problems
    assert (problem.kind, problem.file, problem.case) == (kind, EXAMPLE, FP32.id)
    assert message in problem.message
    assert f"golden update {FP32.id}" in problem.message
    if kind in ("missing", "corrupt") or "changed" in message:
        with pytest.raises(GoldenError, match=r"example/uniform-fp32: .*example\.h5"):
            read_reference(FP32, root=root)


def test_another_wording_of_the_source_makes_no_golden_wrong(root: Path) -> None:
    edit(root, change_source, listed=True)
    before = (root / EXAMPLE).read_bytes()
    assert verify(catalog(), root) == diff(catalog(), root=root) == update(catalog(), root=root) == []
    assert (root / EXAMPLE).read_bytes() == before
    edit(root, change_input, listed=True)
    assert update(catalog(), root=root)
    written = load(root / EXAMPLE, "reference")["uniform/float32"]
    assert written.attributes["source"] != "somewhere else"  # a golden that is written again has the source of now


def test_one_wrong_golden_leaves_the_others_readable(root: Path) -> None:
    edit(root, make_stale)
    with pytest.raises(GoldenError, match="changed since the golden was written"):
        read_reference(FP32, root=root)
    assert_same(read_reference(FP16, root=root), reference(FP16))


def test_inputs_are_equal_to_the_bit(root: Path) -> None:
    edit(root, lambda content: content["stride/float32/run0"].datasets.update(bias=np.zeros(1, np.float32)))
    assert "extra" in {problem.kind for problem in verify(catalog(), root)}
    zeros = make_case(input={"shape": [1, 1, 6, 9], "fill": "zeros"})
    update(catalog(zeros), root=root)
    edit(
        root, lambda content: content["values/float32/run0"].datasets.update(input=-np.zeros((1, 1, 6, 9), np.float32))
    )
    assert "differs" in {problem.kind for problem in verify(catalog(zeros), root)}


def test_stale_case(root: Path) -> None:
    changed = make_case(id="example/uniform", **UNIFORM | {"bias": {"fill": "uniform", "seed": 4}})
    problems = verify(catalog(changed, *CASES[2:]), root)
    assert [(problem.kind, problem.case) for problem in problems] == [("stale", changed.id)]
    with pytest.raises(GoldenError, match="the case's data changed since") as raised:
        read_reference(changed, root=root)
    assert raised.value.kind == "stale"


def test_stale_print(root: Path) -> None:
    changed = make_case(**STRIDE | {"expect": {"printed": PRINTED.replace("97831.27", "97831.28")}})
    kinds = {problem.kind for problem in verify(catalog(*CASES[:5], changed, *CASES[6:]), root)}
    assert kinds == {"stale", "differs"}
    with pytest.raises(GoldenError, match=r"other values than the case's expect\.printed"):
        read_documented(changed, root)


def test_nothing_printed(root: Path) -> None:
    with pytest.raises(GoldenError, match="example/uniform-fp32: the Cookbook prints no values"):
        read_documented(FP32, root)


def test_unused_group(root: Path) -> None:
    problems = verify(catalog(FP32, *CASES[4:]), root)
    assert [problem.kind for problem in problems] == ["extra", "extra"]
    assert "uniform/bfloat16, which no case uses" in problems[0].message


def test_chosen_cases_are_verified_alone(root: Path) -> None:
    """What no case uses, and the faults of others, are not theirs; their own are found in every kind of file."""
    write_observed("numpy", FP32, 0, {}, {"output": np.zeros(1)}, environment={}, root=root)
    changed = make_case(id="example/uniform", **UNIFORM | {"bias": {"fill": "uniform", "seed": 4}})
    fewer = catalog(changed, *CASES[4:])
    assert len(verify(fewer, root)) > 2
    assert verify(fewer, root, cases=CASES[4:]) == []
    assert [(p.kind, p.file, p.case) for p in verify(fewer, root, cases=[changed])] == [
        ("stale", "observed/numpy/convolution/example.h5", changed.id),
        ("stale", EXAMPLE, changed.id),
    ]


def test_a_chosen_case_shares_the_manifests_faults_of_its_golden_alone(root: Path) -> None:
    lines = manifest.read_manifest(root)
    (wrong,) = [key for key in lines if key.endswith(f"{group_of(FP32)}/run0/output")]
    manifest.write_manifest(root, lines | {wrong: "float64[1,4,4,4] 0"})
    assert [problem.kind for problem in verify(catalog(), root, cases=[FP32])] == ["manifest"]
    assert verify(catalog(), root, cases=CASES[4:]) == []


def test_unused_empty_group(root: Path) -> None:
    edit(root, lambda content: content.update({"other/float32": Node()}))
    assert [problem.kind for problem in verify(catalog(), root)] == ["extra"]


def test_unused_file(root: Path) -> None:
    problems = verify(catalog(*CASES[:6]), root)
    assert [(problem.kind, problem.file) for problem in problems] == [("extra", "reference/convolution/dynamic.h5")]


def test_stray_files(root: Path) -> None:
    (root / "reference" / "notes.txt").write_text("to do")
    shutil.copy(root / EXAMPLE, root / "reference" / "copy.h5")
    problems = verify(catalog(), root)
    assert {problem.file for problem in problems} == {"reference/notes.txt", "reference/copy.h5"}
    assert all("no case" in problem.message for problem in problems if problem.kind != "manifest")


def test_golden_of_another_kind(root: Path) -> None:
    write_observed("mine", FP32, 0, {}, {"output": np.zeros(3)}, environment={}, root=root)
    shutil.copy(root / "observed/mine/convolution/example.h5", root / EXAMPLE)
    list_bytes(root)
    (problem,) = verify(catalog(), root)
    assert (problem.kind, problem.file) == ("foreign", EXAMPLE)
    assert "is of kind 'observed/mine', but is stored among the reference goldens" in problem.message


def test_schema_of_the_future(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(store, "SCHEMA_VERSION", 99)
        save(root / EXAMPLE, "reference", {})
    list_bytes(root)
    (problem,) = verify(catalog(), root)
    assert (problem.kind, problem.case) == ("corrupt", "example/quantized-int8")
    assert "has schema version 99, but this suite reads 1" in problem.message


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.array(["text"], dtype=h5py.string_dtype()), "of a type that goldens do not use"),
        (np.array([1 + 2j]), "of a type that goldens do not use"),
    ],
    ids=["text", "complex"],
)
def test_unreadable_dataset(root: Path, value: Any, message: str) -> None:
    with h5py.File(root / EXAMPLE, "r+") as file:
        del file["uniform/float32/run0/output"]
        file["uniform/float32/run0/output"] = value
    reseal(root / EXAMPLE)
    list_bytes(root)
    (problem,) = verify(catalog(), root)
    assert problem.kind == "corrupt"
    assert message in problem.message


def test_links_and_odd_attributes(root: Path) -> None:
    with h5py.File(root / EXAMPLE, "r+") as file:
        file["elsewhere"] = h5py.ExternalLink("other.h5", "/")
    reseal(root / EXAMPLE)
    list_bytes(root)
    assert [problem.kind for problem in verify(catalog(), root)] == ["foreign"]
    with h5py.File(root / EXAMPLE, "r+") as file:
        del file["elsewhere"]
        file["uniform"].attrs["ratio"] = 0.5
    reseal(root / EXAMPLE)
    list_bytes(root)
    assert [problem.kind for problem in verify(catalog(), root)] == ["corrupt"]


def test_no_damage_reaches_hdf5(root: Path, tmp_path: Path) -> None:
    """HDF5 itself crashes or hangs on some of these."""
    data, path, draw = (root / FILES[0]).read_bytes(), tmp_path / "damaged.h5", random.Random(0)
    for _ in range(200):
        damaged = bytearray(data)
        place = draw.randrange(len(data))
        damaged[place] ^= 1 << draw.randrange(8)
        path.write_bytes(damaged)
        with pytest.raises(GoldenError):
            load(path, "documented")
    for size in range(0, len(data), 97):
        path.write_bytes(data[:size])
        with pytest.raises(GoldenError) as raised:
            load(path, "documented")
        assert raised.value.kind == ("truncated" if size == 0 or size >= len(store.FORMAT) else "corrupt")


def test_errors_survive_pickling() -> None:
    fault = pickle.loads(pickle.dumps(GoldenError("gone", "missing")))
    assert (str(fault), fault.kind) == ("gone", "missing")
    assert isinstance(fault, ConformanceError)
