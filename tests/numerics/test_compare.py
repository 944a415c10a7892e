"""The comparator: what it lets pass, what it names as worst, and how it describes the rest."""

import math

import ml_dtypes
import numpy as np
import pytest

from trt_conformance.numerics.compare import compare, structure_faults
from trt_conformance.numerics.places import Pattern, axis_names, place

SHAPE = (2, 3, 4, 5)


def pattern(wrong, is_finite):
    found = Pattern(wrong.shape)
    found.add((0,) * wrong.ndim, wrong, is_finite)
    return found.text()


def compared(actual, expected, bound, dtype=np.float64):
    return compare(np.asarray(actual, dtype=dtype), *(np.asarray(v, dtype=np.float64) for v in (expected, bound)))


def test_within_the_bound_passes():
    found = compared([1.0, 2.5], [1.0, 2.0], [0.0, 0.5])
    assert found.passed
    assert (found.elements, found.beyond, found.where) == (2, 0, "")
    assert (found.worst, found.actual, found.expected, found.error, found.bound) == ((1,), 2.5, 2.0, 0.5, 0.5)
    assert found.fraction == 1.0


def test_beyond_the_bound_fails():
    found = compared([1.0, 2.5], [1.0, 2.0], [0.0, 0.25])
    assert not found.passed
    assert (found.beyond, found.worst, found.fraction) == (1, (1,), 2.0)


def test_beyond_by_the_last_bit_fails_and_says_so():
    for bound in (1.0, math.nextafter(2.0, 0.0), 0.1, 5e-324):
        found = compared([math.nextafter(bound, 3.0)], [0.0], [bound])
        assert not found.passed
        assert 1 < found.fraction < math.inf


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("bound", [0.0, 1.0, 1e300])
def test_not_finite_actual_fails(bad, bound):
    found = compared([0.0, bad], [0.0, 0.0], [bound, bound])
    assert not found.passed
    assert (found.beyond, found.worst, found.error, found.fraction) == (1, (1,), math.inf, math.inf)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_finite_expected_fails_even_where_actual_is_the_same(bad):
    found = compared([0.0, bad], [0.0, bad], [1.0, 1.0])
    assert not found.passed
    assert found.worst == (1,)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0])
@pytest.mark.parametrize("actual", [0.0, 1.0])
def test_a_bound_that_is_none_passes_nothing(bad, actual):
    found = compared([0.0, actual], [0.0, 0.0], [1.0, bad])
    assert not found.passed
    assert (found.beyond, found.worst, found.fraction) == (1, (1,), math.inf)


def test_no_elements_fail():
    found = compare(np.zeros((2, 0)), np.zeros((2, 0)), np.zeros((2, 0)))
    assert not found.passed
    assert (found.elements, found.beyond, found.worst) == (0, 0, ())


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r"shapes differ: \(1, 2\), \(2, 1\), \(2, 1\)"):
        compare(np.zeros((1, 2)), np.zeros((2, 1)), np.zeros((2, 1)))
    with pytest.raises(ValueError, match="shapes differ"):
        compare(np.zeros(2), np.zeros(2), np.zeros(1))


def test_worst_uses_most_of_its_bound_not_the_largest_error():
    assert compared([5.0, 0.3], [0.0, 0.0], [10.0, 0.4]).worst == (1,)
    assert compared([50.0, 0.3], [0.0, 0.0], [10.0, 0.4]).worst == (0,)


def test_worst_of_infinite_fractions_has_the_largest_error():
    assert compared([9.0, 1.0, 3.0, 2.0], [0.0] * 4, [1.0, 0.0, 0.0, 0.0]).worst == (2,)
    assert compared([9.0, 1.0, np.nan, 2.0], [0.0] * 4, [1.0, 0.0, 0.0, 0.0]).worst == (2,)


def test_worst_of_all_exact_is_the_first():
    found = compared([1.0, 2.0], [1.0, 2.0], [0.0, 0.0])
    assert (found.worst, found.fraction, found.ulp) == ((0,), 0.0, 0.0)


@pytest.mark.parametrize(
    ("dtype", "value", "spacing"),
    [
        (np.float32, 1.0, 2.0**-23),
        (np.float32, 1.999, 2.0**-23),
        (np.float32, -2.0, 2.0**-22),
        (np.float32, 0.0, 2.0**-149),
        (np.float32, 2.0**-130, 2.0**-149),
        (np.float16, 1.0, 2.0**-10),
        (np.float16, 23056.0, 16.0),
        (np.float16, 0.0, 2.0**-24),
        (ml_dtypes.bfloat16, 1.0, 2.0**-7),
        (ml_dtypes.bfloat16, 300.0, 2.0),
        (np.float64, 1.0, 2.0**-52),
        (np.int8, 100.0, 1.0),
    ],
)
def test_counts_units_in_the_last_place(dtype, value, spacing):
    actual = np.asarray([value], dtype=dtype)
    expected = actual.astype(np.float64)
    assert compare(actual, expected + math.copysign(3 * spacing, value), np.asarray([1e9])).ulp == pytest.approx(
        3, rel=1e-3
    )


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_units_are_numpys_spacing(dtype):
    for value in np.asarray([1e-3, 0.75, 1.0, 3.0, 1000.0], dtype=dtype):
        found = compare(np.asarray([value]), np.asarray([float(value)]) + float(np.spacing(value)), np.ones(1))
        assert found.ulp == pytest.approx(1)


def test_units_stay_defined_beside_what_is_not_finite():
    assert compared([np.nan], [1.0], [1.0], np.float32).ulp == math.inf
    assert compared([1.0], [np.nan], [1.0], np.float32).ulp == math.inf
    assert compared([1.0], [np.inf], [1.0], np.float16).ulp == math.inf


def outputs(**arrays):
    return arrays


def test_structure_agrees():
    assert structure_faults(outputs(output=np.zeros((1, 2), np.float32)), "output", (1, 2), np.dtype(np.float32)) == []


def test_names_come_before_shape_and_type():
    faults = structure_faults(outputs(out=np.zeros(3), more=np.zeros(1)), "output", (1, 2), np.dtype(np.float32))
    assert faults == ["outputs are ['more', 'out'], but should be ['output']"]
    assert structure_faults({}, "output", (1,), np.dtype(np.float32)) == ["outputs are [], but should be ['output']"]


def test_an_output_too_many_is_a_fault():
    both = outputs(output=np.zeros(1, np.float32), extra=np.zeros(1, np.float32))
    assert structure_faults(both, "output", (1,), np.dtype(np.float32))


def test_shape_comes_before_type():
    faults = structure_faults(outputs(output=np.zeros((2, 1))), "output", (1, 2), np.dtype(np.float32))
    assert faults == ["output.shape is (2, 1), but should be (1, 2)", "output.dtype is float64, but should be float32"]


def wrong(*where):
    flags = np.zeros(SHAPE, dtype=bool)
    for index in where:
        flags[index] = True
    return flags


ALL = slice(None)


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (wrong(), ""),
        (wrong(ALL), "every element is beyond its bound"),
        (wrong((ALL, ALL, ALL, -1)), "every mismatch is in the last column: look at post-padding and rounding"),
        (wrong((ALL, ALL, ALL, 0)), "every mismatch is in the first column: look at pre-padding"),
        (wrong((ALL, ALL, 0)), "every mismatch is in the first row: look at pre-padding"),
        (wrong((ALL, ALL, -1)), "every mismatch is in the last row: look at post-padding and rounding"),
        (wrong((ALL, ALL, ALL, 2)), "every mismatch is in column 2"),
        (wrong((ALL, 1)), "every mismatch is in output map 1"),
        (wrong((ALL, 2)), "every mismatch is in the last output map"),
        (wrong(0), "every mismatch is in the first batch row"),
        (
            wrong((ALL, ALL, 0), (ALL, ALL, -1), (ALL, ALL, ALL, 0), (ALL, ALL, ALL, -1)),
            "every mismatch is on the border: look at padding",
        ),
        (wrong((0, 0, 0, 0), (1, 2, 2, 4)), "every mismatch is on the border: look at padding"),
        (wrong((0, 0, 1, 1), (1, 1, 2, 2)), ""),
        (wrong((0, 0, 0, 0), (1, 1, 2, 2)), ""),
        (wrong((0, 0, 0, 0)), ""),  # one element is in the first row by chance
    ],
)
def test_pattern(flags, text):
    assert pattern(flags, finite(flags)) == text


@pytest.mark.parametrize(
    ("hit", "text"),
    [
        ((ALL, slice(64, 67)), "every mismatch is in output maps 64 to 66 of 67"),
        ((ALL, slice(0, 32)), "every mismatch is in output maps 0 to 31 of 67"),
        ((ALL, slice(8, 40)), "every mismatch is in output maps 8 to 39 of 67"),
        ((ALL, slice(8, 66)), ""),
        ((ALL, slice(3, None, 16)), "every mismatch is in every 16th output map from 3 on"),
        ((ALL, slice(1, None, 2)), "every mismatch is in every second output map from 1 on"),
        ((ALL, slice(0, None, 22)), "every mismatch is in every 22nd output map from 0 on"),
        ((ALL, slice(3, 40, 16)), ""),
        ((ALL, ALL, slice(3, 5)), "every mismatch is in rows 3 to 4 of 5"),
        ((1, slice(64, 67)), "every mismatch is in the last batch row"),
        ((slice(1, 3), slice(64, 67)), "every mismatch is in output maps 64 to 66 of 67"),
        ((ALL, [1, 2, 5, 9]), ""),
    ],
)
def test_pattern_of_several_indices(hit, text):
    flags = np.zeros((2 if hit[0] == 1 else 3, 67, 5, 6), dtype=bool)
    flags[hit] = True
    assert pattern(flags, finite(flags)) == text


def test_a_few_elements_of_a_region_have_no_pattern():
    flags = np.zeros((3, 67, 5, 6), dtype=bool)
    flags[:, 64:, 1:3, 3:5] = True
    assert pattern(flags, finite(flags)) == ""


def test_pattern_in_three_dimensions():
    flags = np.zeros((1, 1, 3, 4, 5), dtype=bool)
    flags[:, :, -1] = True
    assert pattern(flags, finite(flags)) == "every mismatch is in the last slice: look at post-padding and rounding"


def finite(flags):
    return np.ones(flags.shape, dtype=bool)


def test_elements_that_are_not_finite_are_named_first():
    one, row, other = wrong((0, 0, 0, 0)), wrong((ALL, ALL, 0)), wrong((0, 0, 1, 1), (1, 1, 2, 2))
    assert pattern(one, ~one) == "one element is not finite"
    assert pattern(row, ~row) == "not finite: every mismatch; every mismatch is in the first row: look at pre-padding"
    assert pattern(row, ~one) == f"not finite: 1 of the {row.sum()} mismatches; " + pattern(row, finite(row))
    assert pattern(other, ~other) == "not finite: every mismatch"
    assert pattern(one, finite(one)) == ""
    assert pattern(wrong(), ~one) == "", "an expected infinity"


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_compare_says_that_one_element_is_not_finite(odd):
    expected = np.zeros((1, 1, 3, 4))
    actual = expected.copy()
    actual[0, 0, 0, 0] = odd
    assert compare(actual, expected, np.full(expected.shape, 0.1)).where == "one element is not finite"


def test_a_thin_axis_is_no_border():
    flags = np.zeros((1, 2, 1, 5), dtype=bool)
    flags[0, 0, 0, 1] = flags[0, 1, 0, 3] = True
    assert pattern(flags, finite(flags)) == ""


def test_pattern_of_other_ranks():
    flags = np.zeros((2, 3), dtype=bool)
    flags[:, 1] = True
    assert pattern(flags, finite(flags)) == "every mismatch is in axis-1 index 1"
    assert pattern(np.asarray([[True, False], [False, True]]), finite(np.asarray([[True, False], [False, True]]))) == ""


def test_compare_reports_the_pattern():
    expected = np.zeros((1, 1, 3, 4))
    actual = expected.copy()
    actual[..., -1] = 1
    assert compare(actual, expected, np.full(expected.shape, 0.1)).where.startswith("every mismatch is in the last col")


def test_places_read_as_people_write_them():
    assert place((0, 1, 2, 3)) == "(n=0, k=1, h=2, w=3)"
    assert place((0, 1, 2, 3, 4)) == "(n=0, k=1, d=2, h=3, w=4)"
    assert axis_names(2) == ("i0", "i1")
