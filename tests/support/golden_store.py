"""A small store of goldens for tests: its cases, and hands that change it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.helpers import make_case
from trt_conformance.catalog.catalog import Catalog
from trt_conformance.core.case import Case
from trt_conformance.golden import (
    manifest,
)
from trt_conformance.golden.content import Content, Node
from trt_conformance.golden.files import kind_of
from trt_conformance.golden.store import encode_golden_file, file_hash, read_golden_file, seal, write_golden_file
from trt_conformance.numerics.reference.result import Result

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


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def change_output(content: Content) -> None:
    content["uniform/float32/run0"].datasets["output"][0, 0, 1, 2] += 1
