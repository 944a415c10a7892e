"""The store of goldens: tensors with their provenance, of three kinds.

documented: printed in the document. reference: computed by `harness.reference`. observed: what a target gave.
"""

from harness.golden.hashes import hash_line, read_generated
from harness.golden.observed import write_observed
from harness.golden.read import read_documented, read_reference, stored
from harness.golden.store import GoldenError
from harness.golden.update import Change, diff, update
from harness.golden.verify import Problem, verify

__all__ = [
    "Change",
    "GoldenError",
    "Problem",
    "diff",
    "hash_line",
    "read_documented",
    "read_generated",
    "read_reference",
    "stored",
    "update",
    "verify",
    "write_observed",
]
