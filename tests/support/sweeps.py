"""Small sweeps, and what they expand to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from trt_conformance.catalog.catalog import Catalog, load_catalog
from trt_conformance.catalog.source import CaseFileError
from trt_conformance.catalog.sweeps.update import expand_all
from trt_conformance.core.case_folder import CaseFolder

HEAD = """\
section = "a section"
source = "a source"
seed = 1
[base]
layer = { channels = 2, maps = 3, size = [4, 7, 9], window = [2, 3, 2] }
[usual]
stride = "s1"
[axis.rank]
2d.layer.rank = 2
3d.layer.rank = 3
[axis.stride]
s1 = {}
s2.layer.stride = [2, 2, 2]
[axis.bias]
nobias = {}
bias.layer.bias = true
[axis.precision]
fp32.precision = "fp32"
fp16.precision = "fp16"
int8 = { precision = "int8", weights = "set_input" }
"""


EXCLUDE = """
[[exclude]]
doc = "no bias in three dimensions"
where = { rank = "3d", bias = ["bias"] }
""".replace('"3d"', '["3d"]')


MATRIX = """
[[cover]]
tier = "ci"
how = "matrix"
"""


PAIRWISE = MATRIX.replace("matrix", "pairwise").replace("ci", "smoke")


THREEWAY = MATRIX.replace("matrix", "threeway")


def write(root: Path, text: str, name: str = "tiny") -> Path:
    """The sweep file of a root."""
    path = root / "sweeps" / f"{name}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def expanded(root: Path, text: str) -> Catalog:
    """The catalog of a sweep whose rows are found."""
    write(root, text)
    expand_all(CaseFolder.at(root))
    return load_catalog(CaseFolder.at(root))


def ids(catalog: Catalog) -> list[str]:
    return [case.id for case in catalog.cases]


def faults(root: Path, text: str) -> list[tuple[int, str]]:
    write(root, text)
    with pytest.raises(CaseFileError) as caught:
        load_catalog(CaseFolder.at(root))
    assert {os.path.relpath(fault.file, root) for fault in caught.value.faults} == {"sweeps/tiny.toml"}
    return [(fault.line, fault.message) for fault in caught.value.faults]


EDGES = HEAD.replace(
    "[axis.bias]",
    """[axis.channels.edges]
setting = "channels"
prefix = "c"
powers = [2, 3]
also = [6, 8]
[axis.bias]""",
)
