"""The built wheel, installed in an environment of its own and used from an empty folder."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import numpy
import pytest

from tests.support.helpers import slow
from trt_conformance.core.paths import ROOT

MOST_BYTES = 15_000_000


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def command(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """`trt-conformance` of an environment that holds the wheel, and this environment's packages as its dependencies."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(f"{Path(numpy.__file__).parents[1]}\n", encoding="utf-8")
    install = ["--python", str(python), "install", "--quiet", "--no-deps", "--no-index", "--no-warn-script-location"]
    subprocess.run([sys.executable, "-m", "pip", *install, str(wheel)], check=True, capture_output=True)
    return str(folder / "bin" / "trt-conformance")


def use(command: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTEST_ADDOPTS")}
    return subprocess.run(
        [command, *arguments], capture_output=True, text=True, cwd=folder, env=environment, check=False
    )


def test_the_wheel_holds_the_suite_and_is_small(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for file in ("cases/claims.toml", "golden/MANIFEST.json", "cases/schema.json", "pytest.ini", "conftest.py"):
        assert f"trt_conformance/suite/{file}" in names
    assert not [name for name in names if "__pycache__" in name]
    assert wheel.stat().st_size < MOST_BYTES


@pytest.mark.slow
def test_a_run_from_an_empty_folder_leaves_its_record_there(command: str, tmp_path: Path) -> None:
    done = use(command, tmp_path, "run", "--target", "numpy", "--case", "stride_nd/h2_w2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"rootdir: {ROOT}" not in done.stdout, "the run used the checkout, not the wheel"
    (record,) = (tmp_path / "reports" / "runs").glob("*/record.jsonl")
    assert '"case": "stride_nd/h2_w2-fp32"' in record.read_text(encoding="utf-8")
    assert list(record.parent.glob("report.html"))
    assert {path.name for path in tmp_path.iterdir()} == {"reports", ".pytest_cache"}


@pytest.mark.slow
def test_a_test_is_named_as_failures_print_it(command: str, tmp_path: Path) -> None:
    name = "cases/test_forward.py::test_forward[stride_nd/h2_w2-fp32-numpy]"
    done = use(command, tmp_path, "run", name, "--target", "numpy", "--no-record")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


OWN = """\
section = "my network"
source = "exported from my model"

[[case]]
id = "stem"
doc = "the first layer of my network"
input = { shape = [1, 3, 12, 12], fill = "exact_integers" }
kernel = { shape = [4, 3, 3, 3], fill = "exact_integers" }
set.stride_nd = [2, 2]
claims = ["stride_nd.h2_w2"]
"""


def test_own_cases_from_a_folder_that_has_only_them(command: str, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "nets.toml").write_text(OWN, encoding="utf-8")
    for arguments in (
        ("cases", "lint", "--cases", "mine"),
        ("golden", "update", "--cases", "mine"),
        ("golden", "verify", "--cases", "mine"),
        ("run", "--cases", "mine", "--target", "numpy"),
    ):
        done = use(command, tmp_path, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "mine" / "golden" / "reference" / "nets.h5").is_file()
    (record,) = (tmp_path / "reports" / "runs").glob("*/record.jsonl")
    text = record.read_text(encoding="utf-8")
    assert '"case": "nets/stem-fp32"' in text
    assert "stride_nd/h2_w2" not in text


@pytest.mark.slow
def test_bad_input_ends_in_a_message(command: str, tmp_path: Path) -> None:
    done = use(command, tmp_path, "run", "--target", "numpy", "--case", "no/such")
    assert done.returncode == 2
    assert "no case matches" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize("arguments", [("doctor",), slow(("cases", "list")), slow(("golden", "diff", "stride_nd/*"))])
def test_commands_work_from_an_empty_folder(command: str, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = use(command, tmp_path, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    assert str(ROOT) not in done.stdout
    assert not list(tmp_path.iterdir())
