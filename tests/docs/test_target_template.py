"""The template of a target is short, works as pasted, and fails when it is wrong."""

import re

from tests.support.helpers import run_pytest
from trt_conformance.core.paths import ROOT

OPTIONS = (
    "cases/test_forward.py",
    "-q",
    "--no-record",
    "--case",
    "stride_nd/h2*",
    "--case",
    "example/*",
    "--case",
    "exact_stride/*",
)


def template() -> str:
    (block,) = re.findall(r"(?ms)^```python\n(.*?)^```$", (ROOT / "docs" / "targets.md").read_text(encoding="utf-8"))
    return str(block)


def test_it_is_short():
    assert sum(bool(line.strip()) for line in template().splitlines()) <= 32


def test_it_passes(tmp_path):
    (tmp_path / "my_target.py").write_text(template(), encoding="utf-8")
    done = run_pytest(*OPTIONS, "--target", f"{tmp_path / 'my_target.py'}:MyConvolution")
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) >= 10


def test_a_wrong_one_fails(tmp_path):
    wrong = template().replace("(x, spans", "(x[..., ::-1], spans")
    assert wrong != template()
    (tmp_path / "my_target.py").write_text(wrong, encoding="utf-8")
    done = run_pytest(*OPTIONS, "--target", f"{tmp_path / 'my_target.py'}:MyConvolution")
    assert done.returncode == 1, done.stdout + done.stderr
