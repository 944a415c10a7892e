"""The output agrees with the values printed in the Cookbook, to their last printed digit."""

from __future__ import annotations

from typing import Any

import numpy as np

from trt_conformance.checks import message
from trt_conformance.checks.engine_facts import limits_of
from trt_conformance.checks.finding import Finding, finding
from trt_conformance.checks.subject import Subject, judged
from trt_conformance.core.arrays import Array, widened
from trt_conformance.core.tensors import NUMPY_TYPE, OUTPUT
from trt_conformance.numerics.compare import compare, figures_of, structure_faults
from trt_conformance.numerics.printed import Printed, parse


@judged("compare", results=1)
def check_printed(subject: Subject) -> Finding:
    """The output agrees with the Cookbook's printed values to their last digit, widened by the GPU kernel's bound."""
    case = subject.case
    assert case.expect.printed is not None and case.expect.shape is not None
    printed = parse(case.expect.printed, case.expect.shape)
    outputs = subject.run(case)
    faults = structure_faults(outputs, OUTPUT, case.expect.shape, NUMPY_TYPE[case.data_type])
    if faults:
        return Finding("fail", faults)
    limits = limits_of(case, subject.golden(case, 0), subject.engine(case))
    found = compare(outputs[OUTPUT], printed.values, printed.tolerance + limits)
    figures = figures_of(found) | agreement(widened(outputs[OUTPUT]), printed)
    return finding([] if found.passed else message.mismatch(found, "printed values"), **figures)


def agreement(actual: Array, printed: Printed) -> dict[str, Any]:
    """How closely a float64 tensor agrees with a printed one of its shape.

    Returns figures: ``as_printed`` counts the values within half a unit of their last printed digit, ``values`` all
    values; ``digits`` is the smallest agreement in significant decimal digits, at most as many as are printed.
    """
    error = np.abs(actual - printed.values)
    scale = np.where(printed.values == 0, 1.0, np.abs(printed.values))
    with np.errstate(divide="ignore"):
        digits = np.minimum(np.where(error == 0, np.inf, -np.log10(error / scale)), printed.digits)
    within = error <= printed.tolerance * (1 + 2.0**-40)
    return {
        "as_printed": int(within.sum()),
        "values": int(within.size),
        "digits": round(float(np.maximum(digits, 0.0).min()), 2),
    }
