"""The options that say how long a build searches for GPU kernels, and among which."""

import re
from types import SimpleNamespace

import pytest

from tests.support.helpers import make_case
from tests.support.plans import case, target
from trt_conformance.targets.errors import Refused, TargetOptionError
from trt_conformance.targets.options import Options
from trt_conformance.targets.registry import resolve
from trt_conformance.targets.tensorrt import build
from trt_conformance.targets.tensorrt.build import LEVELS, choose_sources, choose_tactics


def test_tactics_set_the_level():
    held = target()
    for tactics, level in LEVELS.items():
        config = held._api.builder.create_builder_config()
        choose_tactics(held._api, config, tactics)
        assert config.builder_optimization_level == level
    config = held._api.builder.create_builder_config()
    default = config.builder_optimization_level
    choose_tactics(held._api, config, "default")
    assert config.builder_optimization_level == default


def test_tactics_and_caches_are_stated(tmp_path):
    assert target().environment()["cache"] == "none"
    said = target(tactics="fast", cache=tmp_path).environment()
    assert (said["tactics"], said["cache"]) == ("fast", "engines")
    fast, plain = target(tactics="fast"), target()
    assert fast._plans.key(case(1)) != plain._plans.key(case(1))


def test_tactic_sources_limit_a_build():
    held = target()
    sources = held._api.trt.TacticSource
    config = held._api.builder.create_builder_config()
    default = config.get_tactic_sources()
    choose_sources(held._api, config, ())
    assert config.get_tactic_sources() == default
    choose_sources(held._api, config, ["JIT_CONVOLUTIONS", "JIT_CONVOLUTIONS"])
    assert config.get_tactic_sources() == 1 << int(sources.JIT_CONVOLUTIONS)


def test_tactic_sources_reach_the_build(monkeypatch):
    seen = []
    monkeypatch.setattr(build, "choose_sources", lambda api, config, names: seen.append(names))
    target(tactic_sources=("JIT_CONVOLUTIONS",)).build(make_case())
    assert seen == [("JIT_CONVOLUTIONS",)]


def test_tactic_sources_that_are_refused():
    held = target()
    config = SimpleNamespace(set_tactic_sources=lambda mask: False)
    with pytest.raises(
        Refused, match="the tactic sources JIT_CONVOLUTIONS were refused, and nothing was logged"
    ) as refusal:
        choose_sources(held._api, config, ["JIT_CONVOLUTIONS"])
    assert refusal.value.phase == "build"


def test_tactic_sources_are_part_of_the_key_the_timings_and_the_facts(tmp_path):
    plain, both, reordered = (
        target(tactic_sources=names, cache=tmp_path)
        for names in (
            (),
            ("JIT_CONVOLUTIONS", "EDGE_MASK_CONVOLUTIONS"),
            ("EDGE_MASK_CONVOLUTIONS", "JIT_CONVOLUTIONS"),
        )
    )
    assert "tactic_sources" not in plain.environment()
    assert both.environment()["tactic_sources"] == "EDGE_MASK_CONVOLUTIONS,JIT_CONVOLUTIONS"
    assert plain._plans.key(case(1)) != both._plans.key(case(1)) == reordered._plans.key(case(1))
    assert plain._timings != both._timings == reordered._timings


def test_a_tactic_source_that_this_version_lacks():
    target()  # skips where there is no TensorRT-RTX
    with pytest.raises(TargetOptionError) as fault:
        resolve("tensorrt_rtx", Options(tactic_sources=("CUDNN",)))
    assert re.fullmatch(
        r"--tactic-sources: tensorrt_rtx [0-9.]+ does not have CUDNN "
        r"\(it has EDGE_MASK_CONVOLUTIONS, JIT_CONVOLUTIONS\)",
        str(fault.value),
    )
