"""Lint finds by trying what a case would hide, and no fault in data that shows everything."""

from __future__ import annotations

import pytest

from tests.support.helpers import make_case
from trt_conformance.catalog.lint.case import lint_case
from trt_conformance.catalog.lint.vacuous import is_cheap_to_try

SHOWS = {
    "source": "a source",
    "input": {"shape": [1, 4, 7, 8], "fill": "exact_integers", "seed": 1},
    "kernel": {"shape": [4, 4, 3, 3], "fill": "exact_integers", "seed": 2},
    "bias": {"values": [3.0, -8.0, 5.0, -1.0]},
}


def hidden(**fields):
    return [
        text for _, text in lint_case(make_case(**SHOWS | fields)) if text.startswith("a wrong convolution could pass")
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"set": {"stride_nd": [2, 3], "padding_nd": [1, 2], "dilation_nd": [2, 1]}},
        {"set": {"num_groups": 2}, "kernel": {"shape": [4, 2, 3, 3], "fill": "exact_integers"}},
        {"set": {"pre_padding": [1, 0], "post_padding": [0, 2]}},
        {"set": {"padding_mode": "SAME_UPPER", "stride_nd": [2, 2]}},
        {"precision": "int8"},
        {"epilogue": [{"op": "relu"}]},
        {"bias": {"fill": "zeros"}},
        {
            "set": {"padding_nd": [1, 1]},
            "epilogue": [{"op": "concat"}, {"op": "relu"}, {"op": "max_pool", "window": [2, 2]}],
        },
        # Of these windows, the middle tap alone reads the input along W.
        {
            "input": {"shape": [1, 4, 7, 5], "fill": "exact_integers"},
            "set": {"dilation_nd": [1, 9], "padding_nd": [0, 9]},
        },
    ],
)
def test_what_shows_everything_is_clean(fields):
    assert hidden(**fields) == []


SYMMETRIC = [v for m in range(4) for c in range(4) for v in (m + 1.0, c - 2.0 * m, m + 1.0)]
CENTER = [0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"input": {"shape": [1, 4, 7, 8], "fill": "zeros"}}, "the output stays the same if the kernel is doubled"),
        (
            {"kernel": {"shape": [4, 4, 3, 3], "fill": "ones"}, "bias": {"values": [1.0, 2.0, 1.0, 3.0]}},
            "output maps 0 and 2 have equal weights",
        ),
        (
            {
                "input": {"shape": [1, 4, 3, 3], "values": CENTER * 4},
                "kernel": {"shape": [4, 2, 2, 2], "fill": "exact_integers", "seed": 4},
                "set": {"num_groups": 2},
            },
            "each of the 2 groups reads the channels of the next group",
        ),
        (
            {
                "input": {"shape": [1, 1, 4, 4], "values": [1.0, 2, 3, 4, 9, 9, 9, 9, 1, 2, 3, 4, 1, 2, 3, 4]},
                "kernel": {"shape": [4, 1, 1, 1], "values": [1.0, 2, 3, 4]},
                "set": {"stride_nd": [3, 1]},
            },
            "the windows start one element early on spatial axis 0, whose stride is 3",
        ),
        (
            {
                "kernel": {"shape": [4, 4, 1, 2], "values": [v for m in range(16) for v in (m + 1.0, 0)]},
                "set": {"dilation_nd": [1, 3]},
            },
            "the dilation of 3 is ignored on spatial axis 1",
        ),
        (
            {
                "input": {"shape": [1, 4, 7, 1], "fill": "exact_integers"},
                "kernel": {"shape": [4, 4, 1, 3], "values": [v for m in range(16) for v in (m + 1.0, m + 1.0, -m)]},
                "set": {"padding_nd": [0, 1]},
            },
            "one of 1 before is padded after on spatial axis 1",
        ),
        (
            {
                "input": {"shape": [1, 4, 7, 1], "values": [v * v % 17 + 1.0 for v in range(28)]},
                "kernel": {
                    "shape": [4, 4, 1, 4],
                    "values": [v for m in range(16) for v in (5.0, m + 1.0, m + 1.0, -m)],
                },
                "set": {"pre_padding": [0, 1], "post_padding": [0, 2]},
            },
            "pre- and post-padding are exchanged on spatial axis 1",
        ),
        (
            {
                "input": {"shape": [1, 4, 7, 8], "fill": "ramp"},
                "kernel": {"shape": [4, 4, 1, 1], "values": [m + 1.0 for m in range(16)]},
                "bias": {"values": [0, 0, 0, 2.0**-60]},
            },
            "the output stays the same if the bias is dropped",
        ),
        ({"bias": {"values": [3.0] * 4}}, "each map gets the bias of the previous map"),
        ({"kernel": {"shape": [4, 4, 1, 3], "values": SYMMETRIC}}, "the kernel is flipped on spatial axis 1"),
        (
            {"kernel": {"shape": [4, 4, 1, 1], "values": [v for m in range(4) for v in [m + 1.0] * 4]}},
            "the kernel reads the channels in another order",
        ),
        (
            {"epilogue": [{"op": "relu"}, {"op": "clip", "low": -5.0, "high": 9.0}, {"op": "relu"}]},
            "the output stays the same if relu is left out",
        ),
    ],
)
def test_what_hides_a_fault_is_refused(fields, expected):
    found = hidden(**fields)
    assert any(expected in text for text in found), found


def test_documented_cases_and_special_values_keep_their_data():
    equal = {"kernel": {"shape": [4, 4, 3, 3], "fill": "ones"}, "bias": "none"}
    assert hidden(**equal)
    assert hidden(**equal, special_values=True) == []
    assert hidden(**equal, claims=["kernel.values"]) == []


def test_a_twin_among_many_maps_is_chance():
    def of(count, twins):
        values = [float(v) for m in range(count) for v in (m, m % 7, -m, 1)]
        kernel = {"shape": [count, 4, 1, 1], "values": values[: -4 * twins] + values[: 4 * twins]}
        return hidden(kernel=kernel, bias="none")

    assert of(40, 1) == []
    assert of(40, 20) != []
    assert of(20, 1) != []


def test_the_work_of_trying_is_bounded():
    small, large = (
        make_case(
            input={"shape": [1, channels, 20, 20], "fill": "exact_integers"},
            kernel={"shape": [8, channels, 3, 3], "fill": "exact_integers"},
        )
        for channels in (2, 16)
    )
    assert is_cheap_to_try(small, (1, 8, 18, 18))
    assert not is_cheap_to_try(large, (1, 8, 18, 18))
