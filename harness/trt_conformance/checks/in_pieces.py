"""Compares an output whose reference does not fit the memory as a whole: piece by piece."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from trt_conformance.core.arrays import Array
from trt_conformance.core.case import Case
from trt_conformance.core.tensors import CaseData
from trt_conformance.numerics.bounds.basis import Basis, bound_on
from trt_conformance.numerics.bounds.epilogue import network_result_on
from trt_conformance.numerics.bounds.operands import Operands
from trt_conformance.numerics.compare import Comparison, Tally
from trt_conformance.numerics.reference.blocked import one_thread
from trt_conformance.numerics.reference.pieces import Piece, reference_of_piece

WORKERS = os.cpu_count() or 1


def compare_in_pieces(
    case: Case,
    data: CaseData,
    actual: Array,
    rests_on: Basis,
    cut: Sequence[Piece],
    workers: int,
    further: Sequence[Basis] | None = None,
) -> Comparison:
    """Compare an output with the reference and its bound, as `compare` does with the whole of them.

    Args:
        case: the case.
        data: the tensors of the run.
        actual: the network's output in the right shape, with one batch dimension.
        rests_on: the basis of the bound.
        cut: pieces that make up the output.
        workers: how many pieces to compute at a time, each on one thread.
        further: the basis of each further layer, as in `network_result`.
    """
    operands = Operands(case, data)
    tally = Tally(actual.shape, actual.dtype)

    def part(piece: Piece) -> Tally:
        result = reference_of_piece(case, data, piece)
        expected, limits = result.output, bound_on(case, result, rests_on, [operands], piece.images)
        if case.epilogue:
            expected, limits = network_result_on(case, result, limits, piece.of(data.input), further)
        found = Tally(actual.shape, actual.dtype)
        found.add(piece.offset + (0,) * (actual.ndim - 3), piece.of(actual), expected, limits)
        return found

    with one_thread(), ThreadPoolExecutor(workers) as pool:
        tally.join(part(cut[0]))  # alone: it collects the figures of the input for all
        for found in pool.map(part, cut[1:]):
            tally.join(found)
    return tally.comparison()
