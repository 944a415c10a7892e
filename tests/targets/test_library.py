"""The version that the loaded TensorRT library says it has, which need not be that of its bindings."""

import pytest

from tests.support.helpers import make_case
from trt_conformance.targets.options import Options
from trt_conformance.targets.tensorrt import TensorRTTarget
from trt_conformance.targets.tensorrt.library import LIBRARY, decode, loaded_version


@pytest.mark.parametrize(
    ("number", "version"), [(8501, "8.5.1"), (8600, "8.6.0"), (9300, "9.3.0"), (101401, "10.14.1"), (10701, "1.7.1")]
)
def test_numbers_of_versions(number, version):
    assert decode(number) == version


def test_the_loaded_library_says_its_version():
    api = pytest.importorskip("tensorrt_rtx")
    assert api.__version__.startswith(loaded_version("tensorrt_rtx") + ".")


def test_a_library_that_is_not_loaded_has_no_version(monkeypatch):
    monkeypatch.setitem(LIBRARY, "tensorrt", "libnobody_has.so")
    assert loaded_version("tensorrt") == ""


def test_engines_of_another_library_are_other_engines(monkeypatch):
    pytest.importorskip("tensorrt_rtx")

    def key():
        return TensorRTTarget("tensorrt_rtx", Options(builders=0))._plans.key(make_case())

    mine = key()
    assert key() == mine
    monkeypatch.setattr("trt_conformance.targets.tensorrt.target.loaded_version", lambda flavor: "1.7.0")
    assert key() != mine
