"""Cases whose outputs are dot products of random terms, and how their bound judges an output."""

import numpy as np

from tests.support.helpers import make_case
from trt_conformance.core.tensors import NUMPY_TYPE, case_data
from trt_conformance.numerics.bounds.elementwise import bound
from trt_conformance.numerics.compare import compare
from trt_conformance.numerics.reference.result import reference

ROWS = 24


def dots(terms, precision, **fields):
    """A case that is ``ROWS`` sums of so many random products, side by side."""
    given = {
        "input": {"shape": [ROWS, terms, 1, 1], "fill": "uniform", "seed": terms},
        "kernel": {"shape": [1, terms, 1, 1], "fill": "uniform", "seed": terms + 1},
    }
    return make_case(precision=precision, **(given | fields))


def operands(case):
    data = case_data(case)
    x, w = data.input.astype(np.float64), data.kernel.astype(np.float64)
    return x.reshape(len(x), -1), w.reshape(-1)


def judge(case, sums, accumulation="fp32"):
    """Compare emulated sums, written in the case's type, with the reference."""
    result = reference(case)
    actual = np.asarray(sums).astype(NUMPY_TYPE[case.data_type]).reshape(result.output.shape)
    return compare(actual, result.output, bound(case, result, accumulation))


def worst(precision, x, w):
    count = len(w)
    return dots(
        count,
        precision,
        input={"shape": [1, count, 1, 1], "values": x},
        kernel={"shape": [1, count, 1, 1], "values": w},
    )
