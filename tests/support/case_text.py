"""Case files of tests as text, and the faults that reading them finds."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from trt_conformance.catalog.catalog import CaseFileError, Catalog, load_catalog
from trt_conformance.core.case_folder import CaseFolder

HEADER = """\
section = "a section"
source = "a source"
[defaults]
input = { shape = [1, 1, 6, 9], fill = "tiled_1_to_9" }
kernel = { shape = [1, 1, 3, 3], fill = "powers_of_ten" }
"""
CASE = """
[[case]]
id = "plain"
doc = "convolves without any attribute"
"""
CLAIMS = """\
[[claim]]
id = "stride_nd.h2_w2"
section = "stride_nd"
statement = "Stride 2 halves H and W."
"""
JARGON = re.compile(
    r"pydantic|input should|valid (tuple|dictionary|string|integer)|Traceback|literal|\[key\]", re.IGNORECASE
)
DYNAMIC = """\
[case.dynamic]
shape = [1, 1, -1, 9]
min = [1, 1, 3, 9]
opt = [1, 1, 6, 9]
max = [1, 1, 12, 9]
run = [[1, 1, 3, 9], [1, 1, 6, 9]]"""
"""A dynamic height, for the end of an entry."""
INT8 = 'precision = "int8"'
SCALED = [INT8, 'weights = "set_input"', "quantize.kernel = [1.0]"]


def write(root: Path, **files: str) -> Path:
    """Case files by stem; ``a__b`` is ``a/b.toml``."""
    for name, text in files.items():
        path = root / (name.replace("__", "/") + ".toml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def case(name: str = "other", *lines: str, doc: str | None = None) -> str:
    return "\n".join(["", "[[case]]", f'id = "{name}"', f'doc = "{doc or f"the case called {name}"}"', *lines, ""])


def faults(root: Path) -> list[tuple[str, int, str]]:
    """(file relative to root, line, message) of every fault."""
    with pytest.raises(CaseFileError) as caught:
        load_catalog(CaseFolder.at(root))
    assert not JARGON.search(str(caught.value)), caught.value
    return [(os.path.relpath(fault.file, root), fault.line, fault.message) for fault in caught.value.faults]


def loaded(root: Path, text: str) -> Catalog:
    return load_catalog(CaseFolder.at(write(root, one=HEADER + text)))


def check_fault(lines: Sequence[str], message: str, root: Path) -> None:
    """An entry with these lines, after CASE, has a fault with the message on the line that ends in ``# here``.

    ``# here`` alone as the first line is the line of the entry itself.
    """
    own = {line.partition(" = ")[0] for line in lines}
    entry = [line for line in case("other").strip().splitlines() if line.partition(" = ")[0] not in own]
    if lines[0] == "# here":
        entry[0] += "  # here"
    text = HEADER + CASE + "\n".join([*entry, *lines, ""])
    (here,) = (
        number for number, line in enumerate(text.splitlines(), start=1) if "# here" in line and line != "# here"
    )
    write(root, one=text, claims=CLAIMS, used=HEADER + case("used", 'claims = ["stride_nd.h2_w2"]'))
    found = faults(root)
    assert [fault for fault in found if fault[:2] == ("one.toml", here) and message in fault[2]], found
    assert {fault[0] for fault in found} == {"one.toml"}
