"""The data for the picture of a failure: the output around its worst element, and the terms of that element's sum."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np

from trt_conformance.core.arrays import Array, Float64, widened
from trt_conformance.core.case import Case
from trt_conformance.core.json import finite
from trt_conformance.core.tensors import case_data
from trt_conformance.numerics.bounds.operands import after_quantization
from trt_conformance.numerics.reference.shape import resolve

MAX_ELEMENTS = 256
MAX_TERMS = 64
MAX_WALKED = 200_000
"""The terms of a longer sum are not listed: finding the largest would take seconds."""
EDGE = 16
NO_SUM: dict[str, Any] = {"terms": [], "terms_total": 0, "bias": 0.0}


def evidence(
    case: Case, run_shape: Sequence[int], *, actual: Array, expected: Float64, bound: Float64, worst: tuple[int, ...]
) -> dict[str, Any]:
    """A small crop of an output around its worst element, and that element's terms, as JSON values.

    ``actual`` and ``bound`` have the shape of ``expected``; ``run_shape`` is the input's shape in the run that failed.
    """
    window = crop(actual.shape, worst)
    values, wanted, limits = widened(actual[window]), expected[window], bound[window]
    return {
        "input_shape": list(run_shape),
        "output_shape": list(actual.shape),
        "worst": list(worst),
        "offset": [part.start for part in window],
        "shape": list(values.shape),
        "actual": _numbers(values, 9),
        "expected": _numbers(wanted, 9),
        "fraction": _numbers(fractions(values, wanted, limits), 4),
        # After an epilogue, or a prologue, an element is not a sum of products of the network's input.
        **(NO_SUM if case.prologue or case.epilogue else receptive_field(case, run_shape, worst)),
    }


def crop(shape: Sequence[int], center: Sequence[int]) -> tuple[slice, ...]:
    """Slices of at most MAX_ELEMENTS elements around one: rows and columns first, then as many planes as fit."""
    room, parts = MAX_ELEMENTS, []
    for size, middle in zip(reversed(shape), reversed(center), strict=True):
        length = min(size, EDGE, room)
        room //= length
        start = min(max(0, middle - length // 2), size - length)
        parts.append(slice(start, start + length))
    return tuple(reversed(parts))


def fractions(actual: Float64, expected: Float64, bound: Float64) -> Float64:
    """|actual - expected| / bound per element: infinite if actual is not finite, or differs at a bound of 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.abs(actual - expected)
        fraction = np.where(error == 0, 0.0, error / bound)
    return np.where(np.isfinite(actual) & ~np.isnan(fraction), fraction, np.inf)


def receptive_field(case: Case, run_shape: Sequence[int], index: tuple[int, ...]) -> dict[str, Any]:
    """The products that are summed into one output element: positions and real values of their factors.

    Positions are ``(channel, *spatial)`` in the input and in the kernel; a position in the padding is outside the
    input. Of more than MAX_TERMS products, only those of largest magnitude are returned, and of more than
    MAX_WALKED none.
    """
    data = case_data(case, run_shape)
    x, w = data.input.astype(np.float64), data.kernel.astype(np.float64)
    x, w = after_quantization(case, "input", x), after_quantization(case, "kernel", w)
    rank = case.spatial_rank
    image, kernel = x[index[: -rank - 1]], w[index[-rank - 1]]
    if kernel.size > MAX_WALKED:
        return NO_SUM | {"terms_total": kernel.size}
    terms = list(_terms(case, image, kernel, index[-rank - 1 :]))
    shown = terms
    if len(terms) > MAX_TERMS:
        largest = sorted(range(len(terms)), key=lambda i: -abs(terms[i]["product"]))[:MAX_TERMS]
        shown = [terms[i] for i in sorted(largest)]
    bias = 0.0 if data.bias is None else float(data.bias[index[-rank - 1]])
    return {"terms": shown, "terms_total": len(terms), "bias": bias}


def _terms(case: Case, image: Float64, kernel: Float64, element: tuple[int, ...]) -> Iterator[dict[str, Any]]:
    """The products of output element ``(k, *spatial)``, from an image ``(C, *spatial)`` and the kernel of map k."""
    axes = resolve((1, *image.shape), case.kernel.shape, case.attributes)
    per_group = kernel.shape[0]
    first = element[0] // (case.kernel.shape[0] // case.attributes.groups) * per_group
    for tap in product(*map(range, kernel.shape)):
        at = (
            first + tap[0],
            *(o * a.stride + f * a.dilation - a.before for o, f, a in zip(element[1:], tap[1:], axes, strict=True)),
        )
        inside = all(0 <= i < size for i, size in zip(at, image.shape, strict=True))
        x, w = float(image[at]) if inside else 0.0, float(kernel[tap])
        values = {"x": _number(x, 9), "w": _number(w, 9), "product": _number(x * w, 9)}
        yield {"x_at": list(at), "w_at": list(tap), **values}


def _numbers(values: Float64, digits: int) -> list[float | str]:
    return [_number(value, digits) for value in values.ravel().tolist()]


def _number(value: float, digits: int) -> Any:
    """A number for JSON, rounded to ``digits`` digits; text if it is not finite."""
    if not np.isfinite(value):
        return finite(value)
    short = float(f"{value:.{digits}g}")
    return int(short) if short.is_integer() and abs(short) < 2**53 else short
