"""Packed tensors lie as NvInfer.h says: each element where its table puts it, and nothing else meant by the rest."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.helpers import make_case
from trt_conformance.core.layouts import LAYOUTS
from trt_conformance.targets.tensorrt.layouts import pack, packed_shape, unpack

# The tables of NvInfer.h, written out once more: the array's dimensions and the subscript of an element.
TABLE = {
    "CHW2": (lambda n, c, h, w: (n, (c + 1) // 2, h, w, 2), lambda n, c, h, w: (n, c // 2, h, w, c % 2)),
    "CHW4": (lambda n, c, h, w: (n, (c + 3) // 4, h, w, 4), lambda n, c, h, w: (n, c // 4, h, w, c % 4)),
    "CHW16": (lambda n, c, h, w: (n, (c + 15) // 16, h, w, 16), lambda n, c, h, w: (n, c // 16, h, w, c % 16)),
    "CHW32": (lambda n, c, h, w: (n, (c + 31) // 32, h, w, 32), lambda n, c, h, w: (n, c // 32, h, w, c % 32)),
    "HWC": (lambda n, c, h, w: (n, h, w, c), lambda n, c, h, w: (n, h, w, c)),
    "HWC8": (lambda n, c, h, w: (n, h, w, (c + 7) // 8 * 8), lambda n, c, h, w: (n, h, w, c)),
    "HWC16": (lambda n, c, h, w: (n, h, w, (c + 15) // 16 * 16), lambda n, c, h, w: (n, h, w, c)),
    "DHWC": (lambda n, c, d, h, w: (n, d, h, w, c), lambda n, c, d, h, w: (n, d, h, w, c)),
    "DHWC8": (lambda n, c, d, h, w: (n, d, h, w, (c + 7) // 8 * 8), lambda n, c, d, h, w: (n, d, h, w, c)),
    "CDHW32": (
        lambda n, c, d, h, w: (n, (c + 31) // 32, d, h, w, 32),
        lambda n, c, d, h, w: (n, c // 32, d, h, w, c % 32),
    ),
}


def numbered(name, channels, batch=(2,)):
    """A tensor of which no two elements are alike."""
    shape = (*batch, channels, *(2, 3, 4)[-LAYOUTS[name].rank :])
    return np.arange(1.0, 1 + np.prod(shape), dtype=np.float32).reshape(shape)


def test_every_format_has_its_table():
    assert set(TABLE) == set(LAYOUTS)


@pytest.mark.parametrize("channels", [1, 2, 3, 5, 8, 31, 33])
@pytest.mark.parametrize("name", TABLE)
def test_each_element_lies_where_the_header_says(name, channels):
    dimensions, subscript = TABLE[name]
    x = numbered(name, channels)
    memory = pack(x, name, padding=-1.0)
    assert memory.shape == packed_shape(x.shape, name) == dimensions(*x.shape)
    assert all(memory[subscript(*index)] == x[index] for index in np.ndindex(*x.shape))
    assert (memory == -1.0).sum() == memory.size - x.size
    assert memory.flags.c_contiguous


@pytest.mark.parametrize("channels", [1, 3, 8, 33])
@pytest.mark.parametrize("name", ["LINEAR", *TABLE])
def test_unpacking_gives_the_tensor_back_whatever_pads_it(name, channels):
    x = numbered(name if name != "LINEAR" else "HWC", channels)
    for padding in (0.0, np.nan, 7.0):
        memory = pack(x, name, padding)
        assert unpack(memory.ravel(), name, x.shape).tobytes() == x.tobytes()


def test_a_vector_of_other_width_gives_other_memory():
    x = numbered("CHW4", 6)
    assert pack(x, "CHW4").ravel().tobytes() != pack(x, "CHW2").ravel().tobytes()
    assert unpack(pack(x, "HWC8").ravel(), "HWC8", x.shape)[0, 1, 0, 0] != pack(x, "HWC8").ravel()[0]


def test_several_dimensions_before_the_channels():
    x = numbered("HWC8", 3, batch=(2, 3))
    memory = pack(x, "HWC8", np.nan)
    assert memory.shape == (2, 3, 3, 4, 8)
    assert memory[1, 2, 0, 3, 1] == x[1, 2, 1, 0, 3]
    assert np.isnan(memory[..., 3:]).all()


@pytest.mark.parametrize("dtype", ["float16", "int8"])
def test_other_types(dtype):
    x = (numbered("CHW4", 3) % 100).astype(dtype)
    assert pack(x, "CHW4").dtype == x.dtype
    assert unpack(pack(x, "CHW4"), "CHW4", x.shape).tobytes() == x.tobytes()


def test_an_empty_batch_packs_to_nothing():
    x = np.zeros((0, 3, 3, 4), np.float16)
    assert pack(x, "HWC8").shape == (0, 3, 4, 8)
    assert unpack(pack(x, "HWC8"), "HWC8", x.shape).shape == x.shape


def test_other_implementations_leave_formats_alone():
    from trt_conformance.targets.numpy import NumpyTarget

    case = make_case(formats={"input": "HWC"})
    assert NumpyTarget().supports(case) == "only TensorRT has memory layouts of tensors"
