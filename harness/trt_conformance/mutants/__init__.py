"""Wrong convolutions (mutants), and the suite's score on them."""

from __future__ import annotations

from trt_conformance.mutants import (
    activations,
    arithmetic,
    edges,
    fp8,
    geometry,
    interactions,
    operands,
    refitting,
    refusals,
    rounding,
    scaling,
    tiles,
)
from trt_conformance.mutants import int8 as quantized
from trt_conformance.mutants import network as epilogues
from trt_conformance.mutants import outputs as results
from trt_conformance.mutants import prologue as prologues
from trt_conformance.mutants.mutant import UNMUTATED, Mutant, MutantTarget
from trt_conformance.mutants.scoring import MutantOutcome, check_unmutated, score, small

MUTANTS: tuple[Mutant, ...] = (
    *geometry.MUTANTS,
    *operands.MUTANTS,
    *arithmetic.MUTANTS,
    *rounding.MUTANTS,
    *quantized.MUTANTS,
    *fp8.MUTANTS,
    *scaling.MUTANTS,
    *prologues.MUTANTS,
    *epilogues.MUTANTS,
    *activations.MUTANTS,
    *results.MUTANTS,
    *tiles.MUTANTS,
    *edges.MUTANTS,
    *refitting.MUTANTS,
    *refusals.MUTANTS,
    *interactions.MUTANTS,
)
"""All mutants, grouped by what they get wrong."""

__all__ = ["MUTANTS", "UNMUTATED", "Mutant", "MutantOutcome", "MutantTarget", "check_unmutated", "score", "small"]
