"""The fast convolution gives the bits of the definition wherever no sum is rounded, and its values everywhere else."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from tests.support.helpers import PADDING_MODES
from trt_conformance.core.attributes import Attributes
from trt_conformance.core.errors import InvalidConvolution
from trt_conformance.core.fills import content
from trt_conformance.numerics.bounds.elementwise import gamma
from trt_conformance.numerics.reference import blocked
from trt_conformance.numerics.reference.blocked import convolve
from trt_conformance.numerics.reference.convolution import convolution
from trt_conformance.numerics.reference.shape import output_shape


def layers(seed, count):
    """So many random layers that are convolutions and take at most 3,000 products."""
    rng, found = np.random.default_rng(seed), []
    while len(found) < count:
        rank = int(rng.integers(2, 4))

        def each(low, high, rank=rank):
            return tuple(int(n) for n in rng.integers(low, high, rank))

        groups, per_group, maps = (int(rng.integers(1, high)) for high in (4, 3, 3))
        batch = tuple(int(n) for n in rng.integers(0 if rng.random() < 0.05 else 1, 3, rng.integers(1, 3)))
        shape, kernel = (*batch, groups * per_group, *each(1, 8)), (groups * maps, per_group, *each(1, 4))
        attributes = Attributes(
            stride=each(1, 4),
            pre=each(0, 3),
            post=each(0, 3),
            dilation=each(1, 3),
            groups=groups,
            mode=PADDING_MODES[int(rng.integers(len(PADDING_MODES)))],
        )
        try:
            products = math.prod(output_shape(shape, kernel, attributes)) * math.prod(kernel[1:])
        except InvalidConvolution:
            continue
        if products <= 3000:
            found.append((shape, kernel, attributes, bool(rng.random() < 0.5)))
    return found


def operands(layer, fill):
    shape, kernel, _, has_bias = layer
    bias = content(kernel[:1], fill, seed=3) if has_bias else None
    return content(shape, fill, seed=1), content(kernel, fill, seed=2), bias


@pytest.mark.parametrize("elements", [1, 40, blocked.BLOCK], ids=["a row a block", "some rows", "one block"])
def test_exact_sums_have_the_same_bits(monkeypatch, elements):
    monkeypatch.setattr(blocked, "BLOCK", elements)
    for layer in layers(seed=elements, count=120):
        x, w, b = operands(layer, "exact_integers")
        defined, fast = convolution(x, w, b, layer[2]), convolve(x, w, b, layer[2])
        assert fast.dtype == defined.dtype
        assert fast.shape == defined.shape
        assert fast.tobytes() == defined.tobytes(), layer


@pytest.mark.parametrize("groups", [1, 3])
def test_without_channels_only_the_bias_is_left(groups):
    attributes = Attributes.after({"num_groups": groups}, 2)
    x, w, b = np.zeros((2, 0, 4, 5)), np.zeros((3, 0, 2, 2)), np.array([3.0, -5.0, 7.0])
    assert (convolve(x, w, b, attributes) == b.reshape(3, 1, 1) * np.ones((2, 3, 3, 4))).all()
    assert not convolve(x, w, None, attributes).any()


def test_fractions_are_the_same():
    rational = np.vectorize(Fraction, otypes=[object])
    for layer in (layer for layer in layers(seed=5, count=40) if 0 not in layer[0]):
        x, w, b = operands(layer, "int8_ties")
        given = rational(x), rational(w), None if b is None else rational(b)
        assert (convolution(*given, layer[2]) == convolve(*given, layer[2])).all(), layer


def test_rounded_sums_differ_by_no_more_than_the_order_of_adding_allows():
    for layer in layers(seed=6, count=120):
        x, w, b = operands(layer, "uniform")
        size = convolve(abs(x), abs(w), None if b is None else abs(b), layer[2])
        allowed = 2 * gamma(math.prod(layer[1][1:]) + 1, 2.0**-53) * size
        assert (abs(convolution(x, w, b, layer[2]) - convolve(x, w, b, layer[2])) <= allowed).all(), layer


def test_the_comparison_can_fail():
    """A definition that flips the kernel is found in the first few layers."""
    differ = 0
    for layer in layers(seed=7, count=20):
        x, w, _ = operands(layer, "exact_integers")
        flipped = np.ascontiguousarray(w[..., ::-1])
        differ += convolution(x, flipped, None, layer[2]).tobytes() != convolve(x, w, None, layer[2]).tobytes()
    assert differ > 5


def test_strides_near_the_end_of_64_bits_are_computed():
    attributes = Attributes.after({"stride_nd": (4_800_000_000_000_000_000, 1)}, 2)
    x, w = np.ones((1, 1, 5, 5)), np.ones((1, 1, 3, 3))
    assert convolve(x, w, None, attributes).tolist() == [[[[9.0, 9.0, 9.0]]]]
    rounded = Attributes.after({"stride_nd": (4_800_000_000_000_000_000, 1), "padding_mode": "EXPLICIT_ROUND_UP"}, 2)
    with pytest.raises(InvalidConvolution, match="reach 48") as caught:
        convolve(x, w, None, rounded)
    assert caught.value.constraint == "padded_input_is_addressable"
