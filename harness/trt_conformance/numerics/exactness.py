"""Verifies that the sums of an exact case are exact, so that no implementation may have an error."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trt_conformance.core.arrays import Array
from trt_conformance.core.case import Case
from trt_conformance.core.fills import content
from trt_conformance.core.tensors import case_data, content_of, exponents_of, network_input
from trt_conformance.numerics.bounds.elementwise import NARROWEST, bound, narrowest
from trt_conformance.numerics.places import place
from trt_conformance.numerics.reference.result import reference


def inexact(case: Case) -> str | None:
    """Describe where correct arithmetic may round in some run of a case; None if it is exact throughout."""
    for shape in case.run_shapes:
        for name, given, read in _tensors(case, shape):
            rounded = given[read.astype(np.float64) != given]
            if rounded.size:
                return f"{rounded.size} values of the {name}, {rounded[0]:g} for one, are rounded to {read.dtype}"
        result = reference(case, shape)
        limits = bound(case, result, NARROWEST.get(narrowest(case), "fp32"))
        if limits.any():
            worst = tuple(int(i) for i in np.unravel_index(int(np.argmax(limits)), limits.shape))
            return (
                f"{case.precision} may be off by {limits[worst]:.3g} at {place(worst)}, "
                f"where sum |x||w| + |b| is {result.magnitude[worst]:g} and the output {result.output[worst]:g}"
            )
    return None


def _tensors(case: Case, shape: tuple[int, ...]) -> Iterator[tuple[str, Array, Array]]:
    """Yield the name of each tensor, its content before any rounding, and what the layer reads."""
    data = case_data(case, shape)
    values = case.input.values if shape == case.input.shape else None
    given = content(shape, case.input.fill, values, case.input.seed, exponents_of(case.input))
    yield "input", given, network_input(case, shape)
    kernel = case.kernel
    yield "kernel", content_of(kernel, kernel.shape), data.kernel
    if case.bias != "none" and data.bias is not None:
        yield "bias", content_of(case.bias, data.bias.shape), data.bias
