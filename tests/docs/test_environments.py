"""Each constraints file gives an environment in which every module can be imported."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import tomli

from tests.support.environments import Environment, fresh_clone
from trt_conformance.core.paths import ROOT

EXTRAS = tomli.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
# Import nothing but what GPUs need: their packages have gigabytes, and some come from NVIDIA's own index.
LIBRARIES = ("tensorrt==", "nvidia-")
IMPORT_ALL = """
import importlib, pkgutil, sys
from importlib.metadata import packages_distributions

OF_PIP = {"pip", "setuptools", "pkg_resources", "_distutils_hack"}
found = [name for name in sorted(packages_distributions()) if name.isidentifier() and not name.startswith("__")]
found = [name for name in found if name not in OF_PIP]
package = importlib.import_module(sys.argv[1])
found += [module.name for module in pkgutil.walk_packages(package.__path__, f"{sys.argv[1]}.")]
for name in found:
    if not name.endswith("__main__"):
        try:
            importlib.import_module(name)
        except BaseException as fault:
            print(f"{name}: {type(fault).__name__}: {fault}")
print(len(found), "modules")
"""


def members(extra: str) -> list[str]:
    """What an extra brings, but for GPU libraries."""
    return [line for line in EXTRAS[extra] if not line.startswith(LIBRARIES)]


def unimportable(environment: Environment, package: str, at_least: int) -> list[str]:
    """What an environment cannot import of what is installed and of a package's modules, and why."""
    done = environment.run("python", "-c", IMPORT_ALL, package)
    *faults, count = done.stdout.splitlines()
    assert int(count.split()[0]) > at_least, done.stderr
    return faults


@pytest.mark.slow
@pytest.mark.parametrize(
    ("constraints", "extra"), [("constraints.txt", "cpu"), ("constraints-tensorrt8.txt", "tensorrt8")]
)
def test_every_module_can_be_imported(tmp_path: Path, constraints: str, extra: str) -> None:
    if extra == "tensorrt8" and sys.version_info >= (3, 12):
        pytest.skip("TensorRT 8.6 has packages for Python 3.10 and 3.11 only")
    clone = fresh_clone(tmp_path / "clone")
    environment = Environment(tmp_path)
    environment.install("-c", str(clone / constraints), f"{clone}[cpu,test,dev]", *members(extra))
    assert unimportable(environment, "trt_conformance", 400) == []


def test_a_module_that_cannot_be_imported_is_found(tmp_path: Path) -> None:
    """As pyarrow, which needs NumPy 2 without saying so to pip."""
    environment = Environment(tmp_path, with_pip=False)
    (site,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    (site / "ours.pth").write_text(f"{ROOT / 'harness'}\n{Path(tomli.__file__).parents[1]}\n", encoding="utf-8")
    (site / "broken.py").write_text('raise ImportError("needs NumPy 2")\n', encoding="utf-8")
    (site / "broken-1.dist-info").mkdir()
    (site / "broken-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1\n")
    (site / "broken-1.dist-info" / "top_level.txt").write_text("broken\n")
    assert "broken: ImportError: needs NumPy 2" in unimportable(environment, "trt_conformance.core", 20)
