"""Output shapes and paddings against NVIDIA's table, and every constraint's error."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.helpers import PADDING_MODES, table_axis
from trt_conformance.core.attributes import Attributes
from trt_conformance.core.errors import InvalidConvolution
from trt_conformance.numerics.reference.shape import Axis, extent, output_shape, resolve, resolve_axis


def attributes(rank=2, **assignments):
    return Attributes.after(assignments, rank)


@given(
    size=st.integers(1, 40),
    window=st.integers(1, 7),
    stride=st.integers(1, 5),
    pre=st.integers(0, 5),
    post=st.integers(0, 5),
    dilation=st.integers(1, 4),
    mode=st.sampled_from(PADDING_MODES),
)
@settings(max_examples=500, deadline=None, derandomize=True)
def test_axis_agrees_with_the_table(size, window, stride, pre, post, dilation, mode):
    padded = size + (2 * pre if mode.startswith("CAFFE") else pre + post)
    if extent(window, dilation) > padded and not mode.startswith("SAME"):
        with pytest.raises(InvalidConvolution, match="image size is smaller than filter size"):
            resolve_axis(size, window, stride, pre, post, dilation, mode)
        return
    axis = resolve_axis(size, window, stride, pre, post, dilation, mode)
    assert (axis.size, axis.before) == table_axis(size, window, stride, pre, post, dilation, mode)
    assert (axis.stride, axis.dilation) == (stride, dilation)


# Input 9, window 3, stride 2, pre 1, post 2: computed by hand from the table.
@pytest.mark.parametrize(
    ("mode", "size", "before"),
    [
        ("EXPLICIT_ROUND_DOWN", 5, 1),
        ("EXPLICIT_ROUND_UP", 6, 1),
        ("SAME_UPPER", 5, 1),
        ("SAME_LOWER", 5, 1),
        ("CAFFE_ROUND_DOWN", 5, 1),
        ("CAFFE_ROUND_UP", 5, 1),
    ],
)
def test_axis_by_hand(mode, size, before):
    assert resolve_axis(9, 3, 2, 1, 2, 1, mode) == Axis(size, before, 2, 1)


def test_same_modes_put_the_odd_zero_at_opposite_ends():
    assert resolve_axis(6, 4, 1, 0, 0, 1, "SAME_UPPER").before == 1
    assert resolve_axis(6, 4, 1, 0, 0, 1, "SAME_LOWER").before == 2


def test_same_modes_ignore_stated_padding():
    assert resolve_axis(6, 3, 1, 4, 5, 1, "SAME_UPPER") == Axis(6, 1, 1, 1)


@pytest.mark.parametrize("mode", ["SAME_UPPER", "SAME_LOWER"])
def test_negative_same_padding_crops_nothing_at_the_head(mode):
    assert resolve_axis(6, 1, 2, 0, 0, 1, mode) == Axis(3, 0, 2, 1)


def test_extent_counts_the_gaps():
    assert [extent(3, d) for d in (1, 2, 3)] == [3, 5, 7]


def test_output_shape():
    given = attributes(stride_nd=(2, 1), padding_nd=(1, 0), dilation_nd=(1, 2), num_groups=2)
    assert output_shape((3, 4, 7, 9), (6, 2, 3, 3), given) == (3, 6, 4, 5)
    assert output_shape((2, 3, 1, 5, 6, 7), (4, 1, 2, 2, 2), attributes(3)) == (2, 3, 4, 4, 5, 6)


INVALID = {
    "must have 2 or 3 window dimensions, not 1": ((1, 1, 6), (1, 1, 3), {}),
    "must have 2 or 3 window dimensions, not 4": ((1, 1, 6, 6, 6, 6), (1, 1, 3, 3, 3, 3), {}),
    "at least 5 dimensions are required for input with a 3D kernel, got 4": ((1, 1, 6, 6), (1, 1, 3, 3, 3), {}),
    "at least 4 dimensions are required for input with a 2D kernel, got 3": ((1, 6, 6), (1, 1, 3, 3), {}),
    r"stride \(1, 1, 1\) must have 2 values": ((1, 1, 6, 6), (1, 1, 3, 3), {"stride_nd": (1, 1, 1)}),
    r"pre \(1,\) must have 2 values": ((1, 1, 6, 6), (1, 1, 3, 3), {"pre_padding": (1,)}),
    r"post \(1,\) must have 2 values": ((1, 1, 6, 6), (1, 1, 3, 3), {"post_padding": (1,)}),
    r"dilation \(1, 1, 1\) must have 2 values": ((1, 1, 6, 6), (1, 1, 3, 3), {"dilation_nd": (1, 1, 1)}),
    "2 groups must divide the 3 input channels": ((1, 3, 6, 6), (2, 1, 3, 3), {"num_groups": 2}),
    "0 groups must divide the 3 input channels": ((1, 3, 6, 6), (2, 1, 3, 3), {"num_groups": 0}),
    "2 groups must divide the 3 output maps": ((1, 2, 6, 6), (3, 1, 3, 3), {"num_groups": 2}),
    "1 groups must divide the 0 output maps": ((1, 1, 6, 6), (0, 1, 3, 3), {}),
    "holds 2 channels a group, but the input has 3: 3 channels in 1 group": ((1, 3, 6, 6), (1, 2, 3, 3), {}),
    "the window spans 7 elements and the padded input has 6": ((1, 1, 6, 6), (1, 1, 7, 3), {}),
    "the window spans 7 elements and the padded input has 5": (
        (1, 1, 5, 8),
        (1, 1, 3, 3),
        {"dilation_nd": (3, 3), "post_padding": (2, 2), "padding_mode": "CAFFE_ROUND_UP"},
    ),
    "SAME_LOWER needs at least one input element, got 0": ((1, 1, 0, 6), (1, 1, 3, 3), {"padding_mode": "SAME_LOWER"}),
    "window 0, stride 1 and dilation 1 must be at least 1": ((1, 1, 6, 6), (1, 1, 0, 3), {}),
    "stride 0": ((1, 1, 6, 6), (1, 1, 3, 3), {"stride_nd": (0, 1)}),
    "dilation 0": ((1, 1, 6, 6), (1, 1, 3, 3), {"dilation_nd": (1, 0)}),
    "padding -1, 0 at least 0": ((1, 1, 6, 6), (1, 1, 3, 3), {"pre_padding": (-1, 0)}),
    "padding 0, -1 at least 0": ((1, 1, 6, 6), (1, 1, 3, 3), {"post_padding": (0, -1)}),
}


@pytest.mark.parametrize("message", INVALID)
def test_constraint(message):
    shape, kernel, assignments = INVALID[message]
    with pytest.raises(InvalidConvolution, match=message):
        resolve(shape, kernel, attributes(len(kernel) - 2, **assignments))
