"""What kernels on an H200 gave where they round a sum before they add the bias: within that bound, beyond the other."""

from functools import cache

import numpy as np
import pytest

from tests.support.suite import suite_catalog
from trt_conformance.core.paths import ROOT
from trt_conformance.numerics.bounds.basis import basis, bound_on
from trt_conformance.numerics.bounds.elementwise import bound
from trt_conformance.numerics.reference.result import reference
from trt_conformance.results.record.record import read_record

PUBLISHED = ROOT / "reports" / "published"


@cache
def recorded(run):
    return read_record(PUBLISHED / f"2026-11-22-tensorrt-8.6.1-h200-{run}")


@pytest.fixture(scope="module")
def catalog():
    return suite_catalog()


@pytest.mark.parametrize(
    ("run", "case_id", "family"),
    [
        ("latency-modes", "resnet50/stem_n8-fp16", "tensorrt"),
        ("latency-modes", "resnet50/stem_n1-fp16", "torch"),
        ("latency", "resnet50/res2_expand_n1-fp16", "torch"),
        ("latency", "resnet50/res5_expand_n1-fp16", "torch"),
    ],
)
def test_the_bound_for_rounded_sums_holds(catalog, run, case_id, family):
    failed = [v for v in recorded(run).verdicts if (v.case, v.status) == (case_id, "fail")]
    figures = next(verdict.figures for verdict in failed if verdict.target.startswith(family))
    case = catalog.find(case_id)
    rests_on = basis(case, figures["kernel"], figures["ran_in"], rounds_sums=family == "torch")
    assert rests_on == "fp32_rounded"
    shown = figures["evidence"]
    window = tuple(slice(at, at + size) for at, size in zip(shown["offset"], shown["shape"], strict=True))
    result = reference(case)
    actual = np.asarray(shown["actual"], dtype=np.float64).reshape(shown["shape"])
    error = np.abs(actual - result.output[window])
    assert (error > bound(case, result)[window]).any()
    assert (error <= bound_on(case, result, rests_on)[window]).all()
    assert (error / bound_on(case, result, rests_on)[window]).max() > 0.5
