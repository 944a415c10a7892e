"""Does the reference agree with what the document prints? Without it, no other answer counts."""

import numpy as np
import pytest

from harness.compare import compare
from harness.message import failure, mismatch
from harness.plugin import REFERENCE
from harness.printed import parse
from harness.reference.result import exact, reference
from harness.tolerance import bound
from harness.verdict import verdict


@pytest.mark.cases("claimed_printed")
def test_printed(case, judge):
    """Printed values lie within half a unit of their last digit, widened by float32's bound."""
    printed = parse(case.expect.printed, case.expect.shape)
    result = reference(case)
    found = compare(printed.values, result.output, printed.tolerance + bound(case, result))
    lines = [] if found.passed else mismatch(found, "the document's printed values")
    status = "pass" if found.passed else "fail"
    judge(verdict(case, REFERENCE, "compare", status, failure(case, "compare", lines) if lines else ""))


@pytest.mark.cases("ideal")
def test_ideal(case, judge):
    """The ideal digits are exact in rational arithmetic."""
    ideal = np.asarray(case.expect.ideal.split()).reshape(case.expect.shape)
    result = exact(case)
    wrong = [f"{i}: {ideal[i]}, exactly {result[i]}" for i in np.ndindex(*ideal.shape) if _differs(ideal[i], result[i])]
    status = "fail" if wrong else "pass"
    judge(verdict(case, REFERENCE, "compare", status, failure(case, "compare", wrong) if wrong else ""))


def _differs(text, value):
    from fractions import Fraction

    return Fraction(str(text)) != value
