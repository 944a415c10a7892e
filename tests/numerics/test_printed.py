"""Printed matrices: values, the tolerance of their last digit, and what is not a number."""

from __future__ import annotations

import numpy as np
import pytest

from trt_conformance.numerics.printed import parse


@pytest.mark.parametrize(
    ("word", "value", "tolerance", "digits"),
    [
        ("12345.679", 12345.679, 0.0005, 8),
        ("1204.5078", 1204.5078, 0.00005, 8),
        ("56089.", 56089.0, 0.5, 5),
        ("56089", 56089.0, 0.5, 5),
        ("56089.0", 56089.0, 0.05, 6),
        ("-0.00018907", -0.00018907, 5e-9, 5),
        ("+1.5", 1.5, 0.05, 2),
        (".5", 0.5, 0.05, 1),
        ("1.2346e+04", 12346.0, 0.5, 5),
        ("1.2346E-4", 1.2346e-4, 5e-9, 5),
        ("0", 0.0, 0.5, 1),
        ("0.00", 0.0, 0.005, 1),
        ("1e-400", 0.0, 0.0, 1),
    ],
)
def test_last_digit_gives_the_tolerance(word: str, value: float, tolerance: float, digits: int) -> None:
    printed = parse(word, [1])
    assert (printed.values[0], printed.tolerance[0], printed.digits[0]) == (value, tolerance, digits)


def test_numbers_stand_in_reading_order() -> None:
    printed = parse("\n 1. 2.5  3.\n4. 5. 6.25\n", (1, 2, 3))
    assert printed.values.tolist() == [[[1.0, 2.5, 3.0], [4.0, 5.0, 6.25]]]
    assert printed.tolerance.tolist() == [[[0.5, 0.05, 0.5], [0.5, 0.5, 0.005]]]
    assert (printed.values.dtype, printed.tolerance.dtype, printed.digits.dtype) == (np.float64, np.float64, np.int64)


def test_brackets_and_commas_separate() -> None:
    assert parse("[[1., 2.],\n [3., 4.]]", (2, 2)).values.tolist() == [[1.0, 2.0], [3.0, 4.0]]


def test_nothing_fits_an_empty_shape() -> None:
    assert parse(" \n", (1, 0)).values.shape == (1, 0)


def test_count_must_fit_the_shape() -> None:
    with pytest.raises(ValueError, match=r"3 printed numbers do not fit shape \[1, 1, 2, 2\] \(4 elements\)"):
        parse("1. 2. 3.", [1, 1, 2, 2])


@pytest.mark.parametrize("word", ["...", "nan", "inf", "1.2.3", "x", "1e", ".", "-", "1_0", "٣", "0x1", "1e99999"])
def test_what_is_no_number_is_named_with_its_line(word: str) -> None:
    with pytest.raises(ValueError, match=f"line 2 of the printed matrix: '{word}' is not a number".replace(".", r"\.")):
        parse(f"1.\n{word}", [2])


def test_number_beyond_float64() -> None:
    with pytest.raises(ValueError, match="'1e400' is outside the range of float64"):
        parse("1e400", [1])
