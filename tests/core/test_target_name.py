"""A target's name is split and joined in one place."""

import pytest

from trt_conformance.core.target_name import TargetName


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("tensorrt-8.6.1-sm90", ("tensorrt", "8.6.1", "sm90")),
        ("tensorrt_rtx-1.7.1-aot", ("tensorrt_rtx", "1.7.1", "aot")),
        ("onnxruntime-1.31-cpu", ("onnxruntime", "1.31", "cpu")),
        ("torch-2.9-sm90-nightly", ("torch", "2.9", "sm90-nightly")),
        ("crashes-building", ("crashes", "building", "")),
        ("numpy", ("numpy", "", "")),
        ("", ("", "", "")),
    ],
)
def test_names_are_split_into_parts_and_joined(name, parts):
    assert TargetName.parse(name) == parts
    assert str(TargetName.parse(name)) == name
    assert str(TargetName(*parts)) == name


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("tensorrt-8.6.1-sm90", "tensorrt"),
        ("tensorrt_rtx-1.7.1-aot", "tensorrt_rtx"),
        ("numpy", "numpy"),
        ("flipped-kernel", "flipped-kernel"),
        ("my-own-2-target", "my-own-2-target"),
    ],
)
def test_ids_of_tests_name_neither_version_nor_gpu(name, label):
    assert TargetName.parse(name).label == label
