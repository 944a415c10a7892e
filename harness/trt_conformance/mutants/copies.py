"""Parts of an output in which no product is summed, or that are copies of other parts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from trt_conformance.core.arrays import Array, Float64
from trt_conformance.core.case import Case
from trt_conformance.core.tensors import parameters
from trt_conformance.mutants.mutant import Change, Mutant, per_map
from trt_conformance.mutants.parts import NAMES, Part, counted_indices, part_of
from trt_conformance.numerics.places import axis_names

MOST_ELEMENTS = 4_000_000
"""Elements that are compared at most in the search for the sources of copies."""


def without_products(wrong: NDArray[np.bool_]) -> tuple[Mutant, ...]:
    """Return the convolutions that sum nothing in a part with all wrong elements, the widest part first.

    The bias is added, and the operations after the layer are applied.
    """
    return tuple(_without_products(where) for where in part_of(wrong).wider())


def _without_products(where: Part) -> Mutant:
    def sums(y: Array, case: Case) -> Array:
        return np.asarray(np.where(where.of(y), 0, y).astype(y.dtype))

    return Mutant("products_missing", f"all products are missing{where.text()}", sums=sums, in_part=True)


def copies(case: Case, actual: Float64, right: Float64, wrong: NDArray[np.bool_], allowed: float) -> Iterator[Mutant]:
    """Yield the convolutions that write some maps, images, rows or columns to others, as the wrong output shows.

    There is one for each axis along which all wrong indices have one source each. Copied maps have the bias of their
    source, or their own.

    Args:
        case: the case that failed.
        actual: the wrong output, ``(N, K, *spatial)``.
        right: the correct output, of the same shape.
        wrong: which elements are wrong.
        allowed: the error of a right element, at most.
    """
    names = axis_names(actual.ndim)
    for axis, indices in enumerate(part_of(wrong).indices):
        if indices is None or names[axis] not in NAMES or actual.size * len(indices) > MOST_ELEMENTS:
            continue
        sources = _sources(actual, right, axis, indices, allowed)
        if sources:
            yield _copied(names[axis], sources, axis - actual.ndim, before_bias=False)
        bias = parameters(case).bias
        if names[axis] == "k" and bias is not None and not case.epilogue:
            own = per_map(bias.astype(np.float64), case)
            sources = _sources(actual - own, right - own, axis, indices, allowed)
            if sources:
                yield _copied(names[axis], sources, axis - actual.ndim, before_bias=True)


def _sources(
    actual: Float64, right: Float64, axis: int, indices: NDArray[np.intp], allowed: float
) -> dict[int, int] | None:
    """Return the source of each wrong index: the only one, or the one at the distance that all have in common."""
    found: dict[int, set[int]] = {}
    others = tuple(other for other in range(actual.ndim) if other != axis)
    for index in map(int, indices):
        with np.errstate(invalid="ignore"):
            alike = np.abs(right - np.take(actual, [index], axis)) <= allowed
        found[index] = set(map(int, np.flatnonzero(alike.all(axis=others)))) - {index}
    if all(len(those) == 1 for those in found.values()):
        return {index: those.pop() for index, those in found.items()}
    distances = set.intersection(*({source - index for source in those} for index, those in found.items()))
    if len(found) > 1 and len(distances) == 1:
        (distance,) = distances
        return {index: index + distance for index in found}
    return None


def _copied(name: str, sources: Mapping[int, int], axis: int, before_bias: bool) -> Mutant:
    targets, given = list(sources), list(sources.values())

    def changed(y: Array, case: Case) -> Array:
        y = y.copy()
        moved = np.moveaxis(y, axis, 0)
        moved[targets] = moved[given]
        return y

    word = NAMES[name]
    own = " before the bias is added" if before_bias else ""
    if len(targets) == 2 and targets == given[::-1]:
        doc = f"{word}s {targets[0]} and {targets[1]} are exchanged{own}"
    elif len(targets) == 1:
        doc = f"{word} {targets[0]} is a copy of {word} {given[0]}{own}"
    else:
        doc = f"{counted_indices(word, targets)} are copies of {_of(word, given)}{own}"
    stage: dict[str, Change] = {"sums" if before_bias else "output": changed}
    return Mutant(f"{word.replace(' ', '_')}_copied", doc, in_part=True, **stage)  # type: ignore[arg-type]


def _of(word: str, given: list[int]) -> str:
    return f"{word} {given[0]}" if len(set(given)) == 1 else counted_indices(word, given)
