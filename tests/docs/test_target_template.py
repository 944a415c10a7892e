"""The template of a target is short, works as pasted, and fails when it is wrong."""

import re

import pytest

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
    "--case",
    "preceded/pad",
    "--case",
    "leading_dimensions/two",
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


@pytest.mark.slow
def test_no_case_of_the_suite_fails_on_it(tmp_path):
    """A user who pastes it and runs the suite is not met with failures of the template."""
    (tmp_path / "my_target.py").write_text(template(), encoding="utf-8")
    done = run_pytest("cases", "-q", "--no-record", "--target", f"{tmp_path / 'my_target.py'}:MyConvolution")
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) >= 2000


def test_a_wrong_one_fails(tmp_path):
    wrong = template().replace("(x, spans", "(x[..., ::-1], spans")
    assert wrong != template()
    (tmp_path / "my_target.py").write_text(wrong, encoding="utf-8")
    done = run_pytest(*OPTIONS, "--target", f"{tmp_path / 'my_target.py'}:MyConvolution")
    assert done.returncode == 1, done.stdout + done.stderr
