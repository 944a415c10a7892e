"""Does the target infer the formula's output shape, whatever the padding? And does it build and compute what it infers?"""

from dataclasses import replace
from fnmatch import fnmatchcase

import pytest

from harness.checks import check_build, check_forward, check_network
from harness.errors import ConformanceError
from harness.padding_sample import check_edge, edges, golden, sample
from harness.padding_table import MODES, RANKS, TIERS, check_fresh, check_table, table_id
from harness.plugin import RUN
from harness.targets.base import InfersShapes

SAMPLES = {"test_network": sample, "test_build": sample, "test_forward": sample, "test_edge": edges}


def pytest_generate_tests(metafunc):
    """The tables or the sampled cases, on every target that infers shapes; values on every target."""
    run, name = metafunc.config.stash[RUN], metafunc.function.__name__
    tier, globs = TIERS[metafunc.config.getoption("padding_tier")], metafunc.config.getoption("case")
    try:
        targets = [t for t in run.targets if name == "test_forward" or isinstance(t, InfersShapes)]
        alone = len(run.targets) == 1
    except ConformanceError as fault:
        pytest.exit(f"\n{fault}", returncode=2)
    if name in SAMPLES:
        rows = [(case.id, (case,)) for case in SAMPLES[name](tier)]
    else:
        rows = [(table_id(rank, mode), (tier, rank, mode)) for rank in RANKS for mode in MODES]
    rows = [row for row in rows if not globs or any(fnmatchcase(row[0], glob) for glob in globs)]
    ids = [_id(row_id, "" if alone else target.name) for target in targets for row_id, _ in rows]
    if name in SAMPLES:
        pairs = [(case, target) for target in targets for _, (case,) in rows]
        metafunc.parametrize("subject", pairs, ids=ids, indirect=True)
    else:
        metafunc.parametrize("table", [(target, *row) for target in targets for _, row in rows], ids=ids)


def _id(row_id, target):
    """Tables read ``2d-same_upper``, cases keep their id."""
    name = row_id if row_id.endswith("-fp32") else row_id.removeprefix("padding/").replace("d_", "d-", 1)
    return f"{name}-{target}" if target else name


def test_padding(table, judge):
    judge(check_table(*table))


def test_fresh(table, judge):
    judge(check_fresh(*table))


def test_network(subject, judge):
    judge(check_network(subject))


def test_build(subject, judge):
    judge(check_build(subject))


def test_forward(subject, judge):
    judge(check_forward(replace(subject, golden=golden)))


def test_edge(subject, judge):
    judge(check_edge(subject))
