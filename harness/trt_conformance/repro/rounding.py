"""The part of a program that judges the errors of an output together, as the check `rounding` does."""

from __future__ import annotations

import math
from collections.abc import Sequence

from trt_conformance.core.case import Case
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.tensors import NUMPY_TYPE
from trt_conformance.numerics.bounds.basis import basis
from trt_conformance.numerics.bounds.elementwise import HALVES
from trt_conformance.numerics.compare import FORMATS
from trt_conformance.numerics.rounding import SIGMAS, TF32_BITS, Accumulator, accumulator
from trt_conformance.repro.failure import Failure

_WAYS = [
    "WAYS = {  # how TF32 may read an operand",
    '    "truncated": np.trunc,',
    '    "to nearest": np.rint,',
    '    "ties away": lambda values: np.copysign(np.floor(abs(values) + 0.5), values),',
    '    "in full": lambda values: values,',
    "}",
    "",
    "",
    "def read(values, way):",
    "    mantissa, exponent = np.frexp(values.astype(float))",
    f"    return np.ldexp(WAYS[way](np.ldexp(mantissa, {TF32_BITS})), exponent - {TF32_BITS})",
]


def deviation_lines(case: Case, failure: Failure) -> list[str]:
    """Define ``deviations``: of the errors of ``actual``, how far the sums are from what rounding gives.

    Raises:
        ConformanceError: there is no model of how the GPU kernel of the failure rounds.
    """
    rests_on = failure.verdict.figures.get("bound_for") or basis(case)
    sums = accumulator(case, rests_on)
    if sums is None:
        raise ConformanceError(f"it is not known how the errors of a {rests_on} kernel add up")
    terms = math.prod(case.kernel.shape[1:])
    shift = "0.0" if case.bias == "none" else f"bias.astype(float).reshape({(-1, *(1,) * case.spatial_rank)})"
    return [
        *_half_unit_lines(case),
        *([*_WAYS, "", ""] if case.precision == "tf32" else []),
        "def deviations(x, w, pads, size):  # in standard deviations",
        f"    none, shift = np.zeros(len(kernel)), {shift}",
        "    total = convolve(x, w, none, pads, size)",
        "    real = total + shift",
        "    squares = convolve(inputs.astype(float) ** 2, kernel.astype(float) ** 2, none, pads, size)",
        "    partial = np.sqrt(squares + (abs(total) + abs(shift)) ** 2)  # root mean square of the partial sums",
        f"    variance = {_variance(case, rests_on, sums, terms)}",
        "    seen = variance > 0",
        "    deviation, sign = np.sqrt(variance[seen]), np.sign(real[seen])",
        "    r = (actual.astype(float) - real)[seen] / deviation",
        f"    drift = {_drift(sums, terms)}",
        "    low, high = np.where(sign > 0, -drift, 0.0), np.where(sign < 0, drift, 0.0)",
        "    beyond = np.maximum(low - r, 0) + np.maximum(r - high, 0)",
        "    one_sided = outside(r.sum(), low.sum(), high.sum()) / len(r) ** 0.5",
        "    outward = outside((r * sign).sum(), -drift.sum(), 0.0) / len(r) ** 0.5",
        "    return one_sided, outward, ((beyond**2).sum() - len(r)) / (2 * len(r)) ** 0.5",
        "",
        "",
        "def worst(found):",
        "    return max(abs(found[0]), abs(found[1]), found[2])",
        "",
        "",
        "def outside(value, low, high):  # how far beyond an interval",
        "    return min(value - low, 0.0) + max(value - high, 0.0)",
    ]


def compare_deviations_lines(case: Case, differs: int) -> list[str]:
    """Compare the deviations of ``actual``, the output for ``inputs``, with what may be; exit with ``differs`` or 0."""
    found = ["found = deviations(inputs, kernel, pads, size)"]
    if case.precision == "tf32":
        found = [
            "readings = [deviations(read(inputs, a), read(kernel, b), pads, size) for a in WAYS for b in WAYS]",
            "found = min(readings, key=worst)",
        ]
    return [
        "actual = infer(inputs)",
        "if actual is None:",
        '    print("actual:   refused")',
        f"    sys.exit({differs})",
        *found,
        f'print("expected: errors that cancel: at most {SIGMAS:g} standard deviations of rounding to nearest")',
        'print("actual:   one-sided by {:.3g}, away from 0 by {:.3g}, too large by {:.3g}".format(*found))',
        f"sys.exit({differs} if worst(found) > {SIGMAS:g} else 0)",
    ]


def _half_unit_lines(case: Case) -> Sequence[str]:
    if case.precision not in HALVES:
        return []
    bits, smallest = FORMATS[NUMPY_TYPE[case.data_type].name]
    return [
        "def half_unit(values):  # in the last place of the output's type",
        f"    exponent = np.where(values == 0, {smallest}, np.maximum(np.frexp(values)[1], {smallest}))",
        f"    return np.ldexp(0.5, exponent - {bits})",
        "",
        "",
    ]


def _half(sums: Accumulator) -> str:
    """Half a unit in the last place of an accumulator, a power of two."""
    return f"2.0**{round(math.log2(sums.half))}"


def _variance(case: Case, rests_on: str, sums: Accumulator, terms: int) -> str:
    written = ""
    if case.precision in HALVES:
        written = " + half_unit(real) ** 2 / 2"
        written += " + half_unit(total) ** 2 / 2" * (rests_on == "fp32_rounded")
    return f"{terms + 2} * ({_half(sums)} * partial) ** 2 / 3{written}"


def _drift(sums: Accumulator, terms: int) -> str:
    if not sums.truncates:
        return "np.zeros(len(r))"
    return f"2 * {_half(sums)} * {terms} * partial[seen] / deviation  # tensor cores truncate what they add"
