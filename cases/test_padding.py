"""Does the target infer the formula's output shape whatever the padding, and build and compute what it infers?"""

from dataclasses import replace
from fnmatch import fnmatchcase

import pytest

from trt_conformance.checks.build import check_build
from trt_conformance.checks.forward import check_forward
from trt_conformance.checks.network import check_network
from trt_conformance.checks.padding.sample import check_edge, edges, golden, sample
from trt_conformance.checks.padding.table import check_fresh, check_table
from trt_conformance.checks.padding.tiers import MODES, RANKS, table_id, tier_of
from trt_conformance.runner.keys import RUN
from trt_conformance.runner.parametrize import parametrize
from trt_conformance.targets.protocols import InfersShapes

SAMPLES = {"test_network": sample, "test_build": sample, "test_forward": sample, "test_edge": edges}


def pytest_generate_tests(metafunc):
    """The tables or the sampled cases on every target that infers shapes; values on every target."""
    run, check = metafunc.config.stash[RUN], metafunc.function.__name__
    asked, globs = metafunc.config.getoption("tier"), metafunc.config.getoption("case")
    run.prepare()
    if run.fault is not None:
        return
    targets = [t for t in run.targets if check == "test_forward" or isinstance(t, InfersShapes)]

    def wanted(name):
        return not globs or any(fnmatchcase(name, glob) for glob in globs)

    if check in SAMPLES:
        rows = {case.id: case for case in SAMPLES[check](run.padding_tier) if wanted(case.id)}
        values = [(case, target) for target in targets for case in rows.values()]
    else:
        rows = {f"{r}d-{m.lower()}": (r, m) for r in RANKS for m in MODES if wanted(table_id(r, m))}
        values = [(target, tier_of(asked, target.name), *row) for target in targets for row in rows.values()]
    alone = len(run.targets) == 1
    ids = [name if alone else f"{name}-{target.name}" for target in targets for name in rows]
    parametrize(metafunc, "subject" if check in SAMPLES else "table", values, ids, indirect=check in SAMPLES)


def test_padding(table, judge):
    judge(check_table(*table))


def test_fresh(table, judge):
    judge(check_fresh(*table))


@pytest.mark.no_engine
def test_network(subject, judge):
    judge(check_network(subject))


def test_build(subject, judge):
    judge(check_build(subject))


def test_forward(subject, judge):
    judge(check_forward(replace(subject, golden=golden)))


def test_edge(subject, judge):
    judge(check_edge(subject))
