"""An engine that cannot run here is given no input: none is made, and no reference is computed or read."""

from __future__ import annotations

from typing import NoReturn

import pytest

from tests.support.helpers import make_case
from trt_conformance.checks import second_input, special_values, subject
from trt_conformance.checks.build import check_build
from trt_conformance.checks.execution_modes import check_execution_modes
from trt_conformance.checks.forward import check_forward
from trt_conformance.checks.printed import check_printed
from trt_conformance.checks.relations import check_relation
from trt_conformance.checks.second_input import check_inputs
from trt_conformance.checks.selection import SELECTIONS
from trt_conformance.checks.special_values import check_special_values
from trt_conformance.checks.subject import Subject
from trt_conformance.core.case import Relation
from trt_conformance.targets.engines import Engines
from trt_conformance.targets.errors import NotRun
from trt_conformance.targets.protocols import offers
from trt_conformance.targets.tensorrt.ahead_of_time import AheadOfTimeEngine
from trt_conformance.targets.tensorrt.plans import Plan

REASON = "built ahead of time for another GPU"
CASE = make_case(large=True, expect={"shape": [1, 1, 4, 7], "printed": "1 " * 28})


class Ahead:
    """Builds engines for a GPU that this machine does not have."""

    name = "ahead"

    def supports(self, case):
        return None

    def build(self, case):
        return AheadOfTimeEngine(Plan(b""), REASON)


def made(*arguments: object) -> NoReturn:
    pytest.fail("an input or a reference was made")


@pytest.fixture
def ahead(monkeypatch: pytest.MonkeyPatch) -> Subject:
    for module, name in (
        (subject, "feeds_of"),
        (second_input, "other_input"),
        (special_values, "case_data"),
    ):
        monkeypatch.setattr(module, name, made)
    return Subject(CASE, Engines(Ahead()), made)


@pytest.mark.parametrize(
    "check",
    [
        check_forward,
        check_inputs,
        check_special_values,
        check_printed,
        check_execution_modes,
        lambda subject: check_relation(subject, Relation(kind="group_slices"), made),
        lambda subject: check_relation(subject, Relation(kind="units_digit"), made),
    ],
)
def test_no_input_is_made(ahead, check):
    verdict = check(ahead)
    assert (verdict.status, verdict.message) == ("not run", REASON)


def test_the_build_is_still_checked(ahead):
    assert check_build(ahead).status == "pass"


def test_a_capability_says_so():
    engine = Ahead().build(CASE)
    assert offers(engine, "check_runs")
    with pytest.raises(NotRun, match=REASON):
        engine.check_runs()


def test_networks_and_builds_of_large_cases_are_checked():
    assert SELECTIONS["accepted"](CASE)
    assert not SELECTIONS["accepted"](make_case(reject={"phase": "build", "error": "no such thing"}))
