"""Is the golden what the reference gives today?"""

import pytest

from harness.compare import compare
from harness.golden import read_reference
from harness.message import failure, mismatch
from harness.plugin import REFERENCE
from harness.reference.result import reference
from harness.tolerance import gamma
from harness.verdict import verdict


@pytest.mark.cases("accepted")
def test_golden(case, judge):
    """Every stored output equals the recomputed one, to the rounding of float64 sums in any order."""
    lines = []
    for index, shape in enumerate(case.run_shapes):
        stored, computed = read_reference(case, index), reference(case, shape)
        found = compare(stored.output, computed.output, 2 * gamma(computed.terms, 2.0**-53) * computed.magnitude)
        if not found.passed:
            lines += mismatch(found, f"golden of run {index}")
    status = "fail" if lines else "pass"
    judge(verdict(case, REFERENCE, "compare", status, failure(case, "compare", lines) if lines else ""))
