"""The reference of a case, read or computed, depending on how its golden is stored."""

from __future__ import annotations

from pathlib import Path

from trt_conformance.catalog.golden_kind import golden_kind
from trt_conformance.core.case import Case
from trt_conformance.golden.computed import computed_reference
from trt_conformance.golden.hashes import read_hashed
from trt_conformance.golden.read import read_reference
from trt_conformance.numerics.reference.result import Result


def expected_result(case: Case, run_index: int = 0, root: Path | None = None) -> Result:
    """The reference of a case for its ``run_index``-th run shape: read, or computed and compared with a stored hash.

    ``root`` is the store; by default that of the case's folder.

    Raises:
        GoldenError: the golden is missing, stale, corrupt, or not what the reference gives.
    """
    kind = golden_kind(case)
    if kind == "computed":
        return computed_reference(case, run_index)
    return read_hashed(case, run_index, root) if kind == "hash" else read_reference(case, run_index, root)
