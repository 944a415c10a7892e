"""The diagnosis of an output of which only a part is wrong."""

import numpy as np
import pytest

from tests.support.diagnosed import BY_NAME, FLOAT
from tests.support.helpers import make_case
from trt_conformance.core.case import TensorSpec
from trt_conformance.core.tensors import OUTPUT, case_data, feeds_of
from trt_conformance.mutants import Mutant, MutantTarget
from trt_conformance.mutants.diagnosis import diagnosis
from trt_conformance.mutants.parts import part_of, within
from trt_conformance.numerics.reference.result import reference

EVERY = slice(None)


def without(case, index, part=EVERY, sign=-1):
    """The output without the products of some weights, or with these twice, in a part of it."""
    kernel = case_data(case).kernel
    some = np.zeros_like(kernel)
    some[index] = kernel[index]
    y = reference(case).output
    more = reference(case.model_copy(update={"kernel": values_of(some), "bias": "none"})).output
    y[part] += sign * more[part]
    return y.astype(case_data(case).input.dtype)


def values_of(tensor):
    return TensorSpec(shape=tensor.shape, values=tuple(tensor.ravel().tolist()))


@pytest.mark.parametrize("precision", ["fp32", "tf32", "fp16", "bf16"])
@pytest.mark.parametrize(
    ("index", "part", "sign", "said"),
    [
        ((EVERY, 4), EVERY, -1, "channel 4 of each group are missing"),
        ((EVERY, slice(5, None)), EVERY, 1, "channels 5 to 6 of each group count twice"),
        ((..., 1), (..., 3), -1, "tap 1 along W are missing, in column 3"),
        ((..., 0, EVERY), (EVERY, 2), -1, "tap 0 along H are missing, in output map 2"),
        ((..., [0, 2], [1, 0]), EVERY, -1, "2 of 6 taps, the first at (0, 0, 1) are missing"),
    ],
)
def test_products_that_are_missing_or_count_twice_are_named(precision, index, part, sign, said):
    fields = {"input": {"shape": [2, 7, 9, 8], "fill": "exact_integers"}, "set": {"padding_nd": [1, 0]}}
    case = make_case(precision=precision, kernel={"shape": [3, 7, 3, 2], "fill": "exact_integers"}, **fields)
    found = diagnosis(case, 0, without(case, index, part, sign), reference(case))
    assert f"the products of {said}" in [mutant.doc for mutant in found]
    assert len(found) == 1


def test_products_that_are_missing_in_one_input_only_are_not_named():
    case = make_case(**FLOAT)
    (named,) = diagnosis(case, 0, without(case, (..., 1)), reference(case))
    assert named.name == "taps_missing"
    x = case_data(case).input[..., ::-1]
    other = case.model_copy(update={"input": values_of(x)})
    assert diagnosis(other, 0, without(other, (..., 1)), reference(other), [named], x) == (named,)
    assert diagnosis(other, 0, without(other, (..., 0)), reference(other), [named], x) == ()


@pytest.mark.parametrize(
    ("index", "part"),
    [((slice(None), slice(3, None)), ", in output maps 3 to 7"), ((..., slice(1, None, 2)), ", in columns 1, 3")],
    ids=["maps", "columns"],
)
@pytest.mark.parametrize("name", ["bias_dropped", "bias_twice", "input_channels_reversed"])
def test_a_known_fault_in_a_part_of_the_output_is_named_with_the_part(index, part, name):
    case = make_case(**FLOAT)
    result = reference(case)
    known = BY_NAME[name]
    actual = result.output.astype(np.float32)
    actual[index] = MutantTarget(known).build(case).run(feeds_of(case))[OUTPUT][index]
    said = {named.name: named.doc for named in diagnosis(case, 0, actual, result)}
    assert all(doc.partition(", in ")[2] for doc in said.values())
    assert said[f"{name}_in_part"].startswith(known.doc + part)


def test_a_part_of_two_wrong_elements_is_named_after_no_known_fault():
    case = make_case(**FLOAT)
    result = reference(case)
    actual = result.output.astype(np.float32)
    wrong = MutantTarget(BY_NAME["bias_subtracted"]).build(case).run(feeds_of(case))[OUTPUT]
    actual[0, 1, 0, :2] = wrong[0, 1, 0, :2]
    assert [one.name for one in diagnosis(case, 0, actual, result)] == ["part_shifted"]
    actual[0, 1, 0, :3] = wrong[0, 1, 0, :3]
    assert [one.name for one in diagnosis(case, 0, actual, result)] == ["bias_subtracted_in_part"]


INTEGERS = {
    "input": {"shape": [2, 4, 7, 9], "fill": "exact_integers", "seed": 1},
    "kernel": {"shape": [4, 4, 3, 3], "fill": "exact_integers", "seed": 2},
    "bias": {"values": [1.0, 3.0, -2.0, -1.0]},
    "set": {"padding_nd": [1, 1], "stride_nd": [2, 1]},
}
CORNER = (1, 3, slice(None), 8)
"""A column of one map of one image."""


@pytest.mark.parametrize("name", ["bias_dropped", "bias_on_first_column"])
def test_an_error_of_one_small_number_names_no_mutant_that_gives_it(name):
    """Any other fault that adds 1 there would have the same output for every input."""
    case = make_case(**INTEGERS)
    result = reference(case)
    actual = result.output.astype(np.float32)
    actual[CORNER] += 1
    corner = within(BY_NAME[name], part_of(actual != result.output))
    assert diagnosis(case, 0, actual, result, [corner]) == (corner,)
    (found,) = diagnosis(case, 0, actual, result)
    assert (found.symptom, found.doc) == (
        True,
        "the output is too large by 1, in image 1 and output map 3 and column 8",
    )
    assert diagnosis(case, 0, actual, result, [found]) == (found,)
    actual[CORNER] += 1
    assert diagnosis(case, 0, actual, result, [found]) == ()


def test_padding_of_one_in_a_corner_is_not_named_after_an_error_of_one():
    taps = np.zeros((4, 4, 3, 3))
    taps[..., 1, 0], taps[3, 0, 1, 2] = 5, 1
    case = make_case(**INTEGERS | {"kernel": {"shape": taps.shape, "values": taps.ravel().tolist()}})
    result = reference(case)
    actual = result.output.astype(np.float32)
    actual[CORNER] += 1
    corner = within(BY_NAME["pads_with_one"], part_of(actual != result.output))
    assert diagnosis(case, 0, actual, result, [corner]) == (corner,)
    assert [found.name for found in diagnosis(case, 0, actual, result)] == ["part_shifted"]


def test_maps_that_are_each_off_by_one_number_have_a_symptom():
    """Small whole numbers tell no missing bias from another constant; numbers of 20 bits do."""
    case = make_case(**INTEGERS)
    result = reference(case)
    actual = result.output.astype(np.float32)
    actual[:, 2:] += np.array([2, 1], np.float32).reshape(2, 1, 1)
    (found,) = diagnosis(case, 0, actual, result)
    assert (found.name, found.symptom) == ("part_shifted", True)
    assert found.doc == "each output map is off by a number of its own, in output maps 2 to 3"
    case = make_case(**INTEGERS | {"bias": {"fill": "uniform_20_bits"}})
    actual = reference(case).output.astype(np.float32)
    actual[:, 2:] -= case_data(case).bias[2:].reshape(2, 1, 1)
    named = [one.doc for one in diagnosis(case, 0, actual, reference(case))]
    assert "the bias is not added, in output maps 2 to 3" in named


def test_a_map_without_a_bias_does_not_interrupt_the_maps_in_which_it_is_missing():
    bias = np.linspace(0.1, 0.9, 8, dtype=np.float32)
    bias[5] = 0
    case = make_case(**FLOAT | {"bias": {"values": bias.tolist()}})
    actual = reference(case).output.astype(np.float32)
    actual[:, 3:7] -= bias[3:7].reshape(-1, 1, 1)
    assert [one.doc for one in diagnosis(case, 0, actual, reference(case))] == [
        "the bias is not added, in output maps 3 to 6"
    ]


def test_a_part_that_is_zero_is_a_symptom():
    case = make_case(**FLOAT)
    wrong = reference(case).output.astype(np.float32)
    wrong[:, 5:7] = 0
    (found,) = diagnosis(case, 0, wrong, reference(case))
    assert (found.symptom, found.doc) == (True, "the output is zero, in output maps 5 to 6")
    wrong[0, 5, 0, 0] = 1
    assert diagnosis(case, 0, wrong, reference(case)) == ()


def changed(case, stage, change):
    """The output of a convolution of which one stage is changed."""
    engine = Mutant("unknown", "unknown", **{stage: lambda y, case: change(y.copy())}).on(case)
    return engine.run(feeds_of(case))[OUTPUT]


def assigned(target, source):
    """A change that writes one part of a tensor, or zero, to another."""

    def change(y):
        y[target] = 0 if source is None else y[source].copy()
        return y

    return change


@pytest.mark.parametrize("epilogue", [[], [{"op": "relu"}], [{"op": "add", "of": "addend"}], [{"op": "concat"}]])
@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_a_part_without_any_product_is_named_where_the_bias_and_the_operations_after_the_layer_are_there(
    precision, epilogue
):
    fields = {"epilogue": epilogue}
    if epilogue and epilogue[0].get("of"):
        fields["addend"] = {"shape": [2, 5, 7, 9], "fill": "uniform", "seed": 4}
    if precision == "int8":
        fields["quantize"] = {"input": 0.013, "kernel": [0.007]}
    case = make_case(
        precision=precision,
        input={"shape": [2, 3, 7, 9], "fill": "uniform", "seed": 1},
        kernel={"shape": [5, 3, 3, 3], "fill": "uniform", "seed": 2},
        bias={"fill": "uniform", "seed": 3},
        set={"padding_nd": [1, 1]},
        **fields,
    )
    wrong = changed(case, "sums", assigned((..., 8), None))
    (found,) = diagnosis(case, 0, wrong, reference(case))
    assert (found.name, found.doc) == ("products_missing", "all products are missing, in column 8")
    wrong[0, 0, 2, 8] += 1
    assert diagnosis(case, 0, wrong, reference(case)) == ()


COPIED = [
    ("output", (..., 6), (..., 4), "column 6 is a copy of column 4"),
    ("output", (slice(2, 3),), (slice(0, 1),), "image 2 is a copy of image 0"),
    ("output", (EVERY, EVERY, [2, 4]), (EVERY, EVERY, [1, 3]), "rows 2 and 4 are copies of rows 1 and 3"),
    ("output", (..., [2, 4, 5], EVERY), (..., [0, 0, 0], EVERY), "3 rows from 2 to 5 are copies of row 0"),
    ("output", (EVERY, [1, 3]), (EVERY, [3, 1]), "output maps 1 and 3 are exchanged"),
    ("sums", (EVERY, 2), (EVERY, 0), "output map 2 is a copy of output map 0 before the bias is added"),
]


@pytest.mark.parametrize(("stage", "target", "source", "said"), COPIED, ids=[said for *_, said in COPIED])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_copied_part_is_named(precision, stage, target, source, said):
    case = make_case(
        precision=precision,
        input={"shape": [3, 4, 8, 9], "fill": "exact_integers", "seed": 1},
        kernel={"shape": [4, 4, 3, 2], "fill": "exact_integers", "seed": 2},
        bias={"values": [1.0, 3.0, 7.0, -5.0]},
    )
    wrong = changed(case, stage, assigned(target, source))
    assert [found.doc for found in diagnosis(case, 0, wrong, reference(case))] == [said]
    place = tuple(int(index) for index in np.argwhere(wrong != reference(case).output)[0])
    wrong[place] += 4
    assert diagnosis(case, 0, wrong, reference(case)) == ()


def test_a_copy_of_one_of_two_equal_rows_has_no_name():
    """Nothing tells which of the rows it is a copy of."""
    rows = np.random.default_rng(0).integers(-3, 4, (1, 1, 5, 6)).astype(np.float32)
    rows[..., 3, :] = rows[..., 1, :]
    case = make_case(input=values_of(rows), kernel={"shape": [1, 1, 1, 2], "values": [1.0, 2.0]}, bias="none")
    wrong = reference(case).output.astype(np.float32)
    wrong[..., 4, :] = wrong[..., 0, :]
    (found,) = diagnosis(case, 0, wrong, reference(case))
    assert found.doc == "row 4 is a copy of row 0"
    wrong[..., 4, :] = wrong[..., 1, :]
    assert diagnosis(case, 0, wrong, reference(case)) == ()
