"""Evidence of a failure: the crop holds the worst element, and the terms sum to what it should be."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from tests.support.helpers import make_case
from trt_conformance.checks.evidence import EDGE, MAX_ELEMENTS, MAX_TERMS, crop, evidence, fractions, receptive_field
from trt_conformance.numerics.bounds.elementwise import bound
from trt_conformance.numerics.reference.result import reference

CASES = {
    "plain": {},
    "stride and padding": {"set": {"stride_nd": [2, 2], "pre_padding": [1, 2], "post_padding": [2, 1]}},
    "dilation": {"set": {"dilation_nd": [2, 2]}},
    "same upper": {"set": {"stride_nd": [2, 2], "padding_mode": "SAME_UPPER"}},
    "groups": {
        "set": {"num_groups": 2},
        "input": {"shape": [2, 4, 5, 5], "fill": "uniform"},
        "kernel": {"shape": [6, 2, 3, 3], "fill": "uniform", "seed": 1},
        "bias": {"fill": "ramp"},
    },
    "3D": {
        "input": {"shape": [1, 2, 3, 4, 5], "fill": "ramp"},
        "kernel": {"shape": [2, 2, 2, 2, 2], "fill": "uniform"},
    },
    "int8": {
        "precision": "int8",
        "quantize": {"input": 0.5, "kernel": [0.25]},
        "kernel": {"shape": [1, 1, 3, 3], "fill": "ramp"},
    },
}


@pytest.mark.parametrize("fields", CASES.values(), ids=CASES)
def test_the_terms_of_every_element_sum_to_its_value(fields):
    case = make_case(**fields)
    golden = reference(case)
    for index in np.ndindex(*golden.real.shape):
        field = receptive_field(case, case.run_shapes[0], index)
        total = math.fsum(float(term["product"]) for term in field["terms"]) + field["bias"]
        assert total == pytest.approx(golden.real[index], rel=1e-7, abs=1e-7)
        assert field["terms_total"] == math.prod(case.kernel.shape[1:])


def test_terms_outside_the_input_are_zeros_of_the_padding():
    case = make_case(set={"padding_nd": [1, 1]})
    outside = [t for t in receptive_field(case, case.run_shapes[0], (0, 0, 0, 0))["terms"] if min(t["x_at"]) < 0]
    assert len(outside) == 5
    assert {(term["x"], term["product"]) for term in outside} == {(0, 0)}


def test_of_many_terms_the_largest_are_kept_in_order():
    case = make_case(
        input={"shape": [1, 16, 5, 5], "fill": "uniform"}, kernel={"shape": [2, 16, 3, 3], "fill": "uniform", "seed": 3}
    )
    field = receptive_field(case, case.run_shapes[0], (0, 1, 1, 1))
    assert field["terms_total"] == 144
    assert len(field["terms"]) == MAX_TERMS
    places = [term["w_at"] for term in field["terms"]]
    assert places == sorted(places)


@pytest.mark.parametrize(
    "shape", [(1, 1, 4, 7), (1, 1, 1, 1), (8, 64, 1, 1), (1, 1, 300, 1), (1, 1, 1, 5000), (2, 3, 9, 40, 40), (5, 5)]
)
def test_a_crop_is_small_and_holds_its_center(shape):
    for center in (tuple(0 for _ in shape), tuple(n - 1 for n in shape), tuple(n // 2 for n in shape)):
        window = crop(shape, center)
        assert math.prod(part.stop - part.start for part in window) <= MAX_ELEMENTS
        for part, middle, size in zip(window, center, shape, strict=True):
            assert 0 <= part.start <= middle < part.stop <= size
            assert part.stop - part.start <= EDGE


def test_a_small_output_is_shown_whole():
    assert crop((1, 4, 4, 7), (0, 2, 1, 1)) == (slice(0, 1), slice(0, 4), slice(0, 4), slice(0, 7))


def test_fractions():
    actual = np.array([1.0, 1.5, 2.0, np.nan, np.inf, 0.0, 3.0])
    expected = np.array([1.0, 1.0, 1.0, 1.0, 1.0, 0.0, np.nan])
    limits = np.array([0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0])
    assert fractions(actual, expected, limits).tolist() == [0, 0.5, np.inf, np.inf, np.inf, 0, np.inf]


def test_evidence_is_json_and_small():
    case = make_case(
        input={"shape": [1, 8, 40, 40], "fill": "uniform"}, kernel={"shape": [4, 8, 3, 3], "fill": "uniform", "seed": 3}
    )
    golden = reference(case)
    actual = golden.output.astype(np.float32)
    actual[0, 2, 17, 30] = np.nan
    found = evidence(
        case, case.run_shapes[0], actual=actual, expected=golden.output, bound=bound(case, golden), worst=(0, 2, 17, 30)
    )
    assert len(json.dumps(found, allow_nan=False)) < 20_000
    place = np.ravel_multi_index(
        [w - o for w, o in zip(found["worst"], found["offset"], strict=True)], tuple(found["shape"])
    )
    assert found["actual"][place] == "nan"
    assert found["fraction"][place] == "inf"
    assert found["expected"][place] == pytest.approx(golden.output[0, 2, 17, 30], rel=1e-8)


def test_the_terms_of_a_very_long_sum_are_counted_and_not_listed(monkeypatch):
    case = make_case()
    whole = receptive_field(case, case.input.shape, (0, 0, 1, 1))
    assert len(whole["terms"]) == whole["terms_total"] == 9
    monkeypatch.setattr("trt_conformance.checks.evidence.MAX_WALKED", 8)
    assert receptive_field(case, case.input.shape, (0, 0, 1, 1)) == {"terms": [], "terms_total": 9, "bias": 0.0}
