"""A contradiction in what a case says of refitting is a fault with file and line."""

from pathlib import Path

import pytest

from trt_conformance.catalog.catalog import CaseFileError, load_catalog
from trt_conformance.core.case_folder import CaseFolder

FILE = """
section = "refitting"
source = "a test"
[[case]]
id = "one"
doc = "a small convolution"
input = { shape = [1, 2, 6, 9], fill = "exact_integers", seed = 1 }
kernel = { shape = [3, 2, 3, 3], fill = "exact_integers", seed = 2 }
expect.shape = [1, 3, 4, 7]
"""
KERNEL = 'refit.kernel = { fill = "exact_integers", seed = 9 }\n'
REFIT = 'builder.flags = ["REFIT"]\n'
REJECT = 'reject.phase = "run"\nreject.error = "weights are refused"\n'


@pytest.mark.parametrize(
    ("lines", "line", "text"),
    [
        (REFIT + 'refit.by = "set_weights"\n', 10, "refit: expected kernel, bias, or both"),
        (KERNEL, 9, "refit: needs builder.flags = ["),
        (REFIT + KERNEL + 'refit.bias = { fill = "ramp" }\n', 11, "refit.bias: the case has no bias"),
        (REFIT + 'refit.kernel = { fill = "exact_integers", seed = 2 }\n', 10, "these are the case's own weights"),
        ('builder.flags = ["STRIP_PLAN"]\n' + KERNEL, 10, 'takes "the same" weights only'),
        (REFIT + 'refit.kernel = "the same"\n', 10, "are useful only for a stripped plan"),
        (REFIT + KERNEL + 'refit.wrong.role = "BIAS"\n', 11, "the case needs reject with the error"),
        (REFIT + KERNEL + "large = true\n", 10, "a timed or large case is built with its own weights"),
        (REFIT + KERNEL + "refit.wrong.count = -1\n", 11, "refit.wrong.count"),
        (REFIT + KERNEL + 'refit.wrong.role = "WEIGHT"\n', 11, "refit.wrong.role"),
    ],
)
def test_the_fault_and_its_line_are_stated(lines: str, line: int, text: str, tmp_path: Path) -> None:
    folder = tmp_path / "cases"
    folder.mkdir()
    (folder / "own.toml").write_text(FILE.lstrip() + lines)
    with pytest.raises(CaseFileError) as caught:
        load_catalog(CaseFolder.at(folder))
    found = [str(fault) for fault in caught.value.faults]
    assert any(text in fault and f"own.toml:{line}:" in fault for fault in found), found
