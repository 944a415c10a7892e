"""The suite's own sweeps cover what they promise, and their cases are valid and show faults."""

from __future__ import annotations

import math

import pytest
from typer.testing import CliRunner

from tests.support.suite import suite_catalog
from trt_conformance.catalog.catalog import load_catalog
from trt_conformance.catalog.edges import UNBOUNDED, numbers_of, ranges
from trt_conformance.catalog.lint.case import lint_case
from trt_conformance.catalog.lint.vacuous import is_cheap
from trt_conformance.catalog.sweeps.expand import Expanded
from trt_conformance.cli.cases import app
from trt_conformance.core.case import Case
from trt_conformance.core.types import DATA_TYPE
from trt_conformance.numerics.exactness import inexact
from trt_conformance.numerics.reference.shape import layer_output


@pytest.mark.usefixtures("shared_suite")
def test_the_suites_own_sweeps_cover_what_they_promise() -> None:
    for tier, most in (("smoke", 99), ("ci", 1420)):
        result = CliRunner().invoke(app, ["coverage", "--tier", tier])
        assert result.exit_code == 0, result.output
        assert 0 < sum(len(found.names(tier)) for found in suite_catalog().sweeps) <= most
    assert sum(len(found.ids) for found in suite_catalog().sweeps) >= 10_000


@pytest.mark.slow
def test_every_case_of_the_suites_sweeps_can_be_made() -> None:
    made = [case.id for case in load_catalog().cases if case.tier is not None]
    assert made == [name for found in suite_catalog().sweeps for name in found.names("nightly")]


REACHING = [found for found in suite_catalog().sweeps if found.sweep.name not in ("layer", "modes")]


SAMPLE = 6


@pytest.mark.parametrize("found", REACHING, ids=lambda found: found.sweep.name)
def test_a_sample_of_each_sweep_for_edges_is_exact_and_shows_every_fault(found: Expanded) -> None:
    names = [name for name in found.names("ci") if is_small(found.case(name))]
    for name in names[:: max(1, len(names) // SAMPLE)][:SAMPLE]:
        case = found.case(name)
        assert [message for _, message in lint_case(case)] == [], name
        assert not case.exact or inexact(case) is None, name


def is_small(case: Case) -> bool:
    return all(is_cheap(case, shape, layer_output(case, shape)) for shape in case.run_shapes)


def test_every_edge_occurs_in_every_precision() -> None:
    for name, axis in (("tails", "channels"), ("strides", "high"), ("dilations", "wide"), ("groups", "groups")):
        found = next(found for found in REACHING if found.sweep.name == name)
        for value in found.sweep.domains[axis]:
            precisions = {found.case(case).precision for case in found.names("nightly") if value in found.ids[case]}
            assert precisions == set(DATA_TYPE), (name, value)


def test_limits_are_exceeded_in_every_precision() -> None:
    found = next(found for found in REACHING if found.sweep.name == "limits")
    beyond: dict[str, set[str]] = {}
    for name in found.names("nightly"):
        case = found.case(name)
        assert case.golden is None
        for number, one in ranges(numbers_of(case)):
            if one == "> 65535":
                beyond.setdefault(number, set()).add(case.precision)
        largest = max(math.prod(shape[-case.spatial_rank :]) for shape in case.run_shapes)
        if largest > 2**22:
            beyond.setdefault("2^22", set()).add(case.precision)
    assert set(beyond) == {*UNBOUNDED, "2^22"}
    assert all(precisions == set(DATA_TYPE) for precisions in beyond.values()), beyond
