"""How the golden of a case is stored: as tensors, as a hash, or not at all.

A case may state it (``golden``). Where it does not, its size decides. The tensors of a golden take two float64 values
for each element of the output, so a list of some hundred layers of a network would fill a repository.
"""

from __future__ import annotations

import math

from trt_conformance.core.case import Case
from trt_conformance.core.errors import InvalidConvolution
from trt_conformance.core.types import GoldenKind
from trt_conformance.numerics.reference.shape import layer_output

MOST_STORED = 2**12
"""Elements of all outputs of a case up to which its golden is stored as tensors: 64 KiB before compression."""
MOST_HASHED = 2**24
"""Elements of all inputs and outputs of a case up to which it has a golden: about 2 GB while it is computed."""


def golden_kind(case: Case) -> GoldenKind | None:
    """How the expected output of a case is stored; None if it has none, because the case is refused everywhere.

    tensors: stored, with their provenance. hash: computed in the run, and compared with a stored hash. computed: in the
    run, and nothing is stored. By default, generated cases have a hash, and timed and large ones are computed.
    """
    if case.reject is not None and case.reject.phase is not None:
        return None
    try:
        inputs, outputs = elements(case)
    except InvalidConvolution:
        return None
    if case.tier is not None:
        return "hash"
    if case.golden is not None:
        return case.golden
    if case.latency or case.large or inputs + outputs > MOST_HASHED:
        return "computed"
    return "tensors" if outputs <= MOST_STORED else "hash"


def elements(case: Case) -> tuple[int, int]:
    """Return how many elements the inputs of all runs of a case have, and how many the layer's outputs.

    Raises:
        InvalidConvolution: a shape and the attributes do not form a convolution.
    """
    outputs = [layer_output(case, shape) for shape in case.run_shapes]
    return sum(map(math.prod, case.run_shapes)), sum(map(math.prod, outputs))
