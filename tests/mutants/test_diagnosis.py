"""A wrong output is explained by the mutant that gives it; one that is right up to rounding, or unknown, is not."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.diagnosed import BY_NAME, FLOAT
from tests.support.helpers import make_case
from tests.support.suite import suite_catalog
from trt_conformance.checks.forward import check_forward
from trt_conformance.checks.message import as_if
from trt_conformance.checks.second_input import check_inputs
from trt_conformance.checks.subject import Subject
from trt_conformance.core.tensors import OUTPUT, feeds_of
from trt_conformance.golden.computed import computed_reference
from trt_conformance.mutants import UNMUTATED, Mutant, MutantTarget
from trt_conformance.mutants.diagnosis import MOST_PRODUCTS, MOST_WORK, OTHERS, OVERHEAD, diagnosis
from trt_conformance.numerics.reference.result import reference
from trt_conformance.targets.engines import Engines
from trt_conformance.targets.numpy import NumpyTarget

INT8 = FLOAT | {"precision": "int8", "quantize": {"input": 0.013, "kernel": [0.007]}, "weights": "set_input"}


def output_of(case, name):
    return MutantTarget(BY_NAME[name]).build(case).run(feeds_of(case))[OUTPUT]


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        (FLOAT, "stride_h_w_swapped"),
        (FLOAT, "kernel_flipped"),
        (FLOAT, "bias_dropped"),
        (FLOAT | {"precision": "fp16"}, "groups_use_next_kernel"),
        (FLOAT | {"precision": "tf32"}, "last_channel_not_summed"),
        (INT8, "int8_kernel_neither_rounded_nor_saturated"),
        (INT8, "int8_kernel_toward_zero"),
    ],
)
def test_a_mutant_is_recognized_by_its_output(fields, name):
    case = make_case(**fields)
    found = diagnosis(case, 0, output_of(case, name), reference(case))
    assert name in [mutant.name for mutant in found]
    assert len(found) <= 3


@pytest.mark.parametrize("name", ["implicit_kernel_ties_away", "implicit_kernel_ties_to_even"])
def test_how_an_implicitly_quantized_kernel_was_rounded_is_recognized(name):
    case = suite_catalog().find("precision/kernel_ties-int8")
    found = diagnosis(case, 0, output_of(case, name), reference(case))
    assert [mutant.name for mutant in found] == [name]


def test_what_is_right_but_for_rounding_is_no_mutant():
    case = make_case(**FLOAT)
    right = reference(case).output
    assert diagnosis(case, 0, (right * (1 + 2.0**-22)).astype(np.float32), reference(case)) == ()


def test_an_unknown_fault_is_not_explained():
    case = make_case(**FLOAT)
    wrong = reference(case).output.astype(np.float32)
    wrong[0, 3, 1, 1] += 1
    assert diagnosis(case, 0, wrong, reference(case)) == ()
    assert diagnosis(case, 0, np.full_like(wrong, np.nan), reference(case)) == ()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("mode", ["SAME_UPPER", "EXPLICIT_ROUND_UP"])
def test_one_element_that_is_not_finite_is_not_explained(value, mode):
    """Mutants that read what lies behind the input give such elements too."""
    case = make_case(set={"padding_mode": mode, "stride_nd": [2, 2]})
    wrong = reference(case).output.astype(np.float32)
    wrong.flat[0] = value
    assert diagnosis(case, 0, wrong, reference(case)) == ()


def test_of_many_images_one_is_enough_for_what_arithmetic_explains(monkeypatch):
    case = make_case(**INT8)
    result = reference(case)
    monkeypatch.setattr("trt_conformance.mutants.diagnosis.MOST_PRODUCTS", result.output.size * result.terms - 1)
    wrong = output_of(case, "int8_kernel_toward_zero")
    assert [mutant.name for mutant in diagnosis(case, 0, wrong, result)] == ["int8_kernel_toward_zero"]
    flipped = output_of(case, "kernel_flipped")
    assert diagnosis(case, 0, flipped, result) == ()
    monkeypatch.undo()
    assert "kernel_flipped" in [mutant.name for mutant in diagnosis(case, 0, flipped, result)]


def names(found):
    return [mutant.name for mutant in found]


def test_a_name_explains_every_image(monkeypatch):
    case = make_case(**INT8)
    result = reference(case)
    wrong = output_of(case, "int8_kernel_toward_zero")
    assert names(diagnosis(case, 0, wrong, result)) == ["int8_kernel_toward_zero"]
    other = 1 - np.abs(wrong - result.output).reshape(2, -1).max(axis=1).argmax()
    wrong[other, 0, 0, 0] += np.abs(wrong - result.output).max() / 2
    for most in (MOST_PRODUCTS, result.output.size * result.terms - 1):
        monkeypatch.setattr("trt_conformance.mutants.diagnosis.MOST_PRODUCTS", most)
        assert diagnosis(case, 0, wrong, result) == ()


@pytest.mark.parametrize("precision", ["fp32", "tf32", "fp16", "bf16"])
def test_a_name_leaves_little_of_the_error_unexplained(precision):
    """Twice the error of a mutant is not that mutant, however small it is compared with the largest output."""
    case = make_case(**FLOAT | {"precision": precision, "bias": {"values": [0.05] * 8}})
    right, dropped = reference(case).output, output_of(case, "bias_dropped")
    farther = (2 * dropped.astype(np.float64) - right).astype(dropped.dtype)
    assert "bias_dropped" not in names(diagnosis(case, 0, farther, reference(case)))


class Conditional(MutantTarget):
    """One mutant for the case's own input, and another for every other input."""

    def __init__(self, first, second):
        super().__init__(BY_NAME[first])
        self.second = BY_NAME[second]

    def build(self, case):
        engine, other = super().build(case), self.second.on(case)
        run, own = engine.run, feeds_of(case)["input"].tobytes()
        engine.run = lambda feeds: (run if feeds["input"].tobytes() == own else other.run)(feeds)
        return engine


@pytest.mark.parametrize(("second", "named"), [("bias_dropped", True), ("kernel_flipped", False)])
def test_a_name_survives_a_second_input(second, named):
    target = Engines(Conditional("bias_dropped", second))
    verdict = check_forward(Subject(make_case(**FLOAT), target, computed_reference, diagnosis))
    assert verdict.status == "fail"
    assert ("bias_dropped" in verdict.figures["as_if"]) == named, verdict.message


def test_several_names_are_counted_and_symptoms_come_first():
    lines = as_if([BY_NAME["bias_dropped"], BY_NAME["kernel_flipped"], BY_NAME["last_row_zero"]])
    assert lines[0] == "symptom: the last row is zero (last_row_zero)"
    assert lines[1] == "2 known wrong convolutions give this output:"
    assert len(lines) == 4
    assert as_if([BY_NAME["bias_dropped"]]) == [f"as if: {BY_NAME['bias_dropped'].doc} (bias_dropped)"]


def test_a_symptom_is_not_named_as_a_cause():
    case = make_case(**FLOAT)
    verdict = check_forward(
        Subject(case, Engines(MutantTarget(BY_NAME["last_column_zero"])), computed_reference, diagnosis)
    )
    assert "symptom: the last column is zero (last_column_zero)" in verdict.message
    assert "as if: the last column is zero" not in verdict.message
    assert "last_column_zero" not in verdict.figures["as_if"]


@pytest.mark.parametrize("name", ["dilation_one_more", "padding_twice", "output_flat"])
def test_a_wrong_shape_is_explained(name):
    case = make_case(**FLOAT)
    verdict = check_forward(Subject(case, Engines(MutantTarget(BY_NAME[name])), computed_reference, diagnosis))
    assert verdict.status == "fail"
    assert "output.shape is" in verdict.message
    assert name in verdict.figures["as_if"]


def test_a_wrong_shape_that_no_mutant_gives_has_no_name():
    case = make_case(**FLOAT)
    wrong = reference(case).output.astype(np.float32)[..., :-2, :-1] + 1
    assert diagnosis(case, 0, wrong, reference(case)) == ()
    assert diagnosis(case, 0, wrong[:0], reference(case)) == ()


@pytest.mark.parametrize("step", ["add", "concat"])
def test_a_wrong_output_followed_by_the_input_is_explained(step):
    case = make_case(
        input={"shape": [2, 4, 6, 6], "fill": "uniform_20_bits"},
        kernel={"shape": [4, 4, 3, 3], "fill": "uniform_20_bits"},
        bias={"fill": "uniform_20_bits"},
        set={"padding_nd": [1, 1]},
        epilogue=[{"op": step}],
    )
    verdict = check_forward(
        Subject(case, Engines(MutantTarget(BY_NAME["bias_dropped"])), computed_reference, diagnosis)
    )
    assert verdict.status == "fail"
    assert "bias_dropped" in verdict.figures["as_if"]


@pytest.mark.parametrize("name", ["fp32_input_in_fp16", "kernel_flipped"])
@pytest.mark.parametrize("join", [{"prologue": [{"op": "concat"}]}, {"epilogue": [{"op": "add", "of": "addend"}]}])
def test_a_wrong_output_of_a_network_with_an_addend_is_explained(name, join):
    channels = 4 if "prologue" in join else 2
    case = make_case(
        input={"shape": [2, 2, 6, 6], "fill": "uniform_20_bits"},
        addend={"shape": [2, 2, 6, 6], "fill": "uniform_20_bits", "seed": 5},
        kernel={"shape": [2, channels, 3, 3], "fill": "uniform_20_bits", "seed": 3},
        set={"padding_nd": [1, 1]},
        **join,
    )
    verdict = check_forward(Subject(case, Engines(MutantTarget(BY_NAME[name])), computed_reference, diagnosis))
    assert verdict.status == "fail"
    assert name in verdict.figures["as_if"], verdict.message


def test_a_large_output_is_not_explained():
    case = make_case(**FLOAT)
    result = reference(case)
    many = np.zeros(MOST_PRODUCTS // result.terms + 1, dtype=np.float32)
    assert diagnosis(case, 0, many, result) == ()


@pytest.mark.parametrize("fault", [ValueError("shapes"), KeyError("x"), MemoryError(), RuntimeWarning("overflow")])
def test_a_mutant_that_breaks_down_explains_nothing_and_stops_no_other(monkeypatch, fault):
    def broken(y, case):
        raise fault

    case = make_case(**FLOAT)
    wrong = output_of(case, "bias_dropped")
    first = (replace(UNMUTATED, name="broken", output=broken), *OTHERS)
    monkeypatch.setattr("trt_conformance.mutants.diagnosis.OTHERS", first)
    assert "bias_dropped" in [mutant.name for mutant in diagnosis(case, 0, wrong, reference(case))]


def work_of(monkeypatch, case):
    """The mutants that a diagnosis of an unknown wrong output runs, and a lower bound of their work."""
    runs = []
    right = Mutant.on

    def counted(mutant, case):
        runs.append(mutant)
        return right(mutant, case)

    monkeypatch.setattr(Mutant, "on", counted)
    result = reference(case)
    wrong = result.output.astype(np.float32)
    wrong.flat[0] += 1e9
    assert diagnosis(case, 0, wrong, result) == ()
    return runs, sum(mutant.passes(case) for mutant in runs) * OVERHEAD


def test_a_kernel_of_many_terms_is_diagnosed_without_the_mutants_that_sum_each_term_in_a_pass(monkeypatch):
    """These two mutants alone took 18 minutes."""
    window = {"shape": [1, 1, 316, 316], "fill": "uniform_20_bits"}
    runs, work = work_of(monkeypatch, make_case(input=window, kernel=window))
    assert work <= MOST_WORK
    assert len(runs) > 100
    assert not {"fp32_sums_in_fp16", "fp32_sums_in_bf16"} & {mutant.name for mutant in runs}


def test_the_work_of_a_diagnosis_is_bounded(monkeypatch):
    case = make_case(**FLOAT)
    every, whole = work_of(monkeypatch, case)
    monkeypatch.undo()
    monkeypatch.setattr("trt_conformance.mutants.diagnosis.MOST_WORK", whole // 2)
    some, part = work_of(monkeypatch, case)
    assert part <= whole // 2
    assert 0 < len(some) < len(every)
    assert {"fp32_sums_in_fp16", "fp32_sums_in_bf16"} <= {mutant.name for mutant in every}


@pytest.mark.parametrize("check", [check_forward, check_inputs])
def test_a_verdict_says_it(check):
    case = make_case(**FLOAT)
    wrong = Engines(MutantTarget(BY_NAME["bias_dropped"]))
    verdict = check(Subject(case, wrong, computed_reference, diagnosis))
    assert verdict.status == "fail"
    assert f"as if: {BY_NAME['bias_dropped'].doc} (bias_dropped)" in verdict.message
    assert "as if" not in check(Subject(case, wrong, computed_reference)).message
    assert check(Subject(case, Engines(NumpyTarget()), computed_reference, diagnosis)).status == "pass"
