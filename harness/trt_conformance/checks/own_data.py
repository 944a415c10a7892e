"""Checks of the suite's own data, before any target is judged by it. Each returns a verdict on ``reference``."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from trt_conformance.catalog.catalog import Catalog
from trt_conformance.checks.message import failure, mismatch
from trt_conformance.core import git
from trt_conformance.core.case import Case
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.paths import GOLDEN
from trt_conformance.core.verdict import REFERENCE, Status, Verdict, verdict
from trt_conformance.golden import read_documented, read_reference, verify
from trt_conformance.numerics.bounds.elementwise import bound, gamma
from trt_conformance.numerics.compare import compare
from trt_conformance.numerics.reference.result import exact, reference


def check_printed_values(case: Case) -> Verdict:
    """What the document prints lies within half a unit of its last digit of the reference, widened by the bound.

    The document's programs ran in float32, so a printed value may be off by what float32 may be off.
    """
    try:
        printed = read_documented(case)
    except ConformanceError as fault:
        return _say(case, [str(fault)])
    result = reference(case)
    found = compare(printed.values, result.output, printed.tolerance + bound(case, result))
    return _say(case, [] if found.passed else mismatch(found, "the document's printed values"))


def check_ideal_values(case: Case) -> Verdict:
    """The ideal digits that the document gives are exact in rational arithmetic."""
    assert case.expect.ideal is not None and case.expect.shape is not None
    ideal = np.asarray(case.expect.ideal.split()).reshape(case.expect.shape)
    result = exact(case)
    wrong = [
        f"{list(i)}: {ideal[i]}, but exactly {result[i]}"
        for i in np.ndindex(*ideal.shape)
        if Fraction(str(ideal[i])) != result[i]
    ]
    return _say(case, wrong)


def check_golden(case: Case) -> Verdict:
    """Every stored output equals the recomputed one, to the rounding of float64 sums in any order."""
    lines: list[str] = []
    for index, shape in enumerate(case.run_shapes):
        try:
            stored = read_reference(case, index)
        except ConformanceError as fault:
            return _say(case, [str(fault)])
        computed = reference(case, shape)
        found = compare(stored.output, computed.output, 2 * gamma(computed.terms, 2.0**-53) * computed.magnitude)
        if computed.output.size and not found.passed:
            lines += mismatch(found, f"golden of run {index}")
    return _say(case, lines)


def check_store(catalog: Catalog) -> Verdict:
    """Every golden is whole, used by a case and listed in the manifest, and none is missing.

    The output of a generated case is computed anew when the case runs.
    """
    return _of_store("golden/store", [str(problem) for problem in verify(catalog, recompute_generated=False)])


def check_committed() -> Verdict:
    """No golden differs from the last commit: what was written is reviewed before it counts."""
    changed = git.uncommitted(GOLDEN)
    if changed is None:
        return Verdict("golden/committed", REFERENCE, "lint", "not run", message="this copy is no git checkout")
    return _of_store(
        "golden/committed", [f"{line}: not committed; review it (`git diff`) and commit it" for line in changed]
    )


def _of_store(name: str, faults: list[str]) -> Verdict:
    status: Status = "fail" if faults else "pass"
    return Verdict(name, REFERENCE, "lint", status, message="\n".join(faults))


def _say(case: Case, faults: list[str]) -> Verdict:
    status: Status = "fail" if faults else "pass"
    return verdict(case, REFERENCE, "compare", status, failure(case, "compare", faults) if faults else "")
