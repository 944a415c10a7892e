"""The store of goldens: tensors with their provenance, of three kinds.

documented: printed in the Cookbook. reference: computed by `numerics.reference`. observed: what a target gave.
"""

from __future__ import annotations

from trt_conformance.golden.content import GoldenError
from trt_conformance.golden.expected import expected_result
from trt_conformance.golden.observed import write_observed
from trt_conformance.golden.read import read_documented, read_reference, stored_goldens
from trt_conformance.golden.update import GoldenChange, diff, update
from trt_conformance.golden.verify import Problem, verify

__all__ = [
    "GoldenChange",
    "GoldenError",
    "Problem",
    "diff",
    "expected_result",
    "read_documented",
    "read_reference",
    "stored_goldens",
    "update",
    "verify",
    "write_observed",
]
