"""Finds which products of a layer are missing in a wrong output, or count twice.

The error of such an output is a sum of the layer's own products: those of some channels, of some taps of the window, or
of single terms. The coefficients, -1 or 1 for each of these and 0 for all others, are found from some of the elements.
The caller then compares the whole output, and that of a second input, with what they give.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from trt_conformance.core.arrays import Array, Float64
from trt_conformance.core.attributes import Attributes
from trt_conformance.core.case import Case
from trt_conformance.core.tensors import CaseData, parameters
from trt_conformance.mutants.mutant import Mutant, multiply
from trt_conformance.mutants.parts import Part, counted_indices, part_of
from trt_conformance.numerics.bounds.operands import Operands, after_quantization
from trt_conformance.numerics.reference.shape import resolve

MOST_TERMS = 512
"""Channels, taps or terms among which is searched."""
MOST_PLACES, MOST_PRODUCTS = 4096, 2_000_000
"""Elements of the output that are tried, and their products."""
INTEGER = 0.05
"""How far a coefficient may be from an integer: the output is rounded."""
AXES = ("D", "H", "W")
FINE = ("taps", "terms")
"""Groupings of products that other groupings may name in fewer words."""


def suspects(case: Case, x: Array, error: Float64, allowed: float) -> Iterator[tuple[bool, tuple[Mutant, ...]]]:
    """Yield convolutions that omit some products, or count them twice, and give this error in the elements tried.

    Those of one tuple omit the same products: in the whole output, or else only in a part of it. The flag
    says whether these are all products of some channels, or of some taps along one axis. There are none for a layer
    whose output is no sum of products: with operations before or after it, or quantized.

    Args:
        case: the case that failed.
        x: the input that was run, ``(N, C, *spatial)``.
        error: the wrong output minus the right one, ``(N, K, *spatial)``.
        allowed: the error of a right element, at most.
    """
    if case.epilogue or case.prologue or (case.quantize is not None and case.quantize.output is not None):
        return
    wrong = np.abs(error) > allowed
    if x.ndim != case.spatial_rank + 2 or not np.isfinite(error).all() or not wrong.any():
        return
    part = part_of(wrong)
    places, products = _products(case, x, part.of(error))
    values, known = error[tuple(places.T)], set[bytes]()
    for what, terms, shape in _groupings(products):
        if not 1 < terms.shape[1] <= MOST_TERMS:
            continue
        for coefficients in _coefficients(terms, values, allowed):
            found = coefficients.reshape(shape)
            every = np.broadcast_to(found, products.shape[1:]).tobytes()
            if every not in known:
                known.add(every)
                yield what not in FINE, tuple(_mutant(what, found, where) for where in part.wider())


def _products(case: Case, x: Array, chosen: NDArray[np.bool_]) -> tuple[NDArray[np.intp], Float64]:
    """Return some of the chosen elements of the output, and the products of each, ``(elements, channels, *window)``."""
    given = parameters(case)
    kernel = Operands(case, CaseData(given.kernel, given.bias, x)).kernel
    values = after_quantization(case, "input", x.astype(np.float64))
    axes = resolve(x.shape, kernel.shape, case.attributes)
    per_group, window = kernel.shape[1], kernel.shape[2:]
    places = np.argwhere(chosen)
    most = max(1, min(MOST_PLACES, MOST_PRODUCTS // kernel[0].size))
    places = np.random.default_rng(0).permutation(places)[:most]
    group = places[:, 1] // (kernel.shape[0] // case.attributes.groups)
    channels = group[:, None] * per_group + np.arange(per_group)
    index = [
        places[:, 0].reshape(-1, *(1,) * (1 + len(window))),
        channels.reshape(*channels.shape, *(1,) * len(window)),
    ]
    inside: NDArray[np.bool_] = np.asarray(True)
    for number, (axis, taps, size) in enumerate(zip(axes, window, x.shape[2:], strict=True)):
        at = (places[:, 2 + number] * axis.stride - axis.before)[:, None] + np.arange(taps) * axis.dilation
        shape = [len(places), 1, *(1,) * len(window)]
        shape[2 + number] = taps
        inside = inside & ((at >= 0) & (at < size)).reshape(shape)
        index.append(at.clip(0, size - 1).reshape(shape))
    read = np.where(inside, values[tuple(index)], 0.0)
    return places, read * kernel[places[:, 1]]


def _groupings(products: Float64) -> Iterator[tuple[str, Float64, tuple[int, ...]]]:
    """Yield the sums of products over what may be missing as a whole: a name, the sums, and their shape of a kernel."""
    elements, channels, *window = products.shape
    spatial = tuple(range(2, products.ndim))
    yield "channels", products.sum(axis=spatial), (channels, *(1,) * len(window))
    taps = products.sum(axis=1)
    for number, size in enumerate(window):
        others = tuple(axis for axis in range(1, taps.ndim) if axis != number + 1)
        shape = [1] * (len(window) + 1)
        shape[number + 1] = size
        yield f"taps along {AXES[-len(window) :][number]}", taps.sum(axis=others), tuple(shape)
    yield "taps", taps.reshape(elements, -1), (1, *window)
    yield "terms", products.reshape(elements, -1), (channels, *window)


def _coefficients(terms: Float64, error: Float64, allowed: float) -> list[Float64]:
    """Return the coefficient of each term that gives the errors: -1 or 1 for some, 0 for the others.

    A single term, or all up to one or from one on, need few elements; any other terms need as many as there are.
    """
    sums = np.cumsum(terms, axis=1)
    count = terms.shape[1]
    found: list[Float64] = []
    for sign in (-1, 1):
        for number in range(count):
            steps = np.arange(count)
            tried = ((terms[:, number], steps == number), (sums[:, number], steps <= number))
            rest = (sums[:, -1] - sums[:, number], steps > number)
            found += [
                sign * chosen.astype(float)
                for given, chosen in (*tried, rest)
                if 0 < chosen.sum() < count and (np.abs(error - sign * given) <= allowed).all()
            ]
    unique = list({tuple(one): one for one in found}.values())
    if unique or len(terms) < count:
        return unique if len(unique) == 1 else []
    solved, _, rank, _ = np.linalg.lstsq(terms[: 3 * count], error[: 3 * count], rcond=None)
    whole = np.rint(solved)
    if rank < count or np.abs(solved - whole).max() > INTEGER or set(np.unique(whole)) not in ({-1.0, 0.0}, {0.0, 1.0}):
        return []
    return [whole]


def _mutant(what: str, coefficients: Float64, where: Part) -> Mutant:
    chosen = coefficients != 0
    sign = int(coefficients[chosen][0])

    def products(x: Array, kernel: Array, attributes: Attributes, case: Case) -> Array:
        y = multiply(x, kernel, attributes, case)
        more = multiply(x, np.asarray(kernel * chosen.astype(kernel.dtype)), attributes, case)
        return np.asarray(np.where(where.of(y), y + sign * more, y).astype(y.dtype))

    kind = what.partition(" ")[0]
    name, doc = ("missing", "are missing") if sign < 0 else ("twice", "count twice")
    said = _said(what, chosen)
    return Mutant(
        f"{kind}_{name}",
        f"the products of {said} {doc}{where.text()}",
        multiply=products,
        passes=_two,
        in_part=bool(where.text()),
    )


def _two(case: Case) -> int:
    return 2


def _said(what: str, chosen: NDArray[np.bool_]) -> str:
    kind, _, along = what.partition(" ")
    if what not in FINE:
        text = counted_indices(kind[:-1], np.flatnonzero(chosen.ravel()))
        return f"{text} of each group" if kind == "channels" else f"{text} {along}"
    return f"{int(chosen.sum())} of {chosen.size} {kind}, the first at {tuple(map(int, np.argwhere(chosen)[0]))}"
