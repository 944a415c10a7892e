"""Checks of the suite's own data, before any target is judged by it. Each returns a verdict on ``reference``."""

from __future__ import annotations

import os
from collections.abc import Callable
from fractions import Fraction
from functools import wraps

import numpy as np

from trt_conformance.catalog.catalog import Catalog
from trt_conformance.catalog.golden_kind import golden_kind
from trt_conformance.checks.message import failure, mismatch
from trt_conformance.core import git
from trt_conformance.core.case import Case
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.paths import GOLDEN
from trt_conformance.core.verdict import REFERENCE, Status, Verdict, verdict
from trt_conformance.golden import expected_result, read_documented, verify
from trt_conformance.numerics.bounds.elementwise import bound, gamma
from trt_conformance.numerics.compare import compare
from trt_conformance.numerics.reference.result import exact, reference

MOST_FAULTS = 20
"""Lines of a verdict on a store."""
UNCOMMITTED = "not committed; review it (`git diff`) and commit it"


def _judged_reference(check: Callable[[Case], list[str]]) -> Callable[[Case], Verdict]:
    """Turn the lines that a check of a case's data returns, or the fault that it raises, into a verdict."""

    @wraps(check)
    def run(case: Case) -> Verdict:
        try:
            faults = check(case)
        except ConformanceError as fault:
            faults = [str(fault)]
        status: Status = "fail" if faults else "pass"
        return verdict(case, REFERENCE, "compare", status, failure(case, "compare", faults) if faults else "")

    return run


@_judged_reference
def check_printed_values(case: Case) -> list[str]:
    """The Cookbook's printed values are within half a unit of their last digit of the reference, plus the bound.

    The Cookbook's programs computed in float32, so a printed value may have the error that float32 allows.
    """
    printed = read_documented(case)
    result = reference(case)
    found = compare(printed.values, result.output, printed.tolerance + bound(case, result))
    return [] if found.passed else mismatch(found, "the Cookbook's printed values")


@_judged_reference
def check_ideal_values(case: Case) -> list[str]:
    """The ideal digits that the Cookbook gives are exact in rational arithmetic."""
    assert case.expect.ideal is not None and case.expect.shape is not None
    ideal = np.asarray(case.expect.ideal.split()).reshape(case.expect.shape)
    result = exact(case)
    return [
        f"{list(i)}: {ideal[i]} is printed, but the exact value is {result[i]}"
        for i in np.ndindex(*ideal.shape)
        if Fraction(str(ideal[i])) != result[i]
    ]


@_judged_reference
def check_golden(case: Case) -> list[str]:
    """Every stored output equals the recomputed one, up to the rounding of float64 sums in any order.

    Of an output that is stored as a hash, the recomputed one has that hash.
    """
    lines: list[str] = []
    for index, shape in enumerate(case.run_shapes):
        stored = expected_result(case, index)
        if golden_kind(case) == "hash":
            continue
        computed = reference(case, shape)
        found = compare(stored.output, computed.output, 2 * gamma(computed.terms, 2.0**-53) * computed.magnitude)
        if computed.output.size and not found.passed:
            lines += mismatch(found, f"golden of run {index}")
    return lines


def check_store(catalog: Catalog) -> Verdict:
    """Every golden is intact, belongs to a case and is listed in the manifest, and none is missing. Outputs that are
    stored as hashes are not recomputed here, but in `check_golden` or when a generated case runs.
    """
    options = "".join(folder.options for folder in catalog.folders)
    problems = (problem for part in catalog.parts() for problem in verify(part, recompute_hashed=False))
    return _of_store("golden/store", list(map(str, problems)), f"trt-conformance golden verify{options}")


def check_committed() -> Verdict:
    """No golden of the suite differs from the last commit: changes to goldens are reviewed before they count.

    This is checked in CI only, where everything is committed. Elsewhere, a golden that was just written would make
    every run fail until it is committed.
    """
    name = "golden/committed"
    if os.environ.get("CI", "").lower() in ("", "0", "false"):
        message = "needs the environment variable CI; `trt-conformance cases lint --committed` checks the same"
        return Verdict(name, REFERENCE, "lint", "not run", message=message)
    changed = git.uncommitted(GOLDEN)
    if changed is None:
        return Verdict(name, REFERENCE, "lint", "not run", message="this copy is not a git checkout")
    return _of_store(name, [f"{file}: {UNCOMMITTED}" for file in changed], "trt-conformance cases lint --committed")


def _of_store(name: str, faults: list[str], lists_all: str) -> Verdict:
    """The verdict on a store, with its first faults; the command ``lists_all`` of them."""
    status: Status = "fail" if faults else "pass"
    told = faults if len(faults) <= MOST_FAULTS else faults[: MOST_FAULTS - 1]
    if len(told) < len(faults):
        told.append(f"and {len(faults) - len(told)} more: `{lists_all}` lists them all")
    return Verdict(name, REFERENCE, "lint", status, message="\n".join(told))
