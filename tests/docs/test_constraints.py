"""The constraints files pin all that an installation brings."""

from importlib import metadata

import pytest
import tomli
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from trt_conformance.core.paths import ROOT

PROJECT = tomli.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]


def applies(requirement: Requirement, extra: str = "") -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def pins(text: str) -> dict[str, str]:
    """Versions by name, of the lines that apply to this Python."""
    found = (Requirement(line) for line in text.splitlines() if line)
    return {canonicalize_name(r.name): str(r.specifier) for r in found if applies(r)}


def needed(extras: tuple[str, ...]) -> set[str]:
    """Every package that the project and those extras bring, as far as it is installed here."""
    lines = [*PROJECT["dependencies"], *(line for extra in extras for line in EXTRAS[extra])]
    waiting, seen = [Requirement(line) for line in lines], set()
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if not applies(requirement) or name in seen:
            continue
        seen.add(name)
        try:
            below = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        parsed = [Requirement(line) for line in below]
        waiting += [
            Requirement(r.name) for r in parsed if any(applies(r, extra) for extra in ("", *requirement.extras))
        ]
    return seen


def unpinned(text: str, extras: tuple[str, ...]) -> set[str]:
    return needed(extras) - set(pins(text))


@pytest.mark.parametrize("name", ["constraints.txt", "constraints-tensorrt8.txt"])
def test_all_that_is_installed_is_pinned(name):
    assert unpinned((ROOT / name).read_text(encoding="utf-8"), ("cpu", "test", "dev")) == set()


def test_a_package_without_a_pin_is_found():
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    without = "\n".join(line for line in text.splitlines() if not line.startswith("pluggy=="))
    assert unpinned(without, ("cpu", "test")) == {"pluggy"}


def test_every_pin_is_one_version():
    for name in ("constraints.txt", "constraints-tensorrt8.txt"):
        assert all(v.startswith("==") for v in pins((ROOT / name).read_text(encoding="utf-8")).values())


def test_tensorrt_8_has_what_onnx_imports():
    """onnx 1.19 uses a type of ml_dtypes that 0.4 does not have."""
    assert pins((ROOT / "constraints-tensorrt8.txt").read_text(encoding="utf-8"))["ml-dtypes"] == "==0.5.4"
