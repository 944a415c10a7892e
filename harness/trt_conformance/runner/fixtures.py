"""The fixtures of conformance tests."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from trt_conformance.catalog.catalog import Catalog
from trt_conformance.checks.message import Named
from trt_conformance.checks.subject import Subject
from trt_conformance.core.advice import pasted
from trt_conformance.core.case import Case
from trt_conformance.core.verdict import Verdict
from trt_conformance.core.words import printable
from trt_conformance.runner.keys import RUN, VERDICTS
from trt_conformance.runner.rerun import rerun
from trt_conformance.runner.session import Run


@pytest.fixture(scope="session")
def run(pytestconfig: pytest.Config) -> Iterator[Run]:
    """The run's cases, targets and engines."""
    found = pytestconfig.stash[RUN]
    yield found
    found.close()


@pytest.fixture
def catalog(run: Run) -> Catalog:
    """Every case and claim."""
    return run.catalog


@pytest.fixture
def subject(request: pytest.FixtureRequest, run: Run) -> Subject:
    """The test's case on its target."""
    from trt_conformance.golden import expected_result

    case, target = request.param
    run.foresee(request.node)
    case = run.generated_case(case) if isinstance(case, str) else case
    return Subject(case, run.engines(target), expected_result, _diagnosis, run.options.memory_limit, run.knows)


def _diagnosis(*wrong: Any) -> Sequence[Named]:
    """Call `trt_conformance.mutants.diagnosis.diagnosis`, which is only imported once something is wrong."""
    from trt_conformance.mutants.diagnosis import diagnosis

    return diagnosis(*wrong)


@pytest.fixture
def timing(request: pytest.FixtureRequest, run: Run) -> dict[str, Any]:
    """The arguments of `check_latency` that say how to time."""
    return {
        "mode": getattr(request, "param", None),
        "cold": run.options.cold,
        "limit_s": run.options.latency_limit_s,
    }


@pytest.fixture
def quick(run: Run) -> Callable[[Subject], Verdict]:
    """Takes a quick latency. Skips the test, without a verdict, where there is nothing to time."""
    return run.quick.take


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
    """Record a verdict, and pass, fail, skip or xfail the test accordingly. A test with several checks names each."""
    began = time.perf_counter()

    def judge(found: Verdict, check: str = "") -> None:
        __tracebackhide__ = True
        nonlocal began
        ended = time.perf_counter()
        duration, began = round(ended - began, 4), ended
        check = check or request.function.__name__.removeprefix("test_")
        found = replace(found, check=check, figures={**found.figures, "duration_s": duration})
        found = run.expectations.apply(found)
        run.quick.note(found)
        if found.is_fault:
            found = replace(found, figures={**found.figures, "rerun": rerun(request.node, found, run)})
        request.node.stash.setdefault(VERDICTS, []).append(found)
        if found.known:
            pytest.xfail(printable(f"known difference {found.known}: {found.message.splitlines()[-1].strip()}"))
        if found.is_fault:
            pytest.fail(printable(f"{found.message}\n  rerun: {pasted(found.figures['rerun'])}"), pytrace=False)
        if found.status != "pass":
            pytest.skip(printable(f"{found.status}: {found.message}"))

    return judge
