"""A reference, its bound and its comparison in pieces have the bits of the whole, however the output is cut."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from tests.support.helpers import make_case
from trt_conformance.core.case import Case
from trt_conformance.core.tensors import NUMPY_TYPE, case_data
from trt_conformance.numerics.bounds import operands as operands_module
from trt_conformance.numerics.bounds.basis import Basis, bound_on
from trt_conformance.numerics.bounds.epilogue import network_result
from trt_conformance.numerics.bounds.operands import Operands
from trt_conformance.numerics.compare import Tally, compare
from trt_conformance.numerics.reference import blocked
from trt_conformance.numerics.reference.pieces import Piece, Sizes, pieces, reference_of_piece
from trt_conformance.numerics.reference.result import reference


def layer(shape: list[int], kernel: list[int], fill: str = "uniform", **fields: Any) -> Case:
    return make_case(
        input={"shape": shape, "fill": fill, "seed": 1},
        kernel={"shape": kernel, "fill": "uniform", "seed": 2},
        bias={"fill": "uniform", "seed": 3},
        **fields,
    )


QUANTIZED = {"input": 0.0123, "kernel": [0.01], "output": 0.1}
CASES = {
    "plain": layer([3, 4, 13, 11], [6, 4, 3, 3]),
    "stride and dilation": layer(
        [2, 4, 23, 11], [6, 2, 3, 2], set={"stride_nd": [3, 2], "dilation_nd": [2, 1], "num_groups": 2}
    ),
    "wide padding": layer([2, 2, 5, 6], [4, 2, 3, 3], set={"pre_padding": [9, 1], "post_padding": [8, 7]}),
    "same_lower": layer([2, 2, 9, 8], [4, 2, 4, 4], set={"padding_mode": "SAME_LOWER", "stride_nd": [2, 2]}),
    "volume": layer([1, 2, 12, 5, 6], [3, 2, 3, 3, 3], set={"padding_nd": [1, 1, 1]}),
    "fp16": layer([2, 3, 12, 9], [5, 3, 3, 3], precision="fp16"),
    "int8": layer([2, 3, 12, 9], [5, 3, 3, 3], "int8_ties", precision="int8", quantize=QUANTIZED),
}


@pytest.fixture(params=CASES.values(), ids=CASES.keys())
def case(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Case:
    """A case whose matrix products have few rows, so that its images can be cut."""
    found: Case = request.param
    monkeypatch.setattr(blocked, "BLOCK", 400)
    monkeypatch.setattr(operands_module, "PART", 50)
    return found


def cuts(case: Case) -> list[list[Piece]]:
    """The output cut into as few pieces as fit several limits, down to the least."""
    sizes, found = Sizes(case, case.input.shape), []
    for room in (10**12, sizes.of_images(1), sizes.of_rows(3), 10**4, 0):
        cut = pieces(case, case.input.shape, room)
        if cut is not None and cut not in found:
            found.append(cut)
    return found


def smallest(case: Case) -> list[Piece]:
    """One matrix product at a time."""
    sizes = Sizes(case, case.input.shape)
    step = blocked.rows_at_once(case.kernel.shape, [axis.size for axis in sizes.axes], case.attributes.groups)
    found = pieces(case, case.input.shape, sizes.of_rows(step))
    assert found is not None and len(found) >= 4
    return found


def test_references(case: Case) -> None:
    whole, data = reference(case), case_data(case)
    for cut in (*cuts(case), smallest(case)):
        for name in ("output", "real", "magnitude", "slack"):
            tensor = getattr(whole, name)
            joined = np.full_like(tensor, np.nan)
            for piece in cut:
                piece.of(joined)[...] = getattr(reference_of_piece(case, data, piece), name)
            assert joined.tobytes() == tensor.tobytes(), name


BASES: dict[str, tuple[Basis, ...]] = {
    "fp32": ("fp32", "winograd", "fft"),
    "fp16": ("fp32", "fp16", "fp32_rounded", "winograd", "fft"),
    "int8": ("fp32", "int32"),
}


def test_bounds(case: Case) -> None:
    data = case_data(case)
    for basis in BASES[case.precision]:
        whole = bound_on(case, reference(case), basis)
        joined = np.full_like(whole, np.nan)
        for piece in smallest(case):
            result = reference_of_piece(case, data, piece)
            piece.of(joined)[...] = bound_on(case, result, basis, [Operands(case, data)], piece.images)
        assert joined.tobytes() == whole.tobytes(), basis


WRONG = {
    "nothing": lambda y: None,
    "one": lambda y: y[1:2, 2, 3].__imul__(2.0),
    "everything": lambda y: y.__iadd__(9.0),
    "the last image": lambda y: y[-1].__iadd__(9.0),
    "one map": lambda y: y[:, 1].__iadd__(9.0),
    "the last column": lambda y: y[..., -1].__iadd__(9.0),
    "the border": lambda y: [y[:, :, 0].__iadd__(9.0), y[..., -1].__iadd__(9.0), y[..., 0].__iadd__(9.0)],
    "not finite": lambda y: y[0, 0, 0].__iadd__(np.inf),
    "two of them": lambda y: [y[0, 0, 0].__iadd__(np.inf), y[-1, -1, -1].__iadd__(3.0)],
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_comparisons(case: Case, wrong: Any) -> None:
    result = reference(case)
    actual = result.output.astype(NUMPY_TYPE[case.data_type])
    wrong(actual)
    limits = bound_on(case, result, "fp32")
    whole = compare(actual, result.output, limits)
    for cut in (*cuts(case), smallest(case), smallest(case)[::-1]):
        tally = Tally(actual.shape, actual.dtype)
        for piece in cut:
            rest = (0,) * (actual.ndim - len(piece.offset))
            tally.add((*piece.offset, *rest), piece.of(actual), piece.of(result.output), piece.of(limits))
        assert tally.comparison() == whole


def test_pieces_cover_the_output_once(case: Case) -> None:
    for cut in (*cuts(case), smallest(case)):
        seen = np.zeros(reference(case).output.shape, dtype=int)
        for piece in cut:
            piece.of(seen)[...] += 1
        assert (seen == 1).all()


def test_what_does_not_fit_is_not_cut(case: Case) -> None:
    assert pieces(case, case.input.shape, 1000) is None
    assert pieces(make_case(input={"shape": [2, 2, 1, 6, 9], "fill": "ones"}), (2, 2, 1, 6, 9), 10**9) is None


def test_without_channels_there_is_only_the_bias() -> None:
    given = layer([2, 0, 6, 6], [3, 0, 3, 3])
    assert Operands(given, case_data(given)).largest.shape == (2, 0)
    assert (bound_on(given, reference(given), "fp32") < 1e-6).all()


@pytest.mark.parametrize("kernel", [[4, 16, 3, 3], [16, 16, 1, 1]])
def test_an_image_with_a_further_layer_takes_no_more_than_is_estimated(kernel: list[int]) -> None:
    """The layer's output is four times as large as the network's input, and up to four times as large as its output."""
    further = {"shape": kernel, "fill": "uniform", "seed": 6, "padding_nd": [kernel[-1] // 2] * 2}
    given = layer([1, 4, 256, 256], [16, 4, 3, 3], set={"padding_nd": [1, 1]}, precision="fp16")
    steps = make_case(epilogue=[{"op": "convolution", "layer": further}]).epilogue
    given = given.model_copy(update={"epilogue": steps})
    data, sizes = case_data(given), Sizes(given, given.input.shape)
    actual = np.zeros(sizes.output, NUMPY_TYPE[given.data_type])
    tracemalloc.start()
    try:
        result = reference_of_piece(given, data, Piece(slice(0, 1), slice(0, 256), is_whole=True))
        limits = bound_on(given, result, "fp32", [Operands(given, data)])
        compare(actual, *network_result(given, result, limits, given.input.shape, None))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sizes.of_images(1) / 4 < peak < sizes.of_images(1)


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_a_piece_takes_no_more_than_is_estimated(precision: str) -> None:
    quantize = {"quantize": QUANTIZED} if precision == "int8" else {}
    for channels, maps in ((4, 4), (16, 1), (1, 16)):
        given = layer([1, channels, 256, 256], [maps, channels, 3, 3], precision=precision, **quantize)
        data, sizes = case_data(given), Sizes(given, given.input.shape)
        actual = np.zeros(sizes.output, NUMPY_TYPE[given.data_type])
        tracemalloc.start()
        try:
            result = reference_of_piece(given, data, Piece(slice(0, 1), slice(0, sizes.output[2])))
            limits = bound_on(given, result, "fp32", [Operands(given, data)])
            compare(actual, result.output, limits)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert sizes.of_images(1) / 4 < peak < sizes.of_images(1)
