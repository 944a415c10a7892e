"""Convolutions that are wrong under a condition only, as GPU kernels are: at a tail, a halo, a limit of an index.

They were written from how kernels fail, before the search that they measure. None is a suspect of the diagnosis. Each
is right wherever its condition does not hold.
"""

from __future__ import annotations

from tests.support.conditional import attributes, memory, places, surroundings, tails
from trt_conformance.mutants.mutant import Mutant

FAMILIES = (
    tails.channel_tails,
    tails.term_tails,
    tails.map_tails,
    tails.groups_apart,
    tails.depthwise_and_wide,
    places.tiles,
    places.far_places,
    places.small_tiles,
    places.batches,
    attributes.strides_at_edges,
    attributes.windows,
    attributes.paddings,
    attributes.dilations_at_edges,
    surroundings.epilogues,
    surroundings.quantized,
    surroundings.types,
    surroundings.routes,
    surroundings.formats,
    memory.memory,
)
CONDITIONAL: tuple[Mutant, ...] = tuple(mutant for family in FAMILIES for mutant in family())
