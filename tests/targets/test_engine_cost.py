"""What an engine costs: read from the plan, from what TensorRT logs, and from the loaded engine; kept with the plan."""

from types import SimpleNamespace

import pytest

from tests.support.helpers import make_case
from tests.targets.test_plans import Builder
from trt_conformance.checks.build import check_build
from trt_conformance.checks.engine_facts import describe
from trt_conformance.checks.subject import Subject
from trt_conformance.core.disk_cache import DiskCache
from trt_conformance.core.engine_cost import COST
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.tensors import weights_bytes
from trt_conformance.results.record.schema import LineFault, validated
from trt_conformance.targets.device.gpu_lock import GpuLock
from trt_conformance.targets.engines import Engines
from trt_conformance.targets.options import Options
from trt_conformance.targets.tensorrt import TensorRTTarget
from trt_conformance.targets.tensorrt.api import Api
from trt_conformance.targets.tensorrt.build_cache import BuildCache
from trt_conformance.targets.tensorrt.exclusion import Exclusion
from trt_conformance.targets.tensorrt.loading import Loaded, device_memory, load
from trt_conformance.targets.tensorrt.plans import Plans

LOGGED = {"stored_weights_bytes", "device_memory_bytes", "workspace_bytes"}


def target(**options):
    try:
        return TensorRTTarget("tensorrt_rtx", Options(**options))
    except ConformanceError as fault:  # no TensorRT-RTX for this platform
        pytest.skip(str(fault))


def wide(channels):
    return make_case(
        id=f"example/wide_{channels}",
        input={"shape": [1, channels, 16, 16], "fill": "ones"},
        kernel={"shape": [64, channels, 3, 3], "fill": "uniform", "seed": 1},
    )


def test_a_real_engine_reports_its_plan_weights_memory_and_build():
    case, held = wide(64), target()
    origin = held.build(case).origin
    held.close()
    assert set(origin) == {"engine", "plan_bytes", "build_s", *LOGGED}
    stored = weights_bytes(case)
    assert stored == 4 * (64 * 64 * 9)
    assert stored <= origin["stored_weights_bytes"] <= stored + 1024
    assert origin["plan_bytes"] > origin["stored_weights_bytes"]
    assert origin["device_memory_bytes"] >= origin["workspace_bytes"] > 0
    assert origin["build_s"] > 0


def test_one_that_holds_more_weights_has_a_larger_plan_by_as_much():
    held = target()
    small, large = (held.build(wide(channels)).origin for channels in (32, 96))
    held.close()
    more = large["stored_weights_bytes"] - small["stored_weights_bytes"]
    assert more == 4 * 64 * 64 * 9
    assert abs(large["plan_bytes"] - small["plan_bytes"] - more) < more / 4


def test_a_cached_engine_keeps_the_cost_of_its_build(tmp_path):
    first, second = target(cache=tmp_path), target(cache=tmp_path)
    built, cached = first.build(wide(8)).origin, second.build(wide(8)).origin
    assert (built["engine"], cached["engine"]) == ("built", "cached")
    assert {**built, "engine": "cached"} == cached


def test_where_the_cache_has_dropped_the_cost_the_plan_is_still_measured(tmp_path):
    target(cache=tmp_path).build(wide(8))
    (cost,) = tmp_path.rglob("*.cost")
    cost.unlink()
    origin = target(cache=tmp_path).build(wide(8)).origin
    assert origin["engine"] == "cached" and origin["plan_bytes"] > 0
    assert not {"build_s", *LOGGED} & set(origin)


def test_each_builder_reports_its_own_engine():
    """Builds in several threads log at the same time."""
    cases = [wide(8 * n) for n in range(1, 9)]
    alone, together = target(), target(builders=2)
    together.expect(cases)
    for case in cases:
        expected, found = alone.build(case).origin, together.build(case).origin
        assert {k: v for k, v in found.items() if k != "build_s"} == {
            k: v for k, v in expected.items() if k != "build_s"
        }
    together.close()
    alone.close()


@pytest.mark.parametrize(
    ("message", "figures"),
    [
        ("Total Weights Memory: 9088 bytes", {"stored_weights_bytes": 9088}),
        ("Max Scratch Memory: 8286720 bytes", {"workspace_bytes": 8286720}),
        ("Total Scratch Memory: 4194304", {"workspace_bytes": 4194304}),
        ("Total Activation Memory: 16073216", {"device_memory_bytes": 16073216}),
        ("Total Host Persistent Memory: 331696", {}),
        ("Layer: x Host Persistent: 80 bytes Scratch Memory: 8286720 bytes", {}),
    ],
)
def test_what_versions_log_of_memory_is_read(message, figures):
    api = Api("tensorrt_rtx", has_gpu=False)
    level = api.trt.ILogger.Severity
    api.take_memory()
    api.logger.log(level.INFO, message)
    api.logger.log(level.WARNING, "Total Activation Memory: 1")
    assert api.take_memory() == figures
    assert api.take_memory() == {}


def test_memory_that_an_earlier_build_logged_is_not_counted():
    held = target()
    held._api.logger.log(held._api.trt.ILogger.Severity.INFO, "Total Weights Memory: 123456789 bytes")
    assert held.build(wide(8)).origin["stored_weights_bytes"] < 100_000
    held.close()


def test_what_the_loaded_engine_says_goes_before_what_was_logged(tmp_path):
    class Loading(Builder):
        def load(self, content, case):
            return Loaded(None, None, None, {"workspace_bytes": 7, "device_memory_bytes": 9})

    held = Plans([Loading([])], BuildCache(DiskCache(tmp_path, 2**20)), {}, Exclusion(GpuLock(None)))
    for engine in ("built", "cached"):
        origin = held.get(make_case()).origin
        assert (origin["engine"], origin["workspace_bytes"], origin["device_memory_bytes"]) == (engine, 7, 9)


class Trt:
    """A TensorRT whose engines tell what they need, under the name that the version has."""

    def __init__(self, stat=None, **memory):
        context = object()
        engine = SimpleNamespace(
            create_execution_context=lambda: context, get_engine_stat=lambda what: {"total": stat}[what], **memory
        )
        self.runtime = SimpleNamespace(deserialize_cuda_engine=lambda plan: engine)
        self.trt = SimpleNamespace()
        self.member = lambda enum, name: "total" if (enum, name) == STAT and stat is not None else None
        self.take_errors = lambda: ()


STAT = ("EngineStat", "TOTAL_WEIGHTS_SIZE")


@pytest.mark.parametrize(
    ("trt", "memory"),
    [
        (Trt(device_memory_size=5), {"device_memory_bytes": 5}),
        (Trt(device_memory_size=5, device_memory_size_v2=6), {"device_memory_bytes": 6}),
        (Trt(device_memory_size_v2=0, stat=8), {"device_memory_bytes": 0, "stored_weights_bytes": 8}),
        (Trt(device_memory_size_v2=6, stat=-1), {"device_memory_bytes": 6}),
    ],
    ids=["8.6", "10", "11, without memory", "a statistic that is not known"],
)
def test_a_loaded_engine_reports_its_memory_in_each_version(trt, memory, monkeypatch):
    monkeypatch.setattr("trt_conformance.targets.tensorrt.loading.engine_facts", lambda api, engine: None)
    assert load(trt, b"").memory == memory
    assert device_memory(trt.runtime.deserialize_cuda_engine(b"")) == memory["device_memory_bytes"]


def test_verdicts_have_the_cost_and_the_weights_of_the_case():
    case, held = wide(64), target()
    engines = Engines(held)
    figures = check_build(Subject(case, engines, lambda *_: None)).figures
    engines.close()
    held.close()
    assert set(COST) <= set(figures)
    assert figures["weights_bytes"] == weights_bytes(case)
    validated(line(figures))


def test_an_engine_without_a_plan_has_no_cost():
    assert describe(make_case(), SimpleNamespace(run=None)) == (None, {})
    assert describe(make_case(), SimpleNamespace(origin={"engine": "built"})) == (None, {"engine": "built"})


def test_weights_are_counted_in_the_types_of_the_case():
    shape = {"kernel": {"shape": [4, 2, 3, 3], "fill": "ones"}, "input": {"shape": [1, 2, 6, 9], "fill": "ones"}}
    assert weights_bytes(make_case(**shape)) == 4 * 72
    assert weights_bytes(make_case(**shape, precision="fp16", bias={"fill": "ones"})) == 2 * (72 + 4)
    quantized = make_case(**shape, precision="int8", quantize={"input": 1.0, "kernel": [1.0]}, bias={"fill": "ones"})
    assert weights_bytes(quantized) == 72 + 4 * 4


def line(figures):
    verdict = {"kind": "verdict", "case": "a/b", "target": "t", "phase": "build", "status": "pass"}
    return verdict | {"figures": figures}


@pytest.mark.parametrize(
    ("name", "value"), [("plan_bytes", -1), ("workspace_bytes", 1.5), ("weights_bytes", "many"), ("build_s", "inf")]
)
def test_a_record_with_an_impossible_cost_is_refused(name, value):
    with pytest.raises(LineFault, match=name):
        validated(line({name: value}))


def test_a_record_from_before_has_none():
    assert validated(line({"engine": "built", "build_s": 0.5})).figures.plan_bytes is None
