"""`doctor` says what is here and what to do, within the width of a terminal."""

import json

import pytest
from typer.testing import CliRunner

from trt_conformance.cli import app, doctor
from trt_conformance.core.advice import MAKE_VARIABLE, install_command
from trt_conformance.core.errors import ConformanceError
from trt_conformance.targets import registry


def fails(options):
    raise ConformanceError("the library libnvinfer.so.10 has other symbols than the bindings expect, " * 2)


def breaks(options):
    raise OSError("libcudart.so.12: cannot open shared\n  object file")


def exits(options):
    raise SystemExit("this package needs AVX")


@pytest.fixture
def broken(monkeypatch):
    """One target that cannot run, and one whose package breaks in its own way."""
    monkeypatch.setitem(registry.REGISTERED, "tensorrt", fails)
    monkeypatch.setitem(registry.REGISTERED, "torch", breaks)


@pytest.mark.parametrize("arguments", [(), ("--brief",)], ids=["all", "brief"])
def test_doctor_fits_eighty_columns(monkeypatch, broken, arguments):
    monkeypatch.setenv("COLUMNS", "80")
    done = CliRunner().invoke(app, ["doctor", *arguments])
    assert done.exit_code == 0, done.output
    assert max(map(len, done.output.splitlines())) <= 80


def test_a_broken_package_makes_one_target_unavailable(broken):
    found = {t["family"]: t for t in json.loads(CliRunner().invoke(app, ["doctor", "--json"]).output)["targets"]}
    assert found["torch"]["why"] == "torch does not load: OSError: libcudart.so.12: cannot open shared object file"
    assert found["torch"]["do"] == install_command("torch")
    assert found["numpy"]["usable"]


def test_a_package_that_ends_the_process_makes_one_target_unavailable(monkeypatch):
    monkeypatch.setitem(registry.REGISTERED, "torch", exits)
    (found,) = [one for one in registry.discover() if one.family == "torch"]
    assert found.reason == "torch does not load: SystemExit: this package needs AVX"


@pytest.mark.parametrize("is_checkout", [True, False])
def test_the_advice_fits_how_the_suite_was_installed(monkeypatch, is_checkout):
    monkeypatch.delenv(MAKE_VARIABLE, raising=False)
    monkeypatch.setattr("trt_conformance.core.paths.IS_CHECKOUT", is_checkout)
    monkeypatch.setattr("trt_conformance.targets.device.cuda.gpus", lambda: ((), "no driver"))
    said = doctor.advice([{"family": "tensorrt_rtx", "usable": False}])
    assert ("install -e '.[cpu]'" if is_checkout else "install 'trt-conformance[cpu]'") in said
    assert "once it is installed" in said
    assert "once it is installed" not in doctor.advice([{"family": "tensorrt_rtx", "usable": True}])


def test_the_advice_of_make_is_its_own_command(monkeypatch, broken):
    monkeypatch.setenv(MAKE_VARIABLE, "make doctor PYTHON=python3.11")
    monkeypatch.setattr("trt_conformance.targets.device.cuda.gpus", lambda: ((), "no driver"))
    printed = CliRunner().invoke(app, ["doctor"]).output
    assert "make doctor PYTHON=python3.11 EXTRA=tensorrt (or tensorrt10, tensorrt8)" in printed
    assert "make doctor PYTHON=python3.11 EXTRA=torch" in printed
    assert "pip install" not in printed
