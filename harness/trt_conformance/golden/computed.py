"""References that are computed in the run: of cases whose golden is a hash, or is not stored at all."""

from __future__ import annotations

from trt_conformance.core.case import Case
from trt_conformance.core.fills import forget_last
from trt_conformance.numerics.reference.result import Result, reference


def computed_reference(case: Case, index: int) -> Result:
    """The reference of a case's run, computed; the last one is cached for further checks and precisions."""
    key = (case.data_hash(), index)
    if key not in _LAST:
        _LAST.clear()
        _LAST[key] = reference(case, case.run_shapes[index])
    return _LAST[key]


def forget() -> None:
    """Release the cached reference and input, for a case that needs the memory."""
    _LAST.clear()
    forget_last()


_LAST: dict[tuple[str, int], Result] = {}
