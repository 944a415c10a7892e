"""Right convolutions pass, however they sum and round: the checks raise no false alarm."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from tests.support.helpers import make_case, slow
from tests.support.right import RIGHT, Right
from tests.support.suite import suite_catalog
from trt_conformance.checks.forward import check_forward
from trt_conformance.checks.metamorphic import check_metamorphic
from trt_conformance.checks.metamorphic_cases import choose
from trt_conformance.checks.printed import check_printed
from trt_conformance.checks.relations import check_relation
from trt_conformance.checks.second_input import check_inputs
from trt_conformance.checks.special_values import check_special_values
from trt_conformance.checks.subject import Subject
from trt_conformance.core.case import Case
from trt_conformance.core.runs_in import RunsIn
from trt_conformance.core.tensors import feeds_of
from trt_conformance.core.verdict import Verdict
from trt_conformance.golden.computed import computed_reference
from trt_conformance.mutants.mutant import multiply
from trt_conformance.mutants.scoring import _checks, _Goldens, small
from trt_conformance.targets.engines import Engines
from trt_conformance.targets.numpy import NumpyTarget
from trt_conformance.targets.protocols import EngineFacts, LayerFacts

GOLDEN = _Goldens()


@cache
def cases() -> tuple[Case, ...]:
    return tuple(case for case in small(suite_catalog().cases) if case.reject is None)


def find(case_id: str) -> Case:
    return suite_catalog().find(case_id)


def faults(target: Right, chosen: tuple[Case, ...]) -> tuple[int, list[Verdict]]:
    """The number of verdicts, and those that are faults."""
    engines, verdicts = Engines(target), []
    for case in chosen:
        subject = Subject(case, engines, GOLDEN)
        with np.errstate(all="ignore"):
            verdicts += [check(subject) for _, check in _checks(case, find)]
            if case.special_values:
                verdicts.append(check_special_values(subject))
    return len(verdicts), [verdict for verdict in verdicts if verdict.is_fault]


@pytest.mark.parametrize("precision", ["fp32", "tf32", "fp16", "bf16", "int8"])
def test_they_differ_from_each_other(precision):
    """On this data; which of them coincide depends on the BLAS and the type, but most give bits of their own."""
    own = [right for right in RIGHT if precision in right.precisions]
    given = make_case(
        precision=precision,
        input={"shape": [2, 37, 11, 11], "fill": "uniform"},
        kernel={"shape": [5, 37, 3, 3], "fill": "uniform"},
        bias={"fill": "uniform"},
        **({"quantize": {"input": 0.013, "kernel": [0.007]}} if precision == "int8" else {}),
    )
    assert len({right.name for right in RIGHT}) == len(RIGHT) > 20
    feeds = feeds_of(given)
    outputs = {right.build(given).run(feeds)["output"].tobytes() for right in (*own, NumpyTarget())}
    assert len(outputs) >= {"fp32": 15, "tf32": 15, "fp16": 4, "bf16": 2, "int8": 2}[precision]


@pytest.mark.parametrize("right", RIGHT, ids=lambda right: right.name)
@pytest.mark.parametrize("size", [10, slow(40)])
def test_it_passes_a_sample_of_the_suite(right, size):
    of_its_own = [case for case in cases() if case.precision in right.precisions and right.can(case)]
    count, wrong = faults(right, tuple(of_its_own[:: len(of_its_own) // size + 1]))
    assert count > size / 2
    assert not wrong, "\n".join(verdict.message for verdict in wrong[:3])


@pytest.mark.slow
@pytest.mark.parametrize("right", [r for r in RIGHT if r.kernel], ids=lambda right: right.name)
def test_kernels_with_bounds_of_their_own_pass_the_whole_suite(right):
    of_its_own = tuple(case for case in cases() if case.precision in right.precisions and right.can(case))
    _, wrong = faults(right, of_its_own)
    related = [(name, case) for name, case in choose(of_its_own) if case in of_its_own]
    engines = Engines(right)
    verdicts = [check_metamorphic(Subject(case, engines, GOLDEN), name) for name, case in related]
    wrong += [verdict for verdict in verdicts if verdict.is_fault]
    assert not wrong, "\n".join(verdict.message for verdict in wrong[:3])


WINOGRAD = next(right for right in RIGHT if right.name == "Winograd F(2, 3)")
HALF = next(right for right in RIGHT if right.name == "accumulator FP16")
FFT = next(right for right in RIGHT if right.name == "FFT")


class Unreported(Right):
    """A right convolution whose engine does not say which GPU kernel it runs."""

    def __init__(self, right: Right) -> None:
        super().__init__(right.name, right.mutant.multiply, right.precisions, None, can=right.can)


@pytest.mark.parametrize(
    ("case_id", "right"), [("padding_nd/h1_w1-fp32", WINOGRAD), ("example/float32_digits-tf32", WINOGRAD)]
)
def test_printed_values_allow_what_the_gpu_kernel_does_and_no_more(case_id, right):
    case = find(case_id)
    assert check_printed(Subject(case, Engines(right), GOLDEN)).status == "pass"
    assert check_printed(Subject(case, Engines(Unreported(right)), GOLDEN)).status == "fail"


ROUNDED = {
    "input": {"shape": [1, 64, 6, 6], "fill": "uniform", "seed": 1},
    "kernel": {"shape": [4, 64, 3, 3], "fill": "uniform", "seed": 2},
}


@pytest.mark.parametrize(
    ("case", "right"),
    [(find("padding_nd/h1_w1-fp32"), WINOGRAD), (make_case(precision="fp16", **ROUNDED), HALF)],
    ids=["winograd", "float16 accumulator"],
)
@pytest.mark.parametrize("check", [check_forward, check_inputs])
def test_a_first_and_a_second_input_allow_what_the_gpu_kernel_does_and_no_more(case, right, check):
    assert check(Subject(case, Engines(right), computed_reference)).status == "pass"
    assert check(Subject(case, Engines(Unreported(right)), computed_reference)).status == "fail"


def test_a_units_digit_may_be_that_of_any_result_within_the_bound():
    """The bound of F(2, 3) in TF32 is wider than ten units here, so nothing fails. That of direct sums is not."""
    case = find("example/units_digit-tf32")
    (relation,) = (r for r in case.relations if r.kind == "units_digit")

    def status(target: Right) -> str:
        return check_relation(Subject(case, Engines(target), GOLDEN), relation, find).status

    assert status(WINOGRAD) == "pass"
    direct = case.model_copy(update={"precision": "fp32", "id": "example/units_digit-fp32"})
    off = Right("off", lambda x, kernel, attributes, case: multiply(x, kernel, attributes, case) + 1)
    verdict = check_relation(Subject(direct, Engines(off), GOLDEN), relation, find)
    assert verdict.status == "fail"
    assert "units digit" in verdict.message


QUANTIZED = {
    "int8": {"quantize": {"input": 0.0625, "kernel": [0.03125, 0.0625, 0.125, 0.25]}},
    "fp8": {"quantize": {"input": 0.0625, "kernel": [0.25]}},
    "int8 between halves": {"quantize": {"input": 0.0625, "kernel": [0.03125], "between": "float16"}},
    "int8, quantized output": {"quantize": {"input": 0.0625, "kernel": [0.03125], "output": 0.5}},
}


def without_a_channel(right: Right) -> Right:
    """The same kernel, without the products of one channel for one map."""

    def total(x, kernel, attributes, case):
        fewer = kernel.copy()
        fewer[2, 1] = 0
        return right.mutant.multiply(x, fewer, attributes, case)

    return Right("without", total, right.precisions, right.kernel, can=right.can)


@pytest.mark.parametrize("right", [WINOGRAD, FFT], ids=lambda right: right.name)
@pytest.mark.parametrize("given", QUANTIZED)
def test_quantized_layers_allow_what_a_transform_does_and_no_more(right, given):
    case = make_case(
        precision=given[:4].strip(" ,"),
        input={"shape": [2, 3, 9, 8], "fill": "uniform", "seed": 1},
        kernel={"shape": [4, 3, 3, 3], "fill": "uniform", "seed": 2},
        bias={"fill": "uniform", "seed": 3},
        **QUANTIZED[given],
    )
    verdict = check_forward(Subject(case, Engines(right), computed_reference))
    assert verdict.status == "pass", verdict.message
    assert verdict.figures["bound_for"] in ("winograd", "fft")
    assert check_forward(Subject(case, Engines(without_a_channel(right)), computed_reference)).status == "fail"


def test_errors_of_a_transform_fail_where_no_quantized_kernel_declares_one():
    case = make_case(
        precision="int8",
        input={"shape": [1, 16, 40, 40], "fill": "uniform", "seed": 1},
        kernel={"shape": [4, 16, 3, 3], "fill": "uniform", "seed": 2},
        quantize={"input": 0.0078125, "kernel": [0.0078125]},
    )
    assert check_forward(Subject(case, Engines(FFT), computed_reference)).status == "pass"
    assert check_forward(Subject(case, Engines(Unreported(FFT)), computed_reference)).status == "fail"


EXACT = {
    "input": {"shape": [2, 2, 9, 8], "fill": "ternary", "seed": 1},
    "kernel": {"shape": [4, 2, 3, 3], "fill": "ternary", "seed": 2},
    "exact": True,
}


def off_by(amount: float) -> Right:
    """A Winograd kernel with one element that is off by this amount."""

    def changed(y: np.ndarray, case: Case) -> np.ndarray:
        wrong = np.round(y.astype(np.float64))
        wrong[-1, 2, 3, 4] += amount
        return wrong.astype(y.dtype)

    target = Right("off", WINOGRAD.mutant.multiply, kernel=WINOGRAD.kernel)
    target.mutant = replace(target.mutant, output=changed)
    return target


@pytest.mark.parametrize(("precision", "little"), [("fp32", 0.01), ("tf32", 0.1875), ("fp16", 0.1875)])
def test_a_transform_may_err_by_a_quarter_of_the_grain_of_an_exact_case(precision, little):
    """A wrong product errs by the grain at least, 1 here."""
    case = make_case(**EXACT, precision=precision)
    assert check_forward(Subject(case, Engines(off_by(little)), computed_reference)).status == "pass"
    verdict = check_forward(Subject(case, Engines(off_by(0.5)), computed_reference))
    assert verdict.status == "fail"
    assert verdict.figures["bound_for"] == "winograd"


@pytest.mark.parametrize("amount", [0.25, 1.0])
def test_a_relation_between_outputs_allows_the_error_of_a_transform_and_no_more(amount):
    case = make_case(**EXACT)
    for name in ("identical_rows", "sum_of_inputs", "multiple_of_input", "batch_of_one"):
        assert check_metamorphic(Subject(case, Engines(off_by(0.0)), computed_reference), name).status == "pass"
    verdict = check_metamorphic(Subject(case, Engines(off_by(4 * amount)), computed_reference), "identical_rows")
    assert verdict.status == "fail"


def test_where_a_transform_spreads_a_nan_to_every_output_is_no_fault():
    case = find("special_values/three_d-fp32")
    whole = next(right for right in RIGHT if right.name == "Winograd F(6, 3)")
    assert check_special_values(Subject(case, Engines(whole), computed_reference)).status == "pass"
    verdict = check_special_values(Subject(case, Engines(Unreported(whole)), computed_reference))
    assert verdict.status == "fail"
    assert "leaves no output finite" in verdict.message


class Reporting(NumpyTarget):
    """Says in which precision it ran."""

    name = "reporting"

    def __init__(self, ran: str) -> None:
        self.ran = ran

    def build(self, case):
        engine = super().build(case)
        layer = LayerFacts("conv", "CaskConvolution", "", (), ())
        engine.describe = lambda: EngineFacts((layer,), layer, self.ran)
        return engine


def test_a_large_case_is_judged_by_the_precision_that_ran():
    case = make_case(
        large=True,
        precision="fp16",
        input={"shape": [5, 2, 7, 6], "fill": "uniform", "seed": 3},
        kernel={"shape": [3, 2, 3, 3], "fill": "uniform", "seed": 4},
    )
    assert check_forward(Subject(case, Engines(Reporting("fp16")), computed_reference)).status == "pass"
    fallback = check_forward(Subject(case, Engines(Reporting("fp32")), computed_reference))
    assert fallback.status == "fallback"
    assert "ran in fp32, not in fp16" in fallback.message
    demanding = case.model_copy(update={"runs_in": "fp16"})
    assert check_forward(Subject(demanding, Engines(Reporting("fp32")), computed_reference)).status == "fail"


def test_precisions_that_are_demanded_of_some_targets_are_judged_on_them():
    case = make_case(
        precision="fp16",
        input={"shape": [5, 2, 7, 6], "fill": "uniform", "seed": 3},
        kernel={"shape": [3, 2, 3, 3], "fill": "uniform", "seed": 4},
    )
    target = Reporting("fp32").name
    for glob, names, ran, status in (
        (target, ("fp32",), "fp32", "pass"),
        (target, ("bf16", "fp32"), "fp32", "pass"),
        (target, ("bf16", "fp32"), "fp16", "fail"),
        ("another-*", ("bf16",), "fp32", "fallback"),
        ("another-*", ("bf16",), "fp16", "pass"),
    ):
        stated = case.model_copy(update={"runs_in": RunsIn(on={glob: names, "*-other": ("fp8",)})})
        found = check_forward(Subject(stated, Engines(Reporting(ran)), computed_reference))
        assert found.status == status, (glob, names, ran)
        if status == "fail":
            assert "ran in fp16, not in bf16 or fp32" in found.message
