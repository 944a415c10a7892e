"""Fills give the same bytes everywhere, and the values their names promise."""

import hashlib
import math
import subprocess
import sys
from typing import get_args

import numpy as np
import pytest

from tests.support.helpers import make_case
from trt_conformance.core import tensors
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.fills import CACHED_ELEMENTS, content, forget_last, parts
from trt_conformance.core.tensors import case_data
from trt_conformance.core.types import OCTAVES, Fill

# Of shape (2, 3, 4, 5) and seed 7, in float64. Another digest means that every golden changes.
DIGESTS = {
    "uniform_20_bits": "4ac62aa018ce677c170ba33d4199a82a5b5731689871e65f93cb6a226e81108d",
    "tiled_1_to_9": "274b43ed3b6366d4a45075f6855399f3ad9cd3a8adbcd4a9bb88ddf2964a83e4",
    "powers_of_ten": "f12bfae6921b7763a64ae39e2c00b7f00efc3315291774d44d86a86fd0497306",
    "powers_of_ten_alternating": "32139211a089080879a22b5705ebce8be5c3293ad4ed3cb22d341b0977d3681e",
    "zeros": "3dc463a76fc170607c07b104c3cb531362ce7d6e10c1a34e0c0f370aeae08ce8",
    "ones": "ec38ca809caaf4ffee20de9f376ae3f3ec363403e4875ba125c2f080ed75eb6d",
    "ramp": "1345724aae9334590c89300d4e3dd479b9a6ced32710694552cedc6d80bf42e7",
    "uniform": "a85761167426ba7c039a54fa2e8108c4a0b8ec9d23160dfa7e5d87e0347bcc8c",
    "exact_integers": "69d0ca56171ed259cead4c43a17cbab6466cee55d3bfbd0054aaad7d02779666",
    "ternary": "ea30e5690d4cf23575e4befc16126f5a9edbe4a43dba5efc7a8c0f9fb9885214",
    "sparse_ternary": "f5c7403bd92257acf7c3a1a81762c0f349487d0dd81b2b0dea37d765887df213",
    "two_of_four": "2cfd5bfaee5121dc6b05e254cd2ff64078e970098af313dae7323a49cce5aee2",
    "int8_full_range": "236331c672cc9920c4fb24e0fb5bf66f97d6a8a21b79f93122c254e839b714ae",
    "uint8_full_range": "a7da3a7b87b92d043eb45e15751ea8fe17b770f61a741b871687492a70dd11a8",
    "int8_extremes": "152fbca9e132cb93700cc8acfdde28a70fc31014e1130b27121c8eefdeec1449",
    "int8_ties": "2579e23aa4d3225c33fa4636d9c332c6f6c1e43768724228a93d50e385fa772a",
    "integers_13_bits": "19bd7185f5d45bce8ecc985e8156e58267127e9629c7215954b7c19fb982a920",
    "octaves": "559fc4c08a41562e7fba74243a801ab48f1b452877ea056bff636e1fd167f923",
    "octaves_positive": "1d066f5a97cd441a235d37ea3f2be89401d141dcf8f5a20e1a95c432b451c1c4",
    "octaves_half_zero": "6295beaabfbe0aca86e16ac1eb267837ab66bc74dea8736281a864be129e83bf",
    "octaves_first_large": "559fc4c08a41562e7fba74243a801ab48f1b452877ea056bff636e1fd167f923",
}
INTEGERS = {
    "exact_integers": range(-3, 4),
    "ternary": range(-1, 2),
    "sparse_ternary": range(-1, 2),
    "int8_full_range": range(-128, 128),
    "uint8_full_range": range(256),
    "int8_extremes": (-128, -127, -1, 0, 1, 126, 127),
    "integers_13_bits": range(-(2**13), 2**13),
}


@pytest.mark.parametrize("fill", get_args(Fill))
def test_bytes_never_change(fill):
    values = content((2, 3, 4, 5), fill, seed=7)
    assert values.dtype == np.float64
    assert values.shape == (2, 3, 4, 5)
    assert not values.flags.writeable
    assert hashlib.sha256(values.astype("<f8").tobytes()).hexdigest() == DIGESTS[fill]


def test_bytes_are_those_of_another_process():
    code = "from trt_conformance.core.fills import content; print(content((3,), 'uniform', seed=1).tobytes().hex())"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == content((3,), "uniform", seed=1).tobytes().hex()


@pytest.mark.parametrize("fill", INTEGERS)
def test_draws_every_value_of_its_range_and_no_other(fill):
    assert set(content((25 * len(INTEGERS[fill]),), fill).tolist()) == set(INTEGERS[fill])


def test_uniform_fills_its_interval_evenly():
    values = content((100_000,), "uniform")
    assert -1 <= values.min() < -0.999
    assert 0.999 < values.max() < 1
    counts, _ = np.histogram(values, bins=10, range=(-1, 1))
    assert abs(counts - 10_000).max() < 500


def test_ties_lie_halfway_and_reach_beyond_int8():
    values = content((10_000,), "int8_ties")
    assert set((values * 2).tolist()) == set(range(-261, 262))


@pytest.mark.parametrize("fill", ["uniform", "exact_integers", "int8_full_range", "int8_extremes", "int8_ties"])
def test_seeds_draw_differently(fill):
    assert (content((64,), fill, seed=1) != content((64,), fill, seed=2)).any()


def test_the_documents_input():
    values = content((1, 2, 4, 5), "tiled_1_to_9")
    assert values[0, 1].tolist() == [[1, 2, 3, 1, 2], [4, 5, 6, 4, 5], [7, 8, 9, 7, 8], [1, 2, 3, 1, 2]]


def test_the_documents_kernel():
    values = content((2, 1, 3, 3), "powers_of_ten")
    assert values[1, 0].tolist() == [[1e4, 1e3, 1e2], [1e1, 1e0, 1e-1], [1e-2, 1e-3, 1e-4]]
    alternating = content((2, 1, 3, 3), "powers_of_ten_alternating")
    assert (alternating[0] == values[0]).all()
    assert (alternating[1] == -values[1]).all()


def test_ramp_counts_from_one():
    assert content((2, 2), "ramp").tolist() == [[1, 2], [3, 4]]


def test_values_keep_their_order():
    assert content((2, 2), None, [1.5, -2.0, 3.0, 4.0]).tolist() == [[1.5, -2], [3, 4]]


def test_values_must_fit():
    with pytest.raises(ValueError, match=r"3 values do not fit shape \[2, 2\] \(4 elements\)"):
        content((2, 2), None, [1.0, 2.0, 3.0])


def test_something_must_be_given():
    with pytest.raises(ValueError, match="either fill or values"):
        content((2, 2), None)


@pytest.mark.parametrize(("tensor", "precision"), [("input", "fp16"), ("kernel", "fp32"), ("bias", "bf16")])
def test_a_value_that_overflows_the_type_is_refused_with_its_case(tensor, precision):
    shapes = {"input": {"shape": [1, 1, 1, 2]}, "kernel": {"shape": [1, 1, 1, 1]}, "bias": {}}
    tensors = {name: shape | {"values": [2.0] * (2 if name == "input" else 1)} for name, shape in shapes.items()}
    tensors[tensor]["values"][-1] = 1e39
    with pytest.raises(ConformanceError, match=rf"1e\+39 in the {tensor} overflows"):
        case_data(make_case(precision=precision, **tensors))


def test_an_infinity_that_the_case_states_is_not_an_overflow():
    case = make_case(
        input={"shape": [1, 1, 1, 2], "values": [math.inf, 1.0]}, kernel={"shape": [1, 1, 1, 1], "fill": "ones"}
    )
    assert np.isinf(case_data(case).input[..., 0]).all()


@pytest.mark.parametrize("exponents", [(0, 0), (-3, 2), (-22, -22)])
@pytest.mark.parametrize("fill", OCTAVES)
def test_octaves(fill, exponents):
    values = content((5, 400), fill, seed=11, exponents=exponents)
    first, rest = values[:, 0], values[:, 1:]
    given = np.frexp(np.abs(rest[rest != 0]))[1] - 1
    assert sorted(set(given)) == list(range(exponents[0], exponents[1] + 1))
    assert (rest < 0).any() == (fill != "octaves_positive")
    assert (0.4 < (values == 0).mean() < 0.6) == (fill == "octaves_half_zero")
    if fill == "octaves_first_large":
        assert ((np.abs(first) >= 1) & (np.abs(first) < 2)).all()
    assert len(set(np.abs(values[values != 0]))) == (values != 0).sum()


@pytest.mark.parametrize("fill", get_args(Fill))
def test_a_fill_made_in_parts_is_the_fill(fill):
    shape = (2, 3, 4, 5)
    whole = content(shape, fill, seed=7, exponents=(-2, 3))
    for size in (1, 7, 50, 1000):
        found = np.full(whole.size, np.nan)
        for part, values in parts(shape, fill, 7, size, (-2, 3)):
            found[part] = values
        assert found.tobytes() == whole.tobytes()


def test_the_last_input_of_medium_size_is_kept_until_it_is_forgotten():
    shape = (3, CACHED_ELEMENTS)
    first = content(shape, "ternary", seed=1)
    assert content(shape, "ternary", seed=1) is first
    forget_last()
    again = content(shape, "ternary", seed=1)
    assert again is not first
    assert again.tobytes() == first.tobytes()
    content(shape, "ternary", seed=2)
    assert content(shape, "ternary", seed=1) is not again


@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16"])
def test_a_large_input_is_made_in_parts(monkeypatch, precision):
    given = make_case(precision=precision, input={"shape": [2, 3, 8, 9], "fill": "uniform", "seed": 5})
    whole = case_data(given).input
    monkeypatch.setattr(tensors, "PART", 100)
    monkeypatch.setattr(tensors, "MEDIUM_ELEMENTS", 200)
    monkeypatch.setattr(tensors, "content", lambda *given: content(*given) if given[0] != (2, 3, 8, 9) else 1 / 0)
    made = case_data(given).input
    assert (made.dtype, made.shape, made.tobytes()) == (whole.dtype, whole.shape, whole.tobytes())
