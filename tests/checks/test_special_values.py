"""Special values are observed: what is lost or spread is a figure, and a wrong finite output is a fault."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.suite import suite_catalog
from trt_conformance.checks.special_values import check_special_values, impossible, propagation
from trt_conformance.checks.subject import Subject
from trt_conformance.mutants import Mutant, MutantTarget
from trt_conformance.numerics.reference.result import reference
from trt_conformance.targets.engines import Engines
from trt_conformance.targets.numpy import NumpyTarget

CASES = [case for case in suite_catalog().cases if case.special_values and case.precision == "fp32"]
NAN = np.nan


def judged(case, target):
    return check_special_values(Subject(case, Engines(target), lambda c, index: reference(c)))


def output(change):
    return MutantTarget(Mutant("changed", "its output is changed", output=lambda y, case: change(y)))


def spread_by_one(y):
    """As a tile of a transform would."""
    bad = ~np.isfinite(y)
    near = bad | np.roll(bad, 1, axis=-1)
    return np.where(near, np.float32(np.nan), y)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_definition_is_observed_in_numpy(case):
    verdict = judged(case, NumpyTarget())
    assert verdict.status == "pass", verdict.message
    assert {verdict.figures["observed"][name] for name in ("nan", "inf", "minus_inf")} == {"as defined"}


def test_what_is_lost_is_a_figure_and_no_fault():
    verdict = judged(CASES[0], output(lambda y: np.nan_to_num(y, nan=0, posinf=0, neginf=0)))
    assert verdict.status == "pass"
    assert verdict.figures["observed"]["nan"] == "lost in 36"


def test_what_is_spread_is_a_figure_and_no_fault():
    verdict = judged(CASES[0], output(spread_by_one))
    assert verdict.status == "pass"
    assert verdict.figures["observed"]["nan"].startswith("spread to ")


def test_a_wrong_finite_output_is_a_fault():
    verdict = judged(CASES[0], output(lambda y: np.where(np.isfinite(y), y + 1, y).astype(np.float32)))
    assert verdict.status == "fail"
    assert "outputs that nan does not reach are wrong" in verdict.message


def test_nan_everywhere_is_a_fault():
    (one_image,) = (case for case in CASES if case.name == "three_d")
    verdict = judged(one_image, output(lambda y: y * np.float32(np.nan)))
    assert verdict.status == "fail"
    assert "leaves no output finite" in verdict.message


def in_second_image(y):
    """As a tile of pixels does that begins in one image and ends in the next."""
    leaked = y.copy()
    leaked[1:, :, 0, 0] = np.where(np.isfinite(y[0]).all(), y[1:, :, 0, 0], NAN)
    return leaked


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (in_second_image, "nan in the first image reaches 4 outputs of other images"),
        (lambda y: np.nan_to_num(y, nan=np.inf, posinf=np.inf, neginf=-np.inf), "nan becomes an infinity in 36"),
        (lambda y: np.where(np.isneginf(y), -y, y), "36 infinities have the wrong sign"),
    ],
    ids=["another_image", "nan_to_infinity", "sign"],
)
def test_what_no_sum_of_products_gives_is_a_fault(wrong, said):
    verdict = judged(CASES[0], output(wrong))
    assert verdict.status == "fail"
    assert said in verdict.message


def test_an_infinity_instead_of_nan_is_no_fault_where_infinities_may_cancel():
    """inf - inf is NaN by the definition; a kernel that skips weights of 0 gives an infinity."""
    assert impossible("inf", np.asarray([[np.inf]]), np.asarray([[NAN]])) is None


@pytest.mark.parametrize(
    ("given", "expected", "said"),
    [
        ([1, NAN], [1, NAN], "as defined"),
        ([1, np.inf], [1, NAN], "as defined, of another kind"),
        ([1, 2], [1, NAN], "lost in 1"),
        ([NAN, NAN], [1, NAN], "spread to 1"),
        ([NAN, 2], [1, NAN], "lost in 1, spread to 1"),
    ],
)
def test_words(given, expected, said):
    assert propagation(np.asarray(given, np.float32), np.asarray(expected, np.float64)) == said
