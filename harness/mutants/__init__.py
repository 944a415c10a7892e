"""Wrong convolutions, and the score that the suite reaches on them."""

from harness.mutants import after, arithmetic, fp8, geometry, interactions, operands, quantized, refusals, results
from harness.mutants.mutant import UNMUTATED, Mutant, MutantTarget
from harness.mutants.scoring import Outcome, check_unmutated, score, small

MUTANTS: tuple[Mutant, ...] = (
    *geometry.MUTANTS,
    *operands.MUTANTS,
    *arithmetic.MUTANTS,
    *quantized.MUTANTS,
    *fp8.MUTANTS,
    *after.MUTANTS,
    *results.MUTANTS,
    *refusals.MUTANTS,
    *interactions.MUTANTS,
)
"""Every mutant, by what it gets wrong."""

__all__ = ["MUTANTS", "UNMUTATED", "Mutant", "MutantTarget", "Outcome", "check_unmutated", "score", "small"]
