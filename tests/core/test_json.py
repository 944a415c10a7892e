"""JSON is read strictly, and non-finite numbers are written as text."""

from __future__ import annotations

import json
import math

import pytest

from trt_conformance.core.errors import JsonError
from trt_conformance.core.json import MAX_DEPTH, finite, parse_strict


def test_valid_documents_are_read_as_json_reads_them():
    text = '{"a": [1, -2.5, 1e3, true, null, "[[{{\\"]]"], "b": {"c": {}}}'
    assert parse_strict(text) == parse_strict(text.encode()) == json.loads(text)


def test_the_depth_that_is_allowed_is_accepted():
    assert parse_strict("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    assert len(parse_strict("[" + "{}," * 1000 + "{}]")) == 1001
    assert parse_strict(json.dumps("[" * 1000)) == "[" * 1000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\n" + "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), f"line 2: nested more than {MAX_DEPTH} levels"),
        ('{"a":' * 100_000, "nested more than"),
        ("[" * 1_000_000, "nested more than"),
        ('{"a": 1, "b": 2, "a": 3}', 'the key "a" appears twice'),
        ('[{"x": {"y": 1, "y": 1}}]', 'the key "y" appears twice'),
        ("[NaN]", "NaN is not valid JSON"),
        ("[-Infinity]", "-Infinity is not valid JSON"),
        ("1e999", "outside the range of float64"),
        ("9" * 5000, "5000 digits"),
        ("{", "not valid JSON"),
        ("", "not valid JSON"),
        (b'"\xff"', "not valid UTF-8"),
    ],
    ids=range(12),
)
def test_everything_else_is_refused(text, message):
    with pytest.raises(JsonError, match=message):
        parse_strict(text)


def test_non_finite_numbers_become_text_that_float_reads():
    values = finite({"a": (1.5, math.nan), "b": [math.inf, {"c": -math.inf}], "d": "nan", "e": 3, "f": True})
    assert values == {"a": [1.5, "nan"], "b": ["inf", {"c": "-inf"}], "d": "nan", "e": 3, "f": True}
    assert math.isnan(float(values["a"][1]))
    json.dumps(values, allow_nan=False)
