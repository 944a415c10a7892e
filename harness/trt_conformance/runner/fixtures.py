"""The fixtures of conformance tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trt_conformance.catalog.catalog import Catalog
from trt_conformance.checks.message import Named
from trt_conformance.checks.subject import Subject
from trt_conformance.core.case import Case
from trt_conformance.core.paths import relative
from trt_conformance.core.verdict import REFERENCE, Verdict
from trt_conformance.golden.computed import computed_reference
from trt_conformance.runner.keys import RUN, VERDICTS
from trt_conformance.runner.session import Run


@pytest.fixture(scope="session")
def run(pytestconfig: pytest.Config) -> Iterator[Run]:
    """The run's cases, targets and engines."""
    held = pytestconfig.stash[RUN]
    yield held
    held.close()


@pytest.fixture
def catalog(run: Run) -> Catalog:
    """Every case and claim."""
    return run.catalog


@pytest.fixture
def subject(request: pytest.FixtureRequest, run: Run) -> Subject:
    """The test's case on its target."""
    from trt_conformance.golden import read_generated, read_reference

    case, target = request.param
    run.foresee(request.node)
    if isinstance(case, str):
        return Subject(run.made(case), run.engines(target), read_generated, _diagnosis)
    golden = computed_reference if case.latency else read_reference
    return Subject(case, run.engines(target), golden, _diagnosis)


def _diagnosis(*wrong: Any) -> Sequence[Named]:
    """As `trt_conformance.mutants.diagnosis` does; its mutants are made once something is wrong."""
    from trt_conformance.mutants.diagnosis import diagnosis

    return diagnosis(*wrong)


@pytest.fixture
def timing(request: pytest.FixtureRequest) -> dict[str, Any]:
    """How to time, as the options say: the arguments of `check_latency`."""
    option = request.config.getoption
    return {
        "mode": getattr(request, "param", None),
        "cold_l2": option("cold_l2"),
        "limit_s": option("latency_limit"),
    }


@pytest.fixture
def find(catalog: Catalog) -> Callable[[str], Case]:
    """A case by its full id."""

    def find(case_id: str) -> Case:
        found = catalog.find(case_id)
        assert found is not None, case_id
        return found

    return find


@pytest.fixture
def judge(request: pytest.FixtureRequest, run: Run) -> Callable[..., None]:
    """Record a verdict, and pass, fail, skip or xfail the test by it. A test of several checks names each."""

    def judge(found: Verdict, check: str = "") -> None:
        __tracebackhide__ = True
        check = check or request.function.__name__.removeprefix("test_")
        found = run.expectations.apply(replace(found, check=check))
        if found.is_fault:
            found = replace(found, figures={**found.figures, "rerun": _rerun(request.node, found)})
        request.node.stash.setdefault(VERDICTS, []).append(found)
        if found.known:
            pytest.xfail(f"known difference {found.known}: {found.message.splitlines()[-1].strip()}")
        if found.is_fault:
            pytest.fail(f"{found.message}\n  rerun: {found.figures['rerun']}", pytrace=False)
        if found.status != "pass":
            pytest.skip(f"{found.status}: {found.message}")

    return judge


def _rerun(node: pytest.Item, found: Verdict) -> str:
    target = "" if found.target == REFERENCE else f" --target {_target_option(node, found.target)}"
    name = node.name
    if target and name.endswith(f"-{found.target}]"):
        name = name.removesuffix(f"-{found.target}]") + "]"
    tier = node.config.getoption("tier")
    asked = f" --tier {tier}" if tier else ""
    return f'pytest "{relative(Path(node.path))}::{name}"{target}{asked}'


def _target_option(node: pytest.Item, name: str) -> str:
    """How the target was asked for, if by file; its name otherwise."""
    for spec in node.config.getoption("target"):
        if ".py:" in spec and len(node.config.getoption("target")) == 1:
            return str(spec)
    return name
