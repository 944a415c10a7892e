"""Imported layers become case files that the linter accepts, and what cannot be a case is left out with its reason."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from trt_conformance.catalog.catalog import load_catalog
from trt_conformance.catalog.imports import folder
from trt_conformance.catalog.imports.benchdnn import read_descriptor
from trt_conformance.catalog.imports.case_files import Choices, case_file, file_stem
from trt_conformance.catalog.imports.folder import write_all
from trt_conformance.catalog.imports.layer import ImportedLayer, LeftOut, Listing
from trt_conformance.core.case_folder import CaseFolder
from trt_conformance.core.epilogue_fields import EpilogueOperation
from trt_conformance.core.errors import ConformanceError, WriteError

SMALL = ImportedLayer(
    (1, 3, 8, 8), (4, 3, 3, 3), (1, 1), (1, 1), (1, 1), (1, 1), text="text", name="one", where="line 1"
)


def made(*layers: ImportedLayer, left_out: tuple[LeftOut, ...] = (), **choices: object):
    return case_file(Listing("benchdnn list", "net", [*layers], [*left_out]), "net", Choices(**choices))


def cases_of(file, tmp_path: Path):
    (tmp_path / f"{file.stem}.toml").write_text(file.text, encoding="utf-8")
    return {case.id: case for case in load_catalog(CaseFolder.at(tmp_path)).cases}


def test_equal_layers_are_one_case_that_counts_them(tmp_path):
    file = made(SMALL, replace(SMALL, name="two", where="line 2", occurrences=3), replace(SMALL, stride=(2, 2)))
    assert (file.found, file.imported, file.cases) == (5, 5, 2)
    cases = cases_of(file, tmp_path)
    assert {name: case.occurrences for name, case in cases.items()} == {"net/one-fp32": 4, "net/one_2-fp32": 1}


def test_attributes_are_those_of_the_layer(tmp_path):
    axes = {"stride": (2, 1), "pre": (1, 0), "post": (0, 2), "dilation": (1, 2)}
    layer = replace(SMALL, input=(2, 6, 9, 9), kernel=(4, 3, 3, 3), groups=2, **axes)
    (case,) = cases_of(made(layer), tmp_path).values()
    found = case.attributes
    assert (found.stride, found.pre, found.post, found.dilation, found.groups) == ((2, 1), (1, 0), (0, 2), (1, 2), 2)
    assert (case.input.shape, case.kernel.shape, case.bias, case.latency) == ((2, 6, 9, 9), (4, 3, 3, 3), "none", True)


def test_one_axis_is_stated_with_a_height_of_one(tmp_path):
    layer = read_descriptor("mb1ic4iw9oc6kw3pw1sw2dw1", "line 1")
    (case,) = cases_of(made(layer), tmp_path).values()
    assert (case.input.shape, case.kernel.shape) == ((1, 4, 1, 9), (6, 4, 1, 3))
    assert (case.attributes.stride, case.attributes.pre, case.attributes.dilation) == ((1, 2), (0, 1), (1, 2))
    assert "1D, stated with H = 1" in case.doc


def test_batches_and_precisions_replace_those_of_the_source(tmp_path):
    file = made(SMALL, replace(SMALL, name="one_n8", stride=(2, 2)), batches=(1, 8), precisions=("fp16", "int8"))
    cases = cases_of(file, tmp_path)
    assert len(cases) == 8
    assert cases["net/one_n8-int8"].input.shape[0] == 8
    quantize = cases["net/one_n1-int8"].quantize
    assert quantize is not None
    # four standard deviations of a sum of 27 products of numbers in [-1, 1)
    assert quantize.output == pytest.approx(4 * 27**0.5 / 3 / 127, rel=0.05)


def test_a_layer_whose_output_would_differ_is_left_out():
    file = made(SMALL, replace(SMALL, output=(9, 8)))
    (left,) = file.left_out
    assert left.reason == "its output is 9x8, but that of TensorRT's layer is 8x8"
    assert file.text.splitlines()[2:6] == [
        "# 1 of 2 convolutions imported, as 1 case. Weights: generated.",
        "# The doc of a case says where it is from; occurrences counts it and equal ones.",
        "# Left out:",
        "#   1: its output is 9x8, but that of TensorRT's layer is 8x8: line 1 (text)",
    ]


def test_a_reason_names_the_first_places_and_counts_all():
    out = tuple(LeftOut(f"line {n}", "strided", "it has strides", occurrences=2) for n in range(1, 13))
    (line,) = (line for line in made(SMALL, left_out=out).text.splitlines() if "it has strides" in line)
    assert line.startswith("#   24: it has strides: line 1 (strided), line 2 (strided)")
    assert line.endswith("line 8 (strided) and 4 more")


def test_the_places_of_equal_layers_are_named_before_their_case():
    equal = [replace(SMALL, where=f"line {n}") for n in range(2, 13)]
    text = made(SMALL, *equal, replace(SMALL, stride=(2, 2))).text
    assert text.count("# equal: ") == 1
    assert 'line 9 and 3 more\n[[case]]\nid = "one"\n' in text
    assert "\n# equal: line 2, line 3, " in text


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"input": (1, 3, 2**20, 2**12)}, "elements, more than"),
        ({"input": (0, 3, 8, 8)}, "0 elements"),
        ({"input": (1, 4, 8, 8)}, "channels"),
        ({"kernel": (4, 3, 11, 11)}, "image size is smaller than filter size"),
    ],
)
def test_a_layer_that_the_linter_refuses_is_left_out_with_its_reason(change, reason):
    file = made(SMALL, replace(SMALL, **change))
    assert (file.found, file.imported) == (2, 1)
    assert reason in file.left_out[0].reason


def test_a_limit_leaves_out_the_others():
    file = made(SMALL, replace(SMALL, stride=(2, 2), occurrences=5), limit=1)
    assert (file.imported, [each.reason for each in file.left_out]) == (1, ["--limit 1"])


def test_hostile_names_stay_text(tmp_path):
    names = ['../../etc/passwd"]\n[x]', "\x1b[31m'\\", "ü" * 300, "", "a.b/c"]
    layers = [replace(SMALL, name=name, text=name, stride=(1 + i, 1)) for i, name in enumerate(names)]
    file = made(*layers, left_out=(LeftOut("line 9", "x\n[[case]]\x00", "because\nof"),))
    cases = cases_of(file, tmp_path)
    assert len(cases) == len(names)
    assert all(case.name.isascii() and len(case.name) <= 60 for case in cases.values())
    assert "\x1b" not in file.text
    assert "net/etc_passwd_x-fp32" in cases


def test_a_file_is_named_after_its_source():
    assert file_stem("ch_PP-OCRv4_det_infer.onnx") == "ch_pp_ocrv4_det_infer"
    assert file_stem("..") == "imported"
    assert len(file_stem("x" * 500)) <= 60


def test_a_folder_is_written_whole(tmp_path):
    write_all(tmp_path / "a" / "mine", {"x.toml": b"1", "data/y": b"2"})
    assert (tmp_path / "a" / "mine" / "data" / "y").read_bytes() == b"2"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["mine"]
    write_all(tmp_path / "a" / "mine", {"z.toml": b"3"})
    with pytest.raises(ConformanceError, match=r"z\.toml: exists already: --force"):
        write_all(tmp_path / "a" / "mine", {"new.toml": b"4", "z.toml": b"5"})
    assert not (tmp_path / "a" / "mine" / "new.toml").exists()
    write_all(tmp_path / "a" / "mine", {"new.toml": b"4", "z.toml": b"5"}, replace=True)
    assert (tmp_path / "a" / "mine" / "z.toml").read_bytes() == b"5"


def test_nothing_is_left_behind_when_a_file_cannot_be_written(tmp_path, monkeypatch):
    mine = tmp_path / "mine"
    write_all(mine, {"old.toml": b"old"})
    moved = []

    def failing(source, target):
        if len(moved) == 2:
            raise OSError(28, "No space left on device")
        moved.append(target)
        os.rename(source, target)

    monkeypatch.setattr(folder.os, "replace", failing)
    with pytest.raises(WriteError, match="mine: cannot be written: No space left"):
        write_all(mine, {"a.toml": b"1", "old.toml": b"2", "c.toml": b"3"}, replace=True)
    assert {path.name: path.read_bytes() for path in mine.iterdir()} == {"old.toml": b"old"}
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "mine").write_text("")
    with pytest.raises(ConformanceError, match="is not a directory"):
        write_all(tmp_path / "mine", {"x.toml": b""})


def test_cases_that_are_not_timed_compute_their_expected_output(tmp_path):
    (case,) = cases_of(made(SMALL, latency=False), tmp_path).values()
    assert (case.latency, case.golden) == (False, "computed")
    (case,) = cases_of(made(SMALL), tmp_path).values()
    assert (case.latency, case.golden) == (True, None)


def test_a_second_input_has_the_shape_of_the_output(tmp_path):
    sum_ = EpilogueOperation(op="add", of="addend")
    one_axis = read_descriptor("mb1ic4iw9oc6kw3pw1sw2", "line 1")
    layers = [replace(SMALL, epilogue=(sum_,)), replace(one_axis, epilogue=(sum_,))]
    cases = cases_of(made(*layers, latency=False), tmp_path)
    assert [case.addend.shape for case in cases.values()] == [(1, 4, 8, 8), (1, 6, 1, 5)]
    timed = made(*layers)
    assert timed.cases == 0
    assert all("addend" in each.reason for each in timed.left_out)
    assert made(*layers, latency=False, batches=(3,)).cases == 0


def test_constants_of_a_scale_end_the_epilogue_where_the_precision_does_not_have_them(tmp_path):
    scale = EpilogueOperation(op="scale", scale=(0.1,), shift=(0.0,))
    (case,) = cases_of(made(replace(SMALL, epilogue=(scale,)), latency=False), tmp_path).values()
    assert case.epilogue == ()
    assert "ends before scale: float32 cannot represent its constants" in case.doc
