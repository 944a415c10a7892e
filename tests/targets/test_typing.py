"""Which networks a version can type: weakly typed ones need more than their flags."""

import sys
from enum import IntEnum
from types import ModuleType

import pytest

from tests.support.helpers import make_case
from trt_conformance.targets.tensorrt.api import Api


class _Network:
    def __init__(self, strong):
        self.strong = strong

    def get_flag(self, flag):
        assert flag.name == "STRONGLY_TYPED"
        return self.strong


def _tensorrt(builder_flags=("TF32", "FP16"), creation_flags=("EXPLICIT_BATCH", "STRONGLY_TYPED"), always_strong=False):
    """A TensorRT with these flags. ``always_strong``: it types every network strongly, as TensorRT-RTX 1.4 does."""
    module = ModuleType("tensorrt")
    module.__version__ = "9.9.9"
    module.BuilderFlag = IntEnum("BuilderFlag", builder_flags)
    module.NetworkDefinitionCreationFlag = IntEnum("NetworkDefinitionCreationFlag", creation_flags, start=0)
    module.made = []

    class ILogger:
        Severity = IntEnum("Severity", ["INTERNAL_ERROR", "ERROR", "WARNING", "INFO"], start=0)

    class Builder:
        def __init__(self, logger):
            pass

        def create_network(self, flags):
            module.made.append(flags)
            strong = getattr(module.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
            return _Network(always_strong or (strong is not None and bool(flags >> strong & 1)))

    module.ILogger, module.Builder = ILogger, Builder
    return module


@pytest.fixture
def api(monkeypatch):
    def made(**given):
        monkeypatch.setitem(sys.modules, "tensorrt", _tensorrt(**given))
        return Api("tensorrt", has_gpu=False)

    return made


@pytest.mark.parametrize(
    "given",
    [{}, {"creation_flags": ("EXPLICIT_BATCH",)}],
    ids=["weak and strong", "weak only"],
)
def test_a_version_that_types_weakly_takes_weak_networks(api, given):
    assert api(**given).lacks_typing(make_case(typing="weak")) is None


@pytest.mark.parametrize(
    "given",
    [{"builder_flags": ("TF32",)}, {"always_strong": True}],
    ids=["without the flags", "strong whatever is asked for"],
)
def test_a_version_that_types_strongly_alone_has_no_weak_networks(api, given):
    found = api(**given)
    assert found.lacks_typing(make_case(typing="weak")) == "tensorrt 9.9.9 has no weakly typed networks"
    assert found.lacks_typing(make_case(typing="strong")) is None
    assert found.lacks_typing(make_case()) is None


def test_a_network_is_made_for_the_question_once_and_only_if_need_be(api):
    found = api(always_strong=True)
    found.lacks_typing(make_case())
    assert found.trt.made == []
    for _ in range(3):
        found.lacks_typing(make_case(typing="weak"))
    assert found.trt.made == [1]
