"""Parts of an output in which all its wrong elements are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trt_conformance.core.arrays import Array, Float64
from trt_conformance.core.case import Case
from trt_conformance.core.tensors import OUTPUT
from trt_conformance.mutants.mutant import UNMUTATED, Mutant, MutantEngine
from trt_conformance.numerics.places import axis_names

NAMES = {"n": "image", "k": "output map", "d": "slice", "h": "row", "w": "column"}


@dataclass(frozen=True)
class Part:
    """Some indices of each axis of an output; None for all of an axis."""

    indices: tuple[NDArray[np.intp] | None, ...]

    def of(self, y: Array) -> NDArray[np.bool_]:
        """Return which elements of an output are in it."""
        chosen = np.ones(y.shape, dtype=bool)
        for axis, indices in enumerate(self.indices):
            if indices is not None:
                here = np.zeros(y.shape[axis], dtype=bool)
                here[indices] = True
                chosen &= here.reshape(-1, *(1,) * (y.ndim - axis - 1))
        return chosen

    def wider(self) -> tuple[Part, ...]:
        """Return the whole, the parts with the indices of one axis alone, and this part.

        Before those with gaps come those with all indices from the first to the last: in a gap, what is wrong may have
        no error by chance, such as a missing bias that is 0.
        """
        whole: tuple[NDArray[np.intp] | None, ...] = (None,) * len(self.indices)
        named = [axis for axis, indices in enumerate(self.indices) if indices is not None]
        filled = tuple(None if one is None else np.arange(one[0], one[-1] + 1) for one in self.indices)
        found = [Part(whole)]
        for axis in named:
            found += [Part((*whole[:axis], given[axis], *whole[axis + 1 :])) for given in (filled, self.indices)]
        if len(named) > 1:
            found += [Part(filled), self]
        return tuple(one for number, one in enumerate(found) if one.text() not in {p.text() for p in found[:number]})

    def text(self) -> str:
        """Return the part in words; empty for the whole."""
        names = axis_names(len(self.indices))
        said = [
            counted_indices(NAMES.get(name, f"place {name}"), indices)
            for name, indices in zip(names, self.indices, strict=True)
            if indices is not None
        ]
        return f", in {' and '.join(said)}" if said else ""


def part_of(wrong: NDArray[np.bool_]) -> Part:
    """Return the smallest part that has all wrong elements."""
    found: list[NDArray[np.intp] | None] = []
    for axis, size in enumerate(wrong.shape):
        hit = np.flatnonzero(wrong.any(axis=tuple(other for other in range(wrong.ndim) if other != axis)))
        found.append(hit if len(hit) < size else None)
    return Part(tuple(found))


def within(mutant: Mutant, part: Part) -> Mutant:
    """Return a convolution that is wrong as a mutant is, in a part of the output, and right elsewhere."""

    class Partly(MutantEngine):
        """Runs the mutant and the correct convolution."""

        def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
            right = UNMUTATED.on(self.case).run(feeds)
            wrong = mutant.on(self.case).run(feeds)[OUTPUT]
            if wrong.shape != right[OUTPUT].shape:
                return {OUTPUT: wrong}
            return right | {OUTPUT: np.where(part.of(wrong), wrong, right[OUTPUT])}

    return Mutant(
        f"{mutant.name}_in_part",
        mutant.doc + part.text(),
        mutant.applies,
        engine=Partly,
        multiply=mutant.multiply,
        passes=lambda case: mutant.passes(case) + 1,
        in_part=True,
    )


def zero_part(actual: Float64, wrong: NDArray[np.bool_]) -> Mutant | None:
    """Return the symptom that all of the part with the wrong elements is zero; None if one of these is not.

    Args:
        actual: the wrong output.
        wrong: which of its elements are wrong: more than one, since one may be zero by chance.
    """
    if wrong.sum() < 2 or actual[wrong].any():
        return None
    part = part_of(wrong)

    def written(y: Array, case: Case) -> Array:
        return np.asarray(np.where(part.of(y), 0, y).astype(y.dtype))

    return Mutant("part_zero", f"the output is zero{part.text()}", output=written, symptom=True)


def shifted_part(error: Float64, wrong: NDArray[np.bool_], allowed: float, axis: int) -> Mutant | None:
    """Return the symptom that the part with the wrong elements is off by one number, or each map by its own; else None.

    Args:
        error: the wrong output minus the right one.
        wrong: which elements are wrong: more than one of each map, since one is always off by one number.
        allowed: the error of a right element, at most.
        axis: the axis of the maps.
    """
    maps = [np.moveaxis(error, axis, 0)[at][here] for at, here in enumerate(np.moveaxis(wrong, axis, 0))]
    hit = [one for one in maps if len(one)]
    if not all(len(one) > 1 and np.isfinite(one).all() and np.ptp(one) <= allowed for one in hit):
        return None
    part, by = part_of(wrong), np.array([np.median(one) if len(one) else 0.0 for one in maps])

    def written(y: Array, case: Case) -> Array:
        shift = by.reshape(-1, *(1,) * (y.ndim - axis - 1)).astype(y.dtype)
        return np.asarray(np.where(part.of(y), y + shift, y).astype(y.dtype))

    shifts = by[by != 0]
    how = f"the output is too {'large' if shifts[0] > 0 else 'small'} by {abs(shifts[0]):.6g}"
    if np.ptp(shifts) > allowed:
        how = "each output map is off by a number of its own"
    return Mutant("part_shifted", f"{how}{part.text()}", output=written, symptom=True)


def counted_indices(word: str, indices: Sequence[int] | NDArray[np.intp]) -> str:
    first, last = int(indices[0]), int(indices[-1])
    if len(indices) == 1:
        return f"{word} {first}"
    if last - first + 1 == len(indices):
        return f"{word}s {first} to {last}"
    if len(indices) == 2:
        return f"{word}s {first} and {last}"
    steps = set(np.diff(indices))
    if len(steps) == 1:
        return f"{word}s {first}, {int(indices[1])}, … {last}"
    return f"{len(indices)} {word}s from {first} to {last}"
