"""Large cases are compared image by image, run only when asked for, and have no golden."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.helpers import make_case, run_pytest
from tests.support.suite import suite_catalog
from trt_conformance.catalog.lint.case import lint_case
from trt_conformance.checks.large import check_large, large_input
from trt_conformance.checks.subject import Subject
from trt_conformance.core.case import Relation
from trt_conformance.golden.plan import sources_of
from trt_conformance.mutants import Mutant, MutantTarget
from trt_conformance.targets.engines import Engines
from trt_conformance.targets.numpy import NumpyTarget

LARGE = make_case(
    large=True,
    input={"shape": [5, 2, 7, 6], "fill": "uniform", "seed": 3},
    kernel={"shape": [3, 2, 3, 3], "fill": "uniform", "seed": 4},
    set={"padding_nd": [1, 1]},
)


def judged(target):
    return check_large(Subject(LARGE, Engines(target), lambda case, index: pytest.fail("a large case has no golden")))


def last_image_of_first(y, case):
    """As an offset of 32 bits would give it, were it that large."""
    y = y.copy()
    y[-1] = y[0]
    return y


def test_every_image_has_a_content_of_its_own():
    x = large_input(LARGE)
    assert x.shape == LARGE.input.shape
    assert len({image.tobytes() for image in x}) == len(x)


def test_right_images_pass():
    verdict = judged(NumpyTarget())
    assert verdict.status == "pass", verdict.message
    assert 0 < verdict.figures["fraction"] < 1


def test_one_wrong_image_fails_and_is_named():
    verdict = judged(MutantTarget(Mutant("wraps", "the last image is the first", output=last_image_of_first)))
    assert verdict.status == "fail"
    assert "1 of 5 images are wrong" in verdict.message
    assert "(n=4," in verdict.message


def test_a_wrong_shape_fails():
    verdict = judged(MutantTarget(Mutant("cut", "the last image is missing", output=lambda y, case: y[:-1])))
    assert verdict.status == "fail"
    assert "output.shape is (4, 3, 7, 6)" in verdict.message


def test_the_suite_holds_some_beyond_2_31_elements_and_they_have_no_golden():
    large = [case for case in suite_catalog().cases if case.large]
    assert any(np.prod(case.input.shape, dtype=np.int64) > 2**31 for case in large)
    assert any(case.expect.shape and np.prod(case.expect.shape, dtype=np.int64) > 2**31 for case in large)
    assert all(sources_of(case) == () for case in large)


@pytest.mark.parametrize("field", [{"exact": True}, {"relations": (Relation(kind="group_slices"),)}])
def test_lint_refuses_what_a_large_case_cannot_have(field):
    found = [text for _, text in lint_case(LARGE.model_copy(update=field))]
    assert any(text.startswith("large: a large case cannot have exact, relations") for text in found)


@pytest.mark.slow
def test_they_run_only_when_asked_for():
    options = ("cases", "--collect-only", "-q", "--target", "numpy", "--case", "reported/patches_of_14_whole")
    refused = run_pytest(*options)
    assert refused.returncode == 2
    assert "only large cases match; add --large to run them" in refused.stdout
    asked = run_pytest(*options, "--large")
    assert "test_large[reported/patches_of_14_whole-fp32]" in asked.stdout
    assert "test_forward[reported/patches_of_14_whole" not in asked.stdout
