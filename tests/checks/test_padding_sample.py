"""The sample of padded configurations whose values are compared, and the edges of what is refused."""

import re
from collections import Counter

import numpy as np
import pytest

from trt_conformance.checks.padding.sample import (
    EDGES,
    KINDS,
    check_edge,
    edges,
    golden,
    ids,
    sample,
    with_whole_windows,
)
from trt_conformance.checks.padding.tiers import RANKS, TIERS, table_id
from trt_conformance.checks.subject import Subject
from trt_conformance.core.tensors import case_data
from trt_conformance.numerics.reference.result import reference
from trt_conformance.targets.engines import Engines
from trt_conformance.targets.errors import Refused
from trt_conformance.targets.protocols import NetworkFacts

SMOKE = TIERS["smoke"]


@pytest.mark.parametrize("tier", [SMOKE, TIERS["ci"]], ids=lambda tier: tier.name)
def test_the_sample_has_every_kind_for_each_mode_and_rank(tier):
    cases = sample(tier)
    assert 50 <= len(cases) <= 70
    assert len({case.id for case in cases}) == len(cases)
    missing = Counter((kind.doc, rank, mode) for kind in KINDS for rank in RANKS for mode in kind.modes)
    missing.subtract((case.doc, case.spatial_rank, case.attributes.mode) for case in cases)
    # Sizes below 6 hold no window that is smaller than its stride and odd at once, nor some others in 3D.
    assert tier is SMOKE or not +missing
    assert {case.doc for case in edges(tier)} == {kind.doc for kind in EDGES}
    assert set(ids(tier)) >= {case.id for case in (*cases, *edges(tier))} | {table_id(2, "SAME_UPPER")}


def test_ids_say_everything():
    first = sample(TIERS["ci"])[0]
    assert first.base_id.startswith("padding/2d_explicit_round_down_i")
    assert re.fullmatch(r"padding/2d_[a-z_]+(_[ifsdba]\d+x\d+){6}-fp32", first.id)


def oversized():
    return next(c for c in edges(SMOKE) if "oversized_2d_explicit" in c.id)


@pytest.mark.parametrize("mode", ["explicit_round_up", "caffe_round_up"])
def test_beyond_the_padding_a_window_reads_zeros(mode):
    case = next(c for c in edges(TIERS["ci"]) if f"oversized_2d_{mode}" in c.id)
    data, a = case_data(case), case.attributes
    output = reference(with_whole_windows(case)).output
    padded = np.pad(data.input.astype(float), [(0, 0), (0, 0), *((before, 20) for before in a.pre)])
    for at in np.ndindex(*output.shape[2:]):
        axes = zip(at, a.stride, a.dilation, case.kernel.shape[2:], strict=True)
        window = (slice(o * s, o * s + d * (f - 1) + 1, d) for o, s, d, f in axes)
        expected = np.einsum("ncij,kcij->k", padded[(..., *window)], data.kernel.astype(float))
        assert np.array_equal(output[(0, slice(None), *at)], expected)


class Building:
    """Defines and builds an edge case, or refuses it in a phase; its engine gives the reference times a factor."""

    name = "fake-1.0-cpu"

    def __init__(self, refuses=None, factor=1.0):
        self.refuses, self.factor = refuses, factor

    def supports(self, case):
        return None

    def define(self, case):
        if self.refuses == "network":
            raise Refused("network", "image size is smaller than filter size")
        return NetworkFacts(reference(with_whole_windows(case)).output.shape)

    def build(self, case):
        self.define(case)
        if self.refuses == "build":
            raise Refused("build", "not built")
        return _Engine(reference(with_whole_windows(case)).output * self.factor)


class _Engine:
    def __init__(self, output):
        self.output = output.astype(np.float32)

    def run(self, feeds):
        return {"output": self.output}

    def close(self):
        return None


@pytest.mark.parametrize(
    ("target", "status", "phase"),
    [
        (Building(), "pass", "compare"),
        (Building(factor=2.0), "fail", "compare"),
        (Building(refuses="build"), "fail", "build"),
        (Building(refuses="network"), "pass", "network"),
    ],
    ids=["computed", "wrong values", "not built", "refused as stated"],
)
def test_an_edge_is_refused_or_built_and_right(target, status, phase):
    verdict = check_edge(Subject(oversized(), Engines(target), golden))
    assert (verdict.status, verdict.phase) == (status, phase)


def test_an_edge_that_the_formula_accepts_may_not_be_refused():
    case = next(c for c in edges(SMOKE) if "empty_2d_explicit_round_down" in c.id)
    verdict = check_edge(Subject(case, Engines(Building(refuses="network")), golden))
    assert (verdict.status, verdict.phase) == ("fail", "network")
