"""Whether the tensors of a case fit the memory limit: as a whole, in pieces, or not at all."""

from __future__ import annotations

from collections.abc import Sequence

from trt_conformance.core.case import Case
from trt_conformance.core.errors import InvalidConvolution
from trt_conformance.core.memory import size_text
from trt_conformance.numerics.reference.pieces import Piece, Sizes, pieces
from trt_conformance.targets.errors import NotRun

ADVICE = "the memory limit is {} (--memory-limit)"


def fits_whole(case: Case, shape: tuple[int, ...], limit: int | None) -> bool:
    """Whether a run can be computed and compared at once."""
    sizes = Sizes(case, shape)
    return limit is None or sizes.tensors + sizes.at_once <= limit


def cut_to_fit(case: Case, shape: tuple[int, ...], limit: int, workers: int) -> tuple[Sequence[Piece], int]:
    """The pieces in which a run's output is compared, and how many of them at a time: at most ``workers``.

    Raises:
        NotRun: not even one piece fits the limit.
    """
    sizes = Sizes(case, shape)
    if case.prologue or case.addend is not None:
        text = "an operation before the layer, or an addend, reads more than one piece"
        raise NotRun(f"{text}, so it is compared as a whole; {ADVICE.format(size_text(limit))}")
    room = limit - sizes.tensors
    for many in (workers, max(1, workers // 4), 1):
        found = pieces(case, shape, room // many)
        if found is not None:
            return found, min(many, len(found))
    raise NotRun(
        f"its input and output take {size_text(sizes.tensors)}, and the smallest piece of the reference needs "
        f"{size_text(sizes.of_least)} more; {ADVICE.format(size_text(limit))}"
    )


def lack_of_memory(case: Case, limit: int | None, results: int) -> str | None:
    """Why a check that holds this many of the case's results at once cannot run; None if it can."""
    if limit is None:
        return None
    try:
        need = max(results * (sizes.tensors + sizes.at_once) for sizes in (Sizes(case, s) for s in case.run_shapes))
    except InvalidConvolution:
        return None
    if need <= limit:
        return None
    advice = ADVICE.format(size_text(limit))
    return f"this check would take {size_text(need)}, because it does not compare in pieces; {advice}"
