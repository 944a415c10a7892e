"""The key of a cached engine covers the case and the code that makes its network."""

from __future__ import annotations

from pathlib import Path

import pytest

import trt_conformance
from tests.support.helpers import make_case
from tests.support.plans import Builder, case, plans, target
from trt_conformance.core.case import Case
from trt_conformance.targets.device.gpu_lock import GpuLock
from trt_conformance.targets.tensorrt.build_cache import BuildCache
from trt_conformance.targets.tensorrt.exclusion import Exclusion
from trt_conformance.targets.tensorrt.plans import _NOT_OF_THE_NETWORK, _SOURCES, Plans

PACKAGE = Path(trt_conformance.__file__).parent


@pytest.mark.parametrize("source", _SOURCES)
def test_every_listed_source_exists(source: str) -> None:
    path = PACKAGE / source
    assert path.is_file() or any(path.glob("*.py")), f"{source} is listed for the engine-cache key and does not exist"


def test_every_module_that_makes_a_network_is_listed() -> None:
    """What `targets/tensorrt/network.py` imports of ours is part of the key, but for what only describes or reports."""
    import ast

    tree = ast.parse((PACKAGE / "targets/tensorrt/network.py").read_text(encoding="utf-8"))
    used = {
        node.module.removeprefix("trt_conformance.").replace(".", "/")
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("trt_conformance.core")
    }
    listed = {source.removesuffix(".py") for source in _SOURCES}
    assert used - listed <= {"core/errors", "core/words", "core/arrays", "core"}


@pytest.mark.parametrize(
    "change",
    [
        {"precision": "fp16"},
        {"weights": "setters"},
        {"set": {"stride_nd": [2, 2]}},
        {"bias": {"fill": "ones"}},
        {"input": {"shape": [1, 1, 6, 10], "fill": "tiled_1_to_9"}},
        {"kernel": {"shape": [1, 1, 3, 3], "fill": "uniform", "seed": 1}},
        {"dynamic": {"shape": [-1, 1, 6, 9], "min": [1, 1, 6, 9], "opt": [1, 1, 6, 9], "max": [2, 1, 6, 9],
                     "run": [[1, 1, 6, 9]]}},
        {"empty_weights": "np.array([])"},
        {"deprecated": {"name": "stride", "new": "stride_nd", "warning": "x"}},
    ],
)  # fmt: skip
def test_what_changes_the_network_changes_the_key(change):
    held = plans([])
    assert held.key(make_case(**change)) != held.key(make_case())


@pytest.mark.parametrize(
    "change",
    [
        {"id": "example/another", "doc": "another sentence", "line": 99, "claims": ["example.values"]},
        {"input": {"shape": [1, 1, 6, 9], "fill": "uniform", "seed": 5}},
        {"exact": True, "source": "elsewhere", "expect": {"shape": [1, 1, 4, 7]}},
    ],
)
def test_names_and_inputs_do_not(change):
    held = plans([])
    assert held.key(make_case(**change)) == held.key(make_case())


def test_every_part_of_a_case_is_decided_on():
    """A part that the model gains tells engines apart until it is put among those that do not."""
    assert set(Case.model_fields) >= _NOT_OF_THE_NETWORK


def test_the_order_of_assignments_and_the_target_count():
    one, two = {"padding_nd": [1, 1], "pre_padding": [2, 2]}, {"pre_padding": [2, 2], "padding_nd": [1, 1]}
    held = plans([])
    assert held.key(make_case(set=one)) != held.key(make_case(set=two))
    other = Plans([Builder([])], BuildCache(None), {"version": "2"}, Exclusion(GpuLock(None)))
    assert held.key(case(1)) != other.key(case(1))


def test_what_keeps_libraries_from_tf32_counts(monkeypatch):
    monkeypatch.delenv("NVIDIA_TF32_OVERRIDE", raising=False)
    plain = target()._plans.key(case(1))
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "0")
    assert target()._plans.key(case(1)) != plain
