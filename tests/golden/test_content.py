"""What the store keeps of each case, and where."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.support.golden_store import (
    BF16,
    CASES,
    EXAMPLE,
    FILES,
    FP16,
    FP32,
    INT8,
    PRINTED,
    PRINTS,
    REFUSED,
    RUNS,
    TF32,
    assert_same,
    catalog,
    every_byte,
    load,
)
from tests.support.helpers import make_case
from trt_conformance.core.case import Case
from trt_conformance.core.case_folder import SUITE, CaseFolder
from trt_conformance.core.tensors import case_data
from trt_conformance.golden import (
    GoldenError,
    manifest,
    read_documented,
    read_reference,
    stored_goldens,
    update,
    verify,
)
from trt_conformance.golden.content import BFLOAT16, fingerprint
from trt_conformance.golden.plan import file_of, plan
from trt_conformance.numerics.printed import parse
from trt_conformance.numerics.reference.result import reference


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
