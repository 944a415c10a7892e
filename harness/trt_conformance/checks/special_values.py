"""How NaN, infinities and -0 of an input travel through the layer: observed, since no document promises it.

NvInfer.h says of kSTRICT_NANS that without it identities such as 0 * x = 0 may hide a NaN, and says nothing of
where one goes. So what is lost or spread is a figure of the verdict and no fault. What the outputs that are still
finite hold is no matter of opinion: they lie within the bound of the sum without the special value's windows.
"""

from __future__ import annotations

import numpy as np

from trt_conformance.checks.engine_facts import limits_of
from trt_conformance.checks.subject import Subject, judged
from trt_conformance.core.arrays import Array
from trt_conformance.core.tensors import INPUT, NUMPY_TYPE, OUTPUT, case_data
from trt_conformance.core.verdict import Verdict
from trt_conformance.numerics.compare import structure_faults
from trt_conformance.numerics.reference.blocked import convolve
from trt_conformance.numerics.reference.result import reference

SPECIAL = {"nan": np.nan, "inf": np.inf, "minus_inf": -np.inf}


def with_special(x: Array, value: float) -> Array:
    """The input with one element replaced: the middle one of its first image's first channel."""
    changed = x.copy()
    plane = x.shape[2:]
    middle = (0, 0, *(size // 2 for size in plane))
    changed[middle] = value
    return changed


def travelled(given: Array, expected: Array) -> str:
    """Where an output is not finite, against where the definition's is not."""
    here, there = ~np.isfinite(given.astype(np.float64)), ~np.isfinite(expected)
    if np.array_equal(here, there):
        kinds = np.isnan(given.astype(np.float64)) == np.isnan(expected)
        return "as defined" if kinds.all() else "as defined, of another kind"
    lost, spread = int((there & ~here).sum()), int((here & ~there).sum())
    return ", ".join(text for count, text in ((lost, f"lost in {lost}"), (spread, f"spread to {spread}")) if count)


@judged("compare")
def check_special_values(subject: Subject) -> Verdict:
    """Outputs that no special value reaches are right; how far one reaches is recorded."""
    case, engine = subject.case, subject.engine(subject.case)
    data, result = case_data(case), reference(case)
    limits = limits_of(case, result, engine)
    kernel, bias = data.kernel.astype(np.float64), None if data.bias is None else data.bias.astype(np.float64)
    observed: dict[str, str] = {}
    faults: list[str] = []
    for name, value in SPECIAL.items():
        x = with_special(data.input, value)
        with np.errstate(invalid="ignore"):  # also for a target that computes here
            expected = convolve(x.astype(np.float64), kernel, bias, case.attributes)
            outputs = subject.feed(case, {INPUT: x})
        faults = structure_faults(outputs, OUTPUT, expected.shape, NUMPY_TYPE[case.data_type])
        if faults:
            break
        actual = outputs[OUTPUT].astype(np.float64)
        observed[name] = travelled(actual, expected)
        both = np.isfinite(actual) & np.isfinite(expected)
        with np.errstate(invalid="ignore"):
            wrong = both & (np.abs(actual - expected) > limits)
        if wrong.any():
            faults = [f"{int(wrong.sum())} outputs that {name} does not reach are wrong"]
            break
        if not both.any():
            faults = [f"{name} in one element of the input leaves no output finite"]
            break
    zero = subject.feed(case, {INPUT: np.full_like(data.input, -0.0)})[OUTPUT] if not faults else None
    if zero is not None:
        observed["minus_zero"] = "kept" if np.signbit(zero[zero == 0].astype(np.float64)).all() else "becomes 0"
    return subject.say("compare", "fail" if faults else "pass", faults or "", observed=observed)
