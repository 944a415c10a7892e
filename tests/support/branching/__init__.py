"""Convolutions that are wrong where kernels branch: tails, tiles, limits of indices, steps, types, dynamic shapes.

They were written from how kernels branch, after the search and before the sweeps that reach for edges, without a look
at the values of those. They measure what the tiers of the suite's own cases find. Each is right wherever its condition
does not hold.
"""

from __future__ import annotations

from tests.support.branching import operands, places, steps, surroundings
from trt_conformance.mutants.mutant import Mutant

FAMILIES = (
    operands.channels_of_a_group,
    operands.output_maps,
    operands.groups_of_channels,
    places.columns_and_rows,
    places.limits_of_indices,
    steps.strided,
    steps.windows_and_padding,
    steps.dilated,
    surroundings.run_time_dimensions,
    surroundings.after_the_layer,
    surroundings.types_and_routes,
)
BRANCHING: tuple[Mutant, ...] = tuple(mutant for family in FAMILIES for mutant in family())
