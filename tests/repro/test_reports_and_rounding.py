"""Programs that judge the errors of an output together, and programs that read what an engine reports about itself."""

from __future__ import annotations

import re

import numpy as np
import pytest

from tests.support.programs import exit_codes, failure_on, run_program
from tests.support.suite import suite_case, suite_catalog
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.tensors import case_data
from trt_conformance.numerics.reference.result import reference
from trt_conformance.numerics.rounding import SIGMAS, errors
from trt_conformance.repro.program import program

TOGETHER = [
    "rounding/zeros-fp32",
    "rounding/zeros-tf32",
    "rounding/zeros-fp16",
    "rounding/zeros-bf16",
    "rounding/small_onto_large-fp32",
    "rounding/mixed_onto_large_float16-fp16",
]


def errors_of(case, **figures):
    """A failure of the check `rounding`: each element is within its bound."""
    message = "rounding is toward 0: by 9.1 sigma\n  1760 elements; each is within its bound"
    return failure_on(case, message, check="rounding", figures={"bound_for": "fp32", "rounding": {}} | figures)


@pytest.mark.parametrize(("fault", "code"), [("", 0), ("toward_zero", 1), ("refused", 1)])
def test_errors_that_do_not_cancel_are_shown(fault, code, tmp_path):
    programs = {name: program(suite_case(name), errors_of(suite_case(name))) for name in TOGETHER}
    assert exit_codes(programs, tmp_path, fault) == dict.fromkeys(TOGETHER, code)


@pytest.mark.parametrize("case_id", TOGETHER)
def test_a_program_computes_the_deviations_of_the_check(case_id, tmp_path):
    case = suite_case(case_id)
    data, result = case_data(case), reference(case)
    bits = {"float32": 12, "float16": 9, "bfloat16": 6}[case.data_type]
    mantissa, exponent = np.frexp(result.output)
    actual = np.ldexp(np.trunc(np.ldexp(mantissa, bits)), exponent - bits).astype(data.input.dtype)
    wanted = errors(case, data, actual, "fp32")
    assert wanted is not None and wanted.worst > SIGMAS
    _, output = run_program(program(case, errors_of(case)), tmp_path, fault="toward_zero")
    found = re.search(r"one-sided by (\S+), away from 0 by (\S+), too large by (\S+)", output)
    assert found is not None, output
    # the fake TensorRT sums in another order
    given = [float(number) for number in found.groups()]
    assert given == pytest.approx([wanted.mean, wanted.outward, wanted.size], rel=0.02, abs=0.02)


def test_rounding_before_the_bias_and_half_accumulators_have_their_own_variance():
    case = suite_case("rounding/zeros-fp16")
    text = {basis: program(case, errors_of(case, bound_for=basis)) for basis in ("fp32", "fp16", "fp32_rounded")}
    assert [text[basis].count("half_unit(total)") for basis in text] == [0, 0, 1]
    assert [text[basis].count("(2.0**-11 * partial)") for basis in text] == [0, 1, 0]
    with pytest.raises(ConformanceError, match="not known how the errors of a winograd kernel add up"):
        program(case, errors_of(case, bound_for="winograd"))


def test_an_element_beyond_its_bound_is_shown_as_one(tmp_path):
    case = suite_case("rounding/zeros-fp32")
    failure = failure_on(case, "1/1760 elements beyond the bound", check="rounding")
    assert failure.shows == "values"
    assert run_program(program(case, failure), tmp_path, fault="")[0] == 0


REPORTS = [case.id for case in suite_catalog().cases if case.expect.engine is not None]


def report_of(case):
    return failure_on(case, "num_optimization_profiles is 2, but should be 1", check="engine", phase="run")


@pytest.mark.parametrize(("fault", "code"), [("", 0), ("misreported", 1)])
def test_what_an_engine_reports_is_shown(fault, code, tmp_path):
    assert len(REPORTS) >= 12
    programs = {name: program(suite_case(name), report_of(suite_case(name))) for name in REPORTS}
    assert exit_codes(programs, tmp_path, fault) == dict.fromkeys(REPORTS, code)


SAID = {
    "engine_facts/linear-fp32": [
        "format of the input: expected LINEAR, actual DHWC8",
        "dtype of the output: expected FLOAT, actual UINT8",
        "refittable: expected False, actual True",
    ],
    "engine_facts/two_profiles-fp32": ["num_optimization_profiles: expected 2, actual 3"],
    "engine_facts/batch_minus_one-fp32": [
        "shape of the input: expected (-1, 4, 6, 9), actual (-1, 4, 6, 9)",
        "shapes of input and output in run 1: expected ((4, 4, 6, 9), (4, 8, 4, 7)), "
        "actual ((4, 4, 6, 10), (4, 8, 4, 7))",
    ],
    "engine_facts/inspector-fp16": [
        "OutMaps of the inspector: expected 8, actual 9",
        "PostPadding of the inspector: expected [2, 1], actual [2, 1]",
    ],
    "builder_options/sparse_eligible-fp16": ["eligible for sparse math: expected True, actual False"],
    "precision/prefer_int8-int8": ["constraints obeyed: expected False, actual True"],
}


@pytest.mark.parametrize("case_id", SAID)
def test_each_report_is_printed_with_what_it_should_be(case_id, tmp_path):
    case = suite_case(case_id)
    code, output = run_program(program(case, report_of(case)), tmp_path, fault="misreported")
    assert code == 1
    for line in SAID[case_id]:
        assert line in output.splitlines(), output
