"""Records how NaN, infinities and -0 of an input propagate through the layer, which no document specifies.

NvInfer.h says of kSTRICT_NANS that without it identities such as 0 * x = 0 may hide a NaN. It does not say which
outputs a NaN reaches. So a special value that is lost, or that spreads, is a figure of the verdict and not a fault.
Outputs that stay finite are checked: they must be within the bound of the sum without the special value. Some must
stay finite, unless the GPU kernel is a transform, whose outputs depend on every element of a tile.

Three more faults are those of no algorithm that adds multiples of the input's elements, transforms included. The output
of one image does not depend on another image. NaN times a number, plus a number, is NaN, and never an infinity. Where a
sum of infinities is one, all of them have its sign, and so has the weight of the element, which is their sum.
"""

from __future__ import annotations

import numpy as np

from trt_conformance.checks.engine_facts import basis_on
from trt_conformance.checks.finding import Finding, finding
from trt_conformance.checks.subject import Subject, judged
from trt_conformance.core.arrays import Array, widened
from trt_conformance.core.tensors import INPUT, NUMPY_TYPE, OUTPUT, case_data
from trt_conformance.numerics.bounds.basis import bound_on, is_transform
from trt_conformance.numerics.compare import structure_faults
from trt_conformance.numerics.reference.blocked import convolve
from trt_conformance.numerics.reference.result import reference

SPECIAL = {"nan": np.nan, "inf": np.inf, "minus_inf": -np.inf}


def with_special(x: Array, value: float) -> Array:
    """A copy of the input ``(N, C, *spatial)`` with one element replaced: the middle of image 0, channel 0."""
    changed = x.copy()
    plane = x.shape[2:]
    middle = (0, 0, *(size // 2 for size in plane))
    changed[middle] = value
    return changed


def propagation(given: Array, expected: Array) -> str:
    """How the elements of an output that are not finite compare with those of the definition's output."""
    here, there = ~np.isfinite(given), ~np.isfinite(expected)
    if np.array_equal(here, there):
        kinds = np.isnan(given) == np.isnan(expected)
        return "as defined" if kinds.all() else "as defined, of another kind"
    lost, spread = int((there & ~here).sum()), int((here & ~there).sum())
    return ", ".join(text for count, text in ((lost, f"lost in {lost}"), (spread, f"spread to {spread}")) if count)


def impossible(name: str, given: Array, expected: Array) -> str | None:
    """What no sum of products gives, if one element of the first image is a special value; None if all is possible.

    Args:
        name: of the special value, a key of `SPECIAL`.
        given: an output ``(N, K, *spatial)``.
        expected: the definition's output.
    """
    others = ~np.isfinite(given[1:])
    if others.any():
        return f"{name} in the first image reaches {int(others.sum())} outputs of other images"
    if name == "nan":
        infinite = np.isinf(given)
        return f"nan becomes an infinity in {int(infinite.sum())} outputs" if infinite.any() else None
    signs = np.isinf(given) & np.isinf(expected) & (np.signbit(given) != np.signbit(expected))
    return f"{int(signs.sum())} infinities have the wrong sign" if signs.any() else None


@judged("compare", results=2)
def check_special_values(subject: Subject) -> Finding:
    """Outputs that no special value reaches are right. Which outputs one reaches is recorded."""
    case, engine = subject.case, subject.runnable(subject.case)
    data, result = case_data(case), reference(case)
    rests_on = basis_on(case, engine)
    limits = bound_on(case, result, rests_on)
    kernel, bias = data.kernel.astype(np.float64), None if data.bias is None else data.bias.astype(np.float64)
    observed: dict[str, str] = {}
    for name, value in SPECIAL.items():
        x = with_special(data.input, value)
        with np.errstate(invalid="ignore"):  # also for a target that computes in this process
            expected = convolve(x.astype(np.float64), kernel, bias, case.attributes)
            outputs = subject.feed(case, {INPUT: x})
        faults = structure_faults(outputs, OUTPUT, expected.shape, NUMPY_TYPE[case.data_type])
        if faults:
            return Finding("fail", faults, {"observed": observed})
        actual = widened(outputs[OUTPUT])
        with np.errstate(invalid="ignore"):
            observed[name] = propagation(actual, expected)
            both = np.isfinite(actual) & np.isfinite(expected)
            wrong = both & (np.abs(actual - expected) > limits)
        fault = f"{int(wrong.sum())} outputs that {name} does not reach are wrong" if wrong.any() else None
        fault = fault or impossible(name, actual, expected)
        if fault is not None:
            return Finding("fail", [fault], {"observed": observed})
        if not both.any() and not is_transform(rests_on):
            fault = f"{name} in one element of the input leaves no output finite"
            return Finding("fail", [fault], {"observed": observed})
    zero = subject.feed(case, {INPUT: np.full_like(data.input, -0.0)})[OUTPUT]
    observed["minus_zero"] = "kept" if np.signbit(widened(zero[zero == 0])).all() else "becomes 0"
    return finding((), observed=observed)
