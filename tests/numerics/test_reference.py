"""The reference convolution against plain loops, in floats and in fractions."""

import math
import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.support.helpers import PADDING_MODES, brute_force, make_case
from trt_conformance.core.attributes import Attributes
from trt_conformance.core.errors import InvalidConvolution
from trt_conformance.core.fills import content
from trt_conformance.numerics.reference.blocked import BLOCK, convolve
from trt_conformance.numerics.reference.result import exact, reference
from trt_conformance.numerics.reference.shape import output_shape


@st.composite
def configurations(draw, ranks=(2, 3)):
    """Shapes of an input and a kernel that go together, and the layer's attributes."""
    rank = draw(st.sampled_from(ranks))
    largest = 7 if rank == 2 else 4

    def each(low, high):
        return tuple(draw(st.lists(st.integers(low, high), min_size=rank, max_size=rank)))

    groups, per_group, maps = (draw(st.integers(1, high)) for high in (3, 2, 2))
    batch = tuple(draw(st.lists(st.integers(1, 2), min_size=1, max_size=2)))
    spatial, window = each(1, largest), each(1, 3)
    given = {
        "stride_nd": each(1, 3),
        "pre_padding": each(0, 2),
        "post_padding": each(0, 2),
        "dilation_nd": each(1, 2),
        "num_groups": groups,
        "padding_mode": draw(st.sampled_from(PADDING_MODES)),
    }
    shape, kernel = (*batch, groups * per_group, *spatial), (groups * maps, per_group, *window)
    attributes = Attributes.after(given, rank)
    try:
        points = math.prod(output_shape(shape, kernel, attributes))
    except InvalidConvolution:
        assume(False)
    assume(points * math.prod(kernel[1:]) <= 20_000)
    return shape, kernel, attributes, draw(st.booleans())


@given(configurations())
@settings(max_examples=300, deadline=None, derandomize=True)
def test_agrees_with_plain_loops(configuration):
    shape, kernel_shape, attributes, with_bias = configuration
    x, kernel = content(shape, "int8_full_range", seed=1), content(kernel_shape, "int8_full_range", seed=2)
    bias = content(kernel_shape[:1], "int8_full_range", seed=3) if with_bias else None
    actual = convolve(x, kernel, bias, attributes)
    expected = brute_force(x, kernel, bias, attributes)
    assert actual.shape == expected.shape == output_shape(shape, kernel_shape, attributes)
    assert (actual == expected).all()


@given(configurations())
@settings(max_examples=40, deadline=None, derandomize=True)
def test_stays_exact_in_fractions(configuration):
    shape, kernel_shape, attributes, with_bias = configuration

    def thirds(shape, seed):
        values = content(shape, "int8_full_range", seed=seed)
        return np.asarray([Fraction(int(v), 3 + i % 7) for i, v in enumerate(values.flat)], dtype=object).reshape(shape)

    x, kernel = thirds(shape, 1), thirds(kernel_shape, 2)
    bias = thirds(kernel_shape[:1], 3) if with_bias else None
    actual = convolve(x, kernel, bias, attributes)
    assert actual.dtype == object
    assert (actual == brute_force(x, kernel, bias, attributes)).all()


def test_plain_loops_by_hand():
    x, kernel = np.arange(1.0, 7.0).reshape(1, 1, 2, 3), np.asarray([[[[1.0, 10.0]]]])
    attributes = Attributes.after({"pre_padding": (0, 1), "stride_nd": (1, 2)}, 2)
    assert brute_force(x, kernel, None, attributes).tolist() == [[[[10.0, 32.0], [40.0, 65.0]]]]
    assert convolve(x, kernel, None, attributes).tolist() == [[[[10.0, 32.0], [40.0, 65.0]]]]


@pytest.mark.parametrize("mode", ["SAME_UPPER", "SAME_LOWER"])
def test_negative_same_padding_reads_from_the_head(mode):
    x, kernel = content((1, 1, 6, 6), "ramp"), np.ones((1, 1, 1, 1))
    attributes = Attributes.after({"padding_mode": mode, "stride_nd": (2, 2)}, 2)
    assert convolve(x, kernel, None, attributes)[0, 0, 0].tolist() == [1, 3, 5]


def test_flips_no_kernel():
    x, kernel = np.zeros((1, 1, 3, 3)), content((1, 1, 3, 3), "ramp")
    x[0, 0, 0, 0] = 1
    assert convolve(x, kernel, None, Attributes.after({}, 2)).item() == 1


def test_blocks_of_rows_join_without_a_seam():
    channels = BLOCK // (9 * 40) // 3
    x, kernel = content((1, channels, 9, 42), "exact_integers"), content((1, channels, 3, 3), "exact_integers", seed=1)
    whole = convolve(x, kernel, None, Attributes.after({}, 2))
    rows = [convolve(x[:, :, i : i + 3], kernel, None, Attributes.after({}, 2)) for i in range(7)]
    assert (whole == np.concatenate(rows, axis=2)).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_keeps_the_operands_type_and_leaves_them_alone(dtype):
    x, kernel, bias = (content(s, "uniform").astype(dtype) for s in ((1, 2, 5, 5), (3, 2, 3, 3), (3,)))
    before = [t.copy() for t in (x, kernel, bias)]
    result = convolve(x, kernel, bias, Attributes.after({"padding_nd": (1, 1)}, 2))
    assert result.dtype == dtype
    assert result.flags.c_contiguous
    assert all((old == new).all() for old, new in zip(before, (x, kernel, bias), strict=True))


def test_an_empty_batch_gives_an_empty_output():
    assert convolve(np.ones((0, 2, 5, 5)), np.ones((3, 2, 3, 3)), None, Attributes.after({}, 2)).shape == (0, 3, 3, 3)


def test_refuses_what_does_not_go_together():
    with pytest.raises(InvalidConvolution, match="2 groups must divide the 3 input channels"):
        convolve(np.ones((1, 3, 5, 5)), np.ones((2, 1, 3, 3)), None, Attributes.after({"num_groups": 2}, 2))


@pytest.mark.parametrize(
    ("shape", "kernel_shape", "spare"),
    [((8, 64, 56, 56), (64, 64, 3, 3), 512), ((1, 16, 20, 20, 20), (8, 16, 5, 5, 5), 64)],
)
def test_memory(shape, kernel_shape, spare):
    """Peak within three times input and output together, and a fixed allowance in MiB."""
    x, kernel = content(shape, "uniform"), content(kernel_shape, "uniform")
    rank = len(shape) - 2
    attributes = Attributes.after({"padding_nd": tuple(f // 2 for f in kernel_shape[2:])}, rank)
    tracemalloc.start()
    try:
        result = convolve(x, kernel, None, attributes)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3 * (x.nbytes + result.nbytes) + spare * 2**20


def test_exact_gives_the_documents_ideal_digits():
    ideal = exact(make_case())
    assert ideal[0, 0, 0, 0] == Fraction("12345.6789")
    assert ideal[0, 0, 3, 6] == Fraction("12345.6789")
    assert exact(make_case(bias={"values": [0.1]}))[0, 0, 1, 1] == Fraction("56489.8231")


def test_result_of_the_document():
    result = reference(make_case(bias={"values": [-0.5]}))
    assert result.terms == 10
    assert result.output is result.real
    np.testing.assert_allclose(result.output[0, 0, 0, :2], [12345.1789, 23155.9897], rtol=1e-8)
    np.testing.assert_allclose(result.magnitude[0, 0, 0, :2], [12346.1789, 23156.9897], rtol=1e-8)
    assert not result.slack.any()


def test_magnitude_adds_absolute_values():
    case = make_case(
        input={"shape": [1, 1, 1, 2], "values": [-3.0, 2.0]},
        kernel={"shape": [1, 1, 1, 2], "values": [5.0, -7.0]},
        bias={"values": [-1.0]},
    )
    result = reference(case)
    assert (result.output.item(), result.magnitude.item(), result.terms) == (-30.0, 30.0, 3)


def test_operands_are_rounded_to_the_type_first():
    case = make_case(
        input={"shape": [1, 1, 1, 1], "values": [0.1]},
        kernel={"shape": [1, 1, 1, 1], "values": [1.0]},
        precision="fp16",
    )
    assert reference(case).output.item() == float(np.float16(0.1))
