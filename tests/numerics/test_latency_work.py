"""Work and floor against numbers worked out by hand."""

import pytest

from tests.support.helpers import make_case
from trt_conformance.numerics.roofline import Floor, floor, work


def layer(input_shape, kernel_shape, bias=False, **fields):
    given = {"input": {"shape": input_shape, "fill": "uniform"}, "kernel": {"shape": kernel_shape, "fill": "uniform"}}
    return make_case(**given, **({"bias": {"fill": "uniform"}} if bias else {}), **fields)


def test_three_by_three():
    # 32 x 64 x 56 x 56, 3x3 with padding 1: as many outputs as inputs, 576 products each.
    case = layer([32, 64, 56, 56], [64, 64, 3, 3], bias=True, set={"padding_nd": [1, 1]})
    found = work(case)
    elements = 32 * 64 * 56 * 56
    assert found.flops == 2 * elements * 576 == 7_398_752_256
    assert found.bytes == 4 * (2 * elements + 64 * 576 + 64)


@pytest.mark.parametrize(("precision", "size"), [("fp32", 4), ("tf32", 4), ("fp16", 2), ("bf16", 2)])
def test_types(precision, size):
    case = layer([1, 8, 4, 4], [16, 8, 1, 1], precision=precision)
    assert work(case).bytes == size * (8 * 16 + 16 * 8 + 16 * 16)


def test_int8_holds_its_kernel_as_int8():
    case = layer([1, 8, 4, 4], [16, 8, 1, 1], precision="int8", bias=True)
    assert work(case).bytes == 4 * (8 * 16 + 16 + 16 * 16) + 16 * 8


def test_what_the_caller_quantizes_is_read_and_written_as_int8():
    given = {"precision": "int8", "weights": "set_input", "bias": True}
    scales = {"input": 1.0, "kernel": [1.0], "io_quantization": True}
    case = layer([1, 8, 4, 4], [16, 8, 1, 1], quantize=scales, **given)
    assert work(case).bytes == 8 * 16 + 4 * (16 + 16 * 16) + 16 * 8
    both = layer([1, 8, 4, 4], [16, 8, 1, 1], quantize=scales | {"output": 1.0}, **given)
    assert work(both).bytes == 8 * 16 + 4 * 16 + 16 * 16 + 16 * 8


def test_groups():
    case = layer([1, 144, 56, 56], [144, 1, 3, 3], set={"padding_nd": [1, 1], "num_groups": 144})
    assert work(case).flops == 2 * 144 * 56 * 56 * 9
    assert work(case).bytes == 4 * (2 * 144 * 56 * 56 + 144 * 9)


@pytest.mark.parametrize(
    ("size", "window", "assignments", "read"),
    [
        (56, 1, {"stride_nd": [2, 2]}, 28),  # every second row and column is never read
        (57, 2, {"stride_nd": [2, 2]}, 56),  # the last one is left over
        (9, 3, {"dilation_nd": [3, 3]}, 9),
        (8, 2, {"dilation_nd": [7, 7]}, 2),  # one window, whose taps lie at both ends
        (33, 3, {"dilation_nd": [12, 12], "padding_nd": [12, 12]}, 33),
        (5, 1, {"padding_nd": [2, 2]}, 5),
    ],
)
def test_only_what_a_window_reads_is_moved(size, window, assignments, read):
    case = layer([1, 1, size, size], [1, 1, window, window], set=assignments)
    outputs = work(case).flops // (2 * window * window)
    assert work(case).bytes == 4 * (read * read + window * window + outputs)


def test_three_dimensions_and_the_shape_that_runs():
    case = layer([1, 2, 4, 5, 6], [3, 2, 2, 2, 2])
    assert work(case).flops == 2 * (3 * 3 * 4 * 5) * 16
    assert work(case).bytes == 4 * (2 * 120 + 3 * 16 + 180)
    assert work(case, (7, 2, 4, 5, 6)).flops == 7 * work(case).flops


def test_floor():
    done = work(layer([32, 64, 56, 56], [64, 64, 3, 3], set={"padding_nd": [1, 1]}))
    slow_memory = floor(done, {"memory": 1e9, "fp32": 1e15})
    assert slow_memory == Floor(done.bytes / 1e9, "memory")
    slow_compute = floor(done, {"memory": 1e15, "fp32": 60e12, "fp16": 1.0})
    assert slow_compute == Floor(7_398_752_256 / 60e12, "compute")
    assert slow_compute.fraction(2 * slow_compute.seconds) == pytest.approx(0.5)


@pytest.mark.parametrize("ceilings", [{}, {"fp16": 1e15}, {"memory": 0}])
def test_no_floor_without_a_ceiling(ceilings):
    assert floor(work(layer([1, 1, 4, 4], [1, 1, 3, 3])), ceilings) is None
