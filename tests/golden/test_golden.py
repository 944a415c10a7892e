"""The store of goldens: what it keeps, what it notices, and that it never loses anything."""

from __future__ import annotations

import json
import os
import pickle
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tests.support.helpers import make_case
from trt_conformance.catalog.catalog import Catalog
from trt_conformance.core.case import Case
from trt_conformance.core.case_folder import SUITE, CaseFolder
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.tensors import case_data
from trt_conformance.golden import (
    GoldenError,
    diff,
    manifest,
    read_documented,
    read_reference,
    store,
    stored_goldens,
    update,
    verify,
    write_observed,
)
from trt_conformance.golden.content import BFLOAT16, Content, Node, fingerprint
from trt_conformance.golden.files import kind_of
from trt_conformance.golden.plan import file_of, group_of, plan
from trt_conformance.golden.store import encode_golden_file, file_hash, read_golden_file, seal, write_golden_file
from trt_conformance.numerics.printed import parse
from trt_conformance.numerics.reference.result import Result, reference

UNIFORM: dict[str, Any] = {
    "input": {"shape": [1, 4, 6, 6], "fill": "uniform", "seed": 1},
    "kernel": {"shape": [4, 4, 3, 3], "fill": "uniform", "seed": 2},
    "bias": {"fill": "uniform", "seed": 3},
}
PRINTED = """
12345.679 31264.598 23156.49 12345.679
78912.34  97831.27  89723.16 78912.34
"""
STRIDE: dict[str, Any] = {
    "id": "example/stride",
    "set": {"stride_nd": [2, 2]},
    "claims": ["stride_nd.h2_w2"],
    "expect": {"shape": [1, 1, 2, 4], "printed": PRINTED, "ideal": "12345.6789"},
}
DYNAMIC = {
    "shape": [1, 1, -1, 9],
    "min": [1, 1, 3, 9],
    "opt": [1, 1, 6, 9],
    "max": [1, 1, 12, 9],
    "run": [[1, 1, 3, 9], [1, 1, 7, 9]],
}
QUANTIZE = {"input": 0.01, "kernel": [0.01, 0.02, 0.03, 0.04], "output": 0.1}

FP32 = make_case(id="example/uniform", **UNIFORM)
TF32 = make_case(id="example/uniform", precision="tf32", **UNIFORM)
FP16 = make_case(id="example/uniform", precision="fp16", **UNIFORM)
BF16 = make_case(id="example/uniform", precision="bf16", **UNIFORM)
INT8 = make_case(id="example/quantized", precision="int8", quantize=QUANTIZE, **UNIFORM)
PRINTS = make_case(**STRIDE)
RUNS = make_case(id="dynamic/h", file="cases/convolution/dynamic.toml", dynamic=DYNAMIC)
REFUSED = make_case(id="example/refused", reject={"phase": "network", "error": "no such thing"})
CASES = (FP32, TF32, FP16, BF16, INT8, PRINTS, RUNS, REFUSED)

EXAMPLE = "reference/convolution/example.h5"
FILES = [
    "documented/convolution/example.h5",
    "reference/convolution/dynamic.h5",
    "reference/convolution/example.h5",
]


def catalog(*cases: Case) -> Catalog:
    return Catalog(cases or CASES, {})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A store that is whole and right."""
    path = tmp_path / "golden"
    update(catalog(), root=path)
    return path


def load(path: Path, kind: str) -> Content:
    return read_golden_file(path, kind).content


def save(path: Path, kind: str, content: Content) -> None:
    write_golden_file(path, encode_golden_file(kind, content))


def reseal(path: Path) -> None:
    """Give a file that was edited in place the hash of its new bytes, as an attacker would."""
    path.write_bytes(seal(path.read_bytes()[512:]))


def picked(*globs: str) -> tuple[Case, ...]:
    return catalog().select(globs)


def files_of(root: Path) -> list[Path]:
    """Every file but the lock, whose presence depends on the version of filelock."""
    return [path for path in root.rglob("*") if path.is_file() and path.name != ".lock"]


def every_byte(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files_of(root)}


def edit(root: Path, change: Callable[[Content], None], file: str = EXAMPLE, listed: bool = True) -> None:
    """Rewrite a file with other content, as somebody with this suite at hand could."""
    content = {
        path: Node(dict(node.attributes), {name: array.copy() for name, array in node.datasets.items()})
        for path, node in load(root / file, kind_of(file)).items()
    }
    change(content)
    save(root / file, kind_of(file), content)
    if listed:
        list_again(root, file)


def list_again(root: Path, file: str = EXAMPLE) -> None:
    """Make the manifest list a file as it is."""
    kept = {key: line for key, line in manifest.read_manifest(root).items() if manifest.file_of(key) != file}
    manifest.write_manifest(root, kept | manifest.entries(file, read_golden_file(root / file, kind_of(file))))


def list_bytes(root: Path, file: str = EXAMPLE) -> None:
    """Make the manifest's line of a file the hash of its bytes, whatever they are."""
    lines = manifest.read_manifest(root)
    manifest.write_manifest(root, lines | {file: f"file {file_hash((root / file).read_bytes())}"})


def assert_same(a: Result, b: Result) -> None:
    for name in ("output", "real", "magnitude", "slack"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), strict=True)
    assert a.terms == b.terms


# What is kept


@pytest.mark.parametrize("case", [FP32, TF32, FP16, BF16, INT8, PRINTS], ids=lambda case: case.id)
def test_reference_round_trip(root: Path, case: Case) -> None:
    assert_same(read_reference(case, root=root), reference(case))
    (content,) = (found for name, found in stored_goldens(case, root).items() if name.startswith("reference/"))
    data = case_data(case)
    for name, tensor in {"input": data.input, "kernel": data.kernel, "bias": data.bias}.items():
        kept = content["run0"].datasets.get(name)
        if tensor is None:
            assert kept is None
        else:
            assert kept is not None
            assert (kept.dtype, kept.shape, kept.tobytes()) == (tensor.dtype, tensor.shape, tensor.tobytes())


def test_every_run_shape_is_kept(root: Path) -> None:
    for index, shape in enumerate(RUNS.run_shapes):
        assert_same(read_reference(RUNS, index, root), reference(RUNS, shape))


def test_slack_is_kept_where_there_is_some(tmp_path: Path) -> None:
    values = [float(np.nextafter(np.float32(0.5), np.float32(1))), *[0.25] * 53]
    case = make_case(
        precision="int8", input={"shape": [1, 1, 6, 9], "values": values}, quantize={"input": 1.0, "kernel": [1.0]}
    )
    assert reference(case).slack.any()
    update(catalog(case), root=tmp_path)
    assert_same(read_reference(case, root=tmp_path), reference(case))


def test_documented_round_trip(root: Path) -> None:
    printed, expected = read_documented(PRINTS, root), parse(PRINTED, (1, 1, 2, 4))
    np.testing.assert_array_equal(printed.values, expected.values)
    np.testing.assert_array_equal(printed.tolerance, expected.tolerance)
    np.testing.assert_array_equal(printed.digits, expected.digits)


def test_arrays_are_read_only(root: Path) -> None:
    with pytest.raises(ValueError, match="read-only"):
        read_reference(FP32, root=root).output[...] = 0


def test_bfloat16_is_kept_as_bits(root: Path) -> None:
    with h5py.File(root / EXAMPLE) as file:
        kept = file["uniform/bfloat16/run0/input"]
        assert (kept.dtype, kept.attrs["dtype"]) == (np.uint16, "bfloat16")
    assert load(root / EXAMPLE, "reference")["uniform/bfloat16/run0"].datasets["input"].dtype == BFLOAT16


def test_one_group_for_each_content(root: Path) -> None:
    with h5py.File(root / EXAMPLE) as file:
        assert set(file) == {"quantized", "stride", "uniform"}
        assert set(file["uniform"]) == {"bfloat16", "float16", "float32"}
        assert set(file["quantized"]) == {"int8"}
        assert set(file["quantized/int8/run0"]) == {"bias", "input", "kernel", "magnitude", "output", "real"}
        assert set(file["stride/float32/run0"]) == {"input", "kernel", "magnitude", "output"}


def test_provenance(root: Path) -> None:
    attributes = load(root / EXAMPLE, "reference")["stride/float32"].attributes
    assert attributes["case"] == "example/stride"
    assert attributes["case_hash"] == PRINTS.data_hash()
    assert attributes["source"] == "example: stride_nd.h2_w2"
    assert attributes["terms"] == 9
    assert str(attributes["generator"]).startswith("harness.reference ")
    documented = load(root / FILES[0], "documented")["stride/float32"].attributes
    assert (documented["ideal"], documented["printed"]) == ("12345.6789", PRINTED.strip())


def test_large_tensors_are_kept_as_fingerprints(tmp_path: Path) -> None:
    case = make_case(input={"shape": [1, 1, 256, 257], "fill": "uniform", "seed": 5}, golden="tensors")
    update(catalog(case), root=tmp_path)
    node = load(tmp_path / EXAMPLE, "reference")["values/float32/run0"]
    assert set(node.datasets) == {"output", "magnitude"}
    assert (node.attributes["input_fill"], node.attributes["input_seed"]) == ("uniform", 5)
    assert node.attributes["input_shape"] == (1, 1, 256, 257)
    assert node.attributes["input_sha256"] == fingerprint(case_data(case).input)
    assert verify(catalog(case), tmp_path) == []
    assert_same(read_reference(case, root=tmp_path), reference(case))


def test_same_content_gives_the_same_bytes(root: Path, tmp_path: Path) -> None:
    update(catalog(*reversed(CASES[4:]), *CASES[:4]), root=tmp_path / "again")
    assert every_byte(tmp_path / "again") == every_byte(root)
    assert sorted(every_byte(root)) == ["MANIFEST.json", *FILES]


def test_manifest_has_a_line_for_each_entry(root: Path) -> None:
    text = (root / manifest.NAME).read_text(encoding="utf-8")
    lines = [line.strip().rstrip(",") for line in text.splitlines()[3:-2]]
    entries = [json.loads(f"{{{line}}}") for line in lines]
    keys = [key for entry in entries for key in entry]
    assert keys == sorted(keys)
    assert f"{EXAMPLE}:quantized/int8/run0/real" in keys
    (line,) = (entry[key] for entry in entries for key in entry if key == f"{EXAMPLE}:uniform/float32")
    assert line.startswith(f"case {FP32.data_hash()} attributes ")


@pytest.mark.parametrize(
    "case",
    [REFUSED, make_case(id="example/too_large", kernel={"shape": [1, 1, 9, 9], "fill": "ones"})],
    ids=["refused", "no convolution"],
)
def test_a_case_without_output_has_no_golden(tmp_path: Path, case: Case) -> None:
    assert update(catalog(case), root=tmp_path) == []
    assert every_byte(tmp_path) == {}
    assert verify(catalog(case), tmp_path) == []
    with pytest.raises(GoldenError, match=f"{case.id}: the case is refused or not a valid convolution"):
        read_reference(case, root=tmp_path)


def test_a_case_that_some_targets_refuse_has_a_golden(tmp_path: Path) -> None:
    case = make_case(reject={"on": {"tensorrt-8*": {"phase": "build", "error": "no implementation"}}})
    update(catalog(case), root=tmp_path)
    assert_same(read_reference(case, root=tmp_path), reference(case))


def test_cases_that_would_share_a_golden_must_agree() -> None:
    other = make_case(id="example/uniform", precision="tf32")
    with pytest.raises(
        GoldenError, match=r"uniform-fp32 .* and example/uniform-tf32 .* would share the reference golden"
    ):
        plan([FP32, other])


def test_printed_matrix_that_does_not_fit_names_the_case(tmp_path: Path) -> None:
    case = make_case(expect={"printed": "1. 2."})
    with pytest.raises(
        GoldenError, match=r"example/values-fp32 \(.*example.toml:1\): expect.printed: 2 printed numbers"
    ):
        update(catalog(case), root=tmp_path)


# What is noticed


def flip_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


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


def change_output(content: Content) -> None:
    content["uniform/float32/run0"].datasets["output"][0, 0, 1, 2] += 1


def change_input(content: Content) -> None:
    content["uniform/float32/run0"].datasets["input"][0, 0, 0, 0] += 1


def make_stale(content: Content) -> None:
    content["uniform/float32"].attributes["case_hash"] = "0" * 64


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
    "source": ("stale", "its source is 'somewhere else'", change_source),
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
    with pytest.raises(GoldenError, match="example/uniform-fp32: the document prints no values"):
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


def test_errors_survive_pickling() -> None:
    fault = pickle.loads(pickle.dumps(GoldenError("gone", "missing")))
    assert (str(fault), fault.kind) == ("gone", "missing")
    assert isinstance(fault, ConformanceError)


# Sums of another machine


def perturb(root: Path, name: str, part: float, listed: bool = True) -> None:
    """Shift one element by a part of what another order of summation may shift."""
    n = 37
    gamma = n * 2.0**-53 / (1 - n * 2.0**-53)

    def shift(content: Content) -> None:
        datasets = content["uniform/float32/run0"].datasets
        place = np.unravel_index(np.argmax(datasets["magnitude"]), datasets["magnitude"].shape)
        datasets[name][place] += part * 2 * gamma * datasets["magnitude"][place]

    edit(root, shift, listed=listed)


@pytest.mark.parametrize("name", ["output", "magnitude"])
def test_another_order_of_summation_is_right(root: Path, name: str) -> None:
    perturb(root, name, 0.9)
    before = every_byte(root)
    assert verify(catalog(), root) == []
    assert update(catalog(), root=root) == []
    assert every_byte(root) == before


@pytest.mark.parametrize("name", ["output", "magnitude"])
def test_more_than_another_order_of_summation_is_wrong(root: Path, name: str) -> None:
    perturb(root, name, 1.1)
    (problem,) = verify(catalog(), root)
    assert (problem.kind, problem.case) == ("differs", FP32.id)
    (change,) = diff(catalog(), root=root)
    assert (change.action, change.group) == ("change", "uniform/float32")


def test_even_a_tiny_change_is_not_what_the_manifest_lists(root: Path) -> None:
    perturb(root, "output", 0.5, listed=False)
    assert [problem.kind for problem in verify(catalog(), root)] == ["manifest"]


def test_quantized_output_may_tip_over_only_at_a_tie(tmp_path: Path) -> None:
    case = make_case(
        precision="int8",
        input={"shape": [1, 1, 1, 2], "values": [1.0, 2.0]},
        kernel={"shape": [1, 1, 1, 1], "fill": "ones"},
        quantize={"input": 1.0, "kernel": [1.0], "output": 2.0},
    )
    update(catalog(case), root=tmp_path)
    assert read_reference(case, root=tmp_path).output.ravel().tolist() == [0.0, 2.0]

    def tip(place: int) -> None:
        def change(content: Content) -> None:
            content["values/int8/run0"].datasets["output"][0, 0, 0, place] += 2.0

        edit(tmp_path, change)
        list_again(tmp_path)

    tip(0)
    assert verify(catalog(case), tmp_path) == []
    tip(1)
    assert [problem.kind for problem in verify(catalog(case), tmp_path)] == ["differs"]


def test_what_is_not_finite_equals_itself(tmp_path: Path) -> None:
    values = [float("inf"), float("nan"), *[1.0] * 52]
    case = make_case(input={"shape": [1, 1, 6, 9], "values": values})
    with np.errstate(invalid="ignore"):
        update(catalog(case), root=tmp_path)
        assert verify(catalog(case), tmp_path) == []

        def change(content: Content) -> None:
            content["values/float32/run0"].datasets["output"][0, 0, 0, 0] = 1.0

        edit(tmp_path, change)
        list_again(tmp_path)
        assert [problem.kind for problem in verify(catalog(case), tmp_path)] == ["differs"]


# What is written


def test_update_of_a_right_store_writes_nothing(root: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    assert update(catalog(), root=root) == []
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


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


# What a target gave


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


@pytest.mark.parametrize(
    ("folder", "file", "golden"),
    [
        (None, "cases/convolution/example.toml", "convolution/example.h5"),
        (None, "cases/sweeps/deep/er.toml", "sweeps/deep/er.h5"),
        ("/home/cases/mine", "/home/cases/mine/cases/example.toml", "cases/example.h5"),
        ("/home/mine", "/home/mine/example.toml", "example.h5"),
        ("mine", "mine/example.toml", "example.h5"),
        ("../mine", "../mine/example.toml", "example.h5"),
        (".", "example.toml", "example.h5"),
    ],
)
def test_a_file_of_goldens_for_each_case_file(folder: str | None, file: str, golden: str) -> None:
    here = SUITE if folder is None else CaseFolder.at(Path(folder))
    assert file_of(make_case(file=file, folder=here)) == golden
