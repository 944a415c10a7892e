"""What rounds otherwise than to nearest fails, though each element is within its bound; what rounds rightly passes."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.helpers import make_case
from tests.support.right import RIGHT, Reports, Right
from tests.support.suite import suite_catalog
from trt_conformance.catalog.lint.case import lint_case
from trt_conformance.checks.forward import check_forward
from trt_conformance.checks.rounding import check_rounding
from trt_conformance.checks.subject import Subject
from trt_conformance.core.case import Case
from trt_conformance.core.tensors import OUTPUT
from trt_conformance.mutants import MUTANTS, MutantTarget
from trt_conformance.mutants.mutant import UNMUTATED, multiply
from trt_conformance.numerics.reference.result import Result, reference
from trt_conformance.targets.engines import Engines
from trt_conformance.targets.numpy import NumpyTarget

BY_NAME = {mutant.name: mutant for mutant in MUTANTS}
CASES = {case.base_id.partition("/")[2] + "-" + case.precision: case for case in suite_catalog().cases if case.rounding}
KNOWN: dict[str, Result] = {}


def golden(case: Case, index: int) -> Result:
    if case.id not in KNOWN:
        KNOWN[case.id] = reference(case)
    return KNOWN[case.id]


def subject(case: Case, target: object) -> Subject:
    return Subject(case, Engines(target), golden)


@pytest.mark.parametrize(
    ("mutant", "case"),
    [
        ("fp32_input_in_tf32", "terms_2880-fp32"),
        ("fp32_kernel_in_tf32", "terms_2880_uniform-fp32"),
        ("fp32_sums_truncated", "one_sign-fp32"),
        ("fp32_sums_truncated", "mixed_onto_large-fp32"),
        ("fp32_sums_truncated", "terms_2880-fp32"),
        ("fp32_sums_floored", "wide_range-fp32"),
        ("fp32_sums_raised", "near_overflow-fp32"),
        ("fp32_sums_outward", "zeros-fp32"),
        ("fp32_sums_ties_away", "ties-fp32"),
        ("fp32_without_sticky_bits", "one_sign-fp32"),
        ("fp16_output_ties_away", "ties_float16-fp16"),
        ("bf16_output_ties_away", "ties_bfloat16-bf16"),
        ("tf32_operands_floored", "small_onto_large-tf32"),
        ("tf32_kernel_floored", "wide_range-tf32"),
        ("tf32_operands_outward", "one_sign-tf32"),
        ("fp32_bias_in_tf32", "zeros-fp32"),
    ],
)
def test_it_fails_though_each_element_is_within_its_bound(mutant, case):
    wrong = MutantTarget(BY_NAME[mutant])
    assert check_forward(subject(CASES[case], wrong)).status == "pass"
    verdict = check_rounding(subject(CASES[case], wrong))
    assert verdict.status == "fail"
    assert "sigma" in verdict.message
    assert "each is within its bound" in verdict.message


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_a_truncated_output_is_named_as_such(precision):
    """Its errors may also be within the bound: they are where a sum is."""
    case = CASES[f"one_sign-{precision}"]

    class Cut(NumpyTarget):
        def build(self, case):
            engine = super().build(case)
            right = engine.run

            def run(feeds):
                y = right(feeds)[OUTPUT]
                larger = np.abs(y.astype(np.float64)) > np.abs(reference(case).real)
                bits = y.view(np.uint16)
                return {OUTPUT: np.where(larger, bits - 1, bits).astype(np.uint16).view(y.dtype)}

            engine.run = run
            return engine

    verdict = check_rounding(subject(case, Cut()))
    assert verdict.status == "fail"


RIGHT_HERE = [right for right in RIGHT if any(case.precision in right.precisions for case in CASES.values())]


def wrong_verdicts(right: Right, cases: list[Case]) -> tuple[int, list[str]]:
    verdicts = [
        check_rounding(subject(case, right)) for case in cases if case.precision in right.precisions and right.can(case)
    ]
    return len(verdicts), [verdict.message for verdict in verdicts if verdict.status != "pass"]


@pytest.mark.parametrize("right", RIGHT_HERE, ids=lambda right: right.name)
def test_what_rounds_rightly_passes_a_sample(right):
    own = [case for case in CASES.values() if case.precision in right.precisions]
    _, wrong = wrong_verdicts(right, own[::7])
    assert not wrong


@pytest.mark.slow
def test_what_rounds_rightly_passes_every_data_set():
    counts = {}
    for right in RIGHT_HERE:
        counts[right.name], wrong = wrong_verdicts(right, list(CASES.values()))
        assert not wrong, f"{right.name}: {wrong[0]}"
    assert sum(count > 0 for count in counts.values()) >= 20


def test_a_transform_is_not_judged():
    case = make_case(
        rounding=True,
        input={"shape": [1, 2, 20, 20], "fill": "uniform"},
        kernel={"shape": [2, 2, 3, 3], "fill": "uniform"},
    )
    winograd = Right("a transform", multiply, kernel="ampere_scudnn_winograd_128x128")
    verdict = check_rounding(subject(case, winograd))
    assert (verdict.status, verdict.message) == (
        "not run",
        "it is not known how the errors of a winograd kernel add up",
    )
    assert isinstance(winograd.build(case), Reports)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda y: y + 1, "elements beyond the bound"),
        (lambda y: y[:1], "output.shape is"),
        (lambda y: np.full_like(y, np.nan), "elements beyond the bound"),
    ],
)
def test_what_is_beyond_its_bound_or_misshapen_fails(change, line):
    class Changed(NumpyTarget):
        def build(self, case):
            engine = super().build(case)
            right = engine.run
            engine.run = lambda feeds: {OUTPUT: change(right(feeds)[OUTPUT])}
            return engine

    verdict = check_rounding(subject(CASES["zeros-fp32"], Changed()))
    assert verdict.status == "fail"
    assert line in verdict.message


def test_figures_of_a_verdict():
    verdict = check_rounding(subject(CASES["zeros-tf32"], MutantTarget(UNMUTATED)))
    assert verdict.status == "pass"
    assert verdict.figures["rounding"]["reads"] == "input truncated, kernel truncated"
    assert verdict.figures["rounding"]["elements"] == 1760


RANDOM = {
    "source": "a test",
    "rounding": True,
    "input": {"shape": [1, 2, 20, 20], "fill": "octaves", "exponents": [0, 0]},
    "kernel": {"shape": [2, 2, 3, 3], "fill": "octaves", "exponents": [0, 0]},
}


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"precision": "int8", "quantize": {"input": 1.0, "kernel": [1.0]}, "weights": "set_input"}, "not int8"),
        ({"builder": {"flags": ["FP16"]}, "typing": "weak"}, "no flag may allow another precision"),
        ({"epilogue": [{"op": "relu"}]}, "without prologue or epilogue"),
        ({"kernel": {"shape": [1, 1, 1, 2], "values": [1, 2]}}, "the kernel needs a fill"),
        ({"input": {"shape": [1, 2, 4, 4], "fill": "octaves", "exponents": [0, 0]}}, "8 outputs are too few"),
        ({"input": {"shape": [1, 2, 20, 20], "fill": "octaves"}}, "input.exponents is missing"),
        ({"input": {"shape": [1, 2, 20, 20], "fill": "uniform", "exponents": [0, 1]}}, "only octaves"),
        ({"input": {"shape": [1, 2, 20, 20], "fill": "octaves", "exponents": [2, 1]}}, "is larger than the highest"),
        (
            {"precision": "fp16", "input": {"shape": [1, 2, 20, 20], "fill": "octaves", "exponents": [0, 15]}},
            "beyond the range of float16",
        ),
    ],
)
def test_lint_refuses_what_does_not_tell_how_a_target_rounds(fields, fault):
    if "kernel" in fields:
        fields = fields | {"input": {"shape": [1, 1, 20, 20], "fill": "octaves", "exponents": [0, 0]}}
    problems = [text for _, text in lint_case(make_case(**RANDOM | fields))]
    assert any(fault in text for text in problems), problems
    assert [*lint_case(make_case(**RANDOM))] == []
