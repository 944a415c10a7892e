"""Error bounds for GPU kernels that transform: Winograd and FFT. They apply to the largest element, not to each.

Such kernels compute the outputs of a tile from sums over the whole tile, so the error of an element grows with the
largest values around it, not with its own products.

Winograd: Barabasz, Anderson, Soodhalter and Gregg, Error analysis and improving the accuracy of Winograd
convolution for deep neural networks, ACM Trans. Math. Softw. 46(4), 2020: along each axis

    |computed - exact| <= ((1 + u)^steps - 1) * |A^T| (|G||w| * |B^T||x|)

FFT: Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., Theorem 24.2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from typing import Literal, NamedTuple

import numpy as np

from trt_conformance.core.arrays import Float64
from trt_conformance.core.attributes import Attributes
from trt_conformance.core.case import Case
from trt_conformance.core.tensors import representable
from trt_conformance.core.types import DATA_TYPE, Precision
from trt_conformance.numerics.bounds.elementwise import (
    EPILOGUE_STEPS,
    FLOAT32_ROUNDOFF,
    ROUNDING,
    arithmetic_of,
    gamma,
    narrowest,
    output_bound,
    runs_of,
)
from trt_conformance.numerics.bounds.operands import Operands, grain
from trt_conformance.numerics.reference.quantization import grid_of, scales
from trt_conformance.numerics.reference.result import Result

Matrix = tuple[tuple[Fraction, ...], ...]

POINTS = tuple(map(Fraction, ("0", "1", "-1", "2", "-2", "1/2", "-1/2")))
"""The finite points at which Lavin and Gray evaluate (Fast algorithms for convolutional neural networks, CVPR 2016)."""

WIDEST_WINDOW = len(POINTS) + 1
"""The most taps along an axis for which there is a Winograd transform, of one output."""

DYADIC_POINTS = 3
"""The first points, 0, 1 and -1, with which the entries of all matrices are sums of powers of two."""

# With a window of three, the points allow tiles of up to six. In less than float32, tiles above two lose every digit.
LARGEST_TILE: dict[Precision, int] = {"fp32": 6, "tf32": 2, "fp16": 2, "bf16": 2}

TRANSFORM_ROUNDOFF: dict[Precision, float] = {
    precision: ROUNDING[DATA_TYPE[precision]][0] for precision in LARGEST_TILE
}
"""Error of one step of a Winograd transform, in the type of its results. An FFT is computed in float32."""

TRANSFORMED: dict[str | None, Precision] = {None: "fp32", "float16": "fp16", "bfloat16": "bf16"}
"""The precision of transformed values in a quantized layer, by the type of the tensors between its Q and DQ layers."""


class Transforms(NamedTuple):
    """F(m, r) in one dimension: ``m`` outputs are A^T ((G w) * (B^T x)), ``*`` elementwise."""

    output: Matrix
    kernel: Matrix
    input: Matrix


class Growth(NamedTuple):
    """The largest transformed value over the product of the largest operands, and the number of roundings before it."""

    factor: float
    steps: int


def transforms(tile: int, window: int) -> Transforms:
    """Return the Toom-Cook matrices of F(tile, window).

    Raises:
        ValueError: there are too few points for so large a tile and window.
    """
    finite = tile + window - 2
    if finite > len(POINTS):
        raise ValueError(f"F({tile}, {window}) needs {finite} points, there are {len(POINTS)}")
    points = POINTS[:finite]
    others = [[q for q in points if q != p] for p in points]
    at_infinity = [Fraction(0)] * finite + [Fraction(1)]
    output = [[p**i for p in points] + [Fraction(i == tile - 1)] for i in range(tile)]
    kernel = [
        [p**k / math.prod((p - q for q in rest), start=Fraction(1)) for k in range(window)]
        for p, rest in zip(points, others, strict=True)
    ]
    inputs = [[*_polynomial(rest), Fraction(0)] for rest in others]
    return Transforms(
        _matrix(output), _matrix([*kernel, at_infinity[-window:]]), _matrix([*inputs, _polynomial(points)])
    )


def _polynomial(roots: Sequence[Fraction]) -> list[Fraction]:
    """Return the coefficients of the product of all (x - root), the constant first."""
    coefficients = [Fraction(1)]
    for root in roots:
        shifted, scaled = [Fraction(0), *coefficients], [*(-root * c for c in coefficients), Fraction(0)]
        coefficients = [a + b for a, b in zip(shifted, scaled, strict=True)]
    return coefficients


def _matrix(rows: Sequence[Sequence[Fraction]]) -> Matrix:
    return tuple(tuple(row) for row in rows)


@cache
def winograd_growth(tile: int, window: int) -> Growth:
    """Return the growth of F(tile, window) along one axis. Scaling rows of G against B^T does not change it."""
    if window == 1:
        return Growth(1.0, 0)
    matrices = transforms(tile, window)
    kernel, inputs = (np.asarray(_row_sums(m)) for m in (matrices.kernel, matrices.input))
    factor = max(sum(abs(a) * v for a, v in zip(row, kernel * inputs, strict=True)) for row in matrices.output)
    return Growth(float(factor), sum(_steps(matrix) for matrix in matrices))


def _row_sums(matrix: Matrix) -> list[Fraction]:
    return [sum(map(abs, row), start=Fraction(0)) for row in matrix]


def _steps(matrix: Matrix) -> int:
    """Return the roundings of a transformed value: one for each entry of a row, and one where an entry is inexact."""
    inexact = any(entry.denominator & (entry.denominator - 1) for row in matrix for entry in row)
    return max(sum(entry != 0 for entry in row) for row in matrix) + inexact


def transformed_in(case: Case) -> Precision:
    """Return the precision of transformed operands: int8 and FP8 operands have sums that their type does not hold."""
    return narrowest(case) if case.quantize is None else TRANSFORMED[case.quantize.between]


def normwise_bound(
    case: Case,
    result: Result,
    algorithm: Literal["winograd", "fft"] = "winograd",
    tile: int | None = None,
    runs: Sequence[Operands] | None = None,
    images: slice = slice(None),
) -> Float64:
    """Return the largest error that any element of a transforming kernel can have: one value a map of an image.

    Args:
        case: determines the arithmetic.
        result: the reference result of one of its run shapes.
        algorithm: Winograd in tiles, or FFT over the whole image or any part of it.
        tile: the largest Winograd tile along an axis, in outputs; by default the largest in use in the precision.
        runs: as in `elementwise.bound`.
        images: those of which the result is a piece.

    Returns:
        Non-negative float64 of the output's shape.

    Raises:
        ValueError: the window is too large for a Winograd transform.
    """
    arithmetic = arithmetic_of(case)
    limits = []
    for operands in runs_of(case, result) if runs is None else runs:
        found = transform_error(case, _read(operands, near_tie=bool(result.slack.any())), algorithm, tile)
        limits.append(found[images].reshape(*result.real.shape[: -case.spatial_rank - 1], *operands.bias.shape))
    spread = np.max(limits, axis=0) + result.slack + result.terms * arithmetic.step_tiny
    return output_bound(case, result, spread, arithmetic)


def transform_error(case: Case, read: Read, algorithm: Literal["winograd", "fft"], tile: int | None = None) -> Float64:
    """Return the largest error of a transformed sum before it is written; ``(N, K, 1, 1)``, or one axis more.

    Args:
        case: determines the arithmetic alone, so that it may be another layer's than that of the operands.
        read: the operands.
        algorithm: as in `normwise_bound`.
        tile: as in `normwise_bound`.

    Raises:
        ValueError: as `normwise_bound` does.
    """
    arithmetic = arithmetic_of(case)
    steps = read.kernel.shape[1] + 1 + (EPILOGUE_STEPS if case.quantize is not None else 0)
    adding = (1 + arithmetic.read) ** 2 * (1 + gamma(steps, arithmetic.step))
    size, error = _winograd(read, case, tile) if algorithm == "winograd" else _fft(read)
    largest = size.reshape(*size.shape, *(1,) * len(read.sizes)) + read.bias
    return np.asarray(((1 + error) * adding - 1) * largest)


def nearly_exact_bound(
    case: Case,
    result: Result,
    algorithm: Literal["winograd", "fft"],
    runs: Sequence[Operands] | None = None,
    images: slice = slice(None),
) -> Float64:
    """Return the largest error of a transforming kernel on a case whose sums are exact; of the output's shape.

    Every exact output is a multiple of one power of two, the grain, and so is the difference that a missing, moved or
    repeated product makes. If the transforms round nothing either, a right kernel has no error, whatever the tile that
    it chose below the largest: the bound is a quarter of the grain. Elsewhere it is that of `normwise_bound`.

    ``runs`` and ``images`` are those of `normwise_bound`.

    Raises:
        ValueError: as `normwise_bound` does.
    """
    runs = runs_of(case, result) if runs is None else runs
    limits = normwise_bound(case, result, algorithm, runs=runs, images=images)
    if algorithm == "fft" or (case.quantize is not None and case.quantize.output is not None):
        return limits
    quarter = math.inf
    for operands in runs:
        if not _transforms_exactly(operands, case):
            return limits
        quarter = min(quarter, operands.grain * operands.kernel_grain / 4, grain(operands.bias) / 4)
    arithmetic = arithmetic_of(case)
    write = arithmetic.write * (np.abs(result.real) + quarter) + arithmetic.write_tiny
    # Where the output type is as coarse as the grain, writing restores a representable result.
    restored = representable(result.real, case) & (write >= 2 * quarter)
    return np.minimum(limits, quarter + np.where(restored, 0.0, write))


def _transforms_exactly(operands: Operands, case: Case) -> bool:
    """Return whether Winograd tiles of the largest size round nothing: every value fits the type of the transforms."""
    largest = LARGEST_TILE[transformed_in(case)]
    windows = [f for f in case.kernel.shape[2:] if f > 1]
    if any(f + largest - 2 > DYADIC_POINTS for f in windows):
        return False
    w, largest_x = operands.kernel, operands.largest.max(initial=0.0)
    of_x, of_w = operands.grain, grain(w)
    arithmetic = arithmetic_of(case)
    bits = 1 / TRANSFORM_ROUNDOFF[transformed_in(case)]
    read = min(bits, 2.0**arithmetic.read_bits) if arithmetic.read else bits
    high_x, high_w, unit, high = largest_x, np.abs(w).max(initial=0.0), of_w, 1.0
    for f in windows:
        matrices = transforms(largest, f)
        high_x *= float(max(_row_sums(matrices.input)))
        high_w *= float(max(_row_sums(matrices.kernel)))
        high *= winograd_growth(largest, f).factor
        unit /= math.lcm(*(entry.denominator for row in matrices.kernel for entry in row))
    sums = high * w.shape[1] * largest_x * np.abs(w).max(initial=0.0)
    return bool(high_x <= read * of_x and high_w <= read * unit and sums <= bits * unit * of_x)


class Read(NamedTuple):
    """The operands of a layer as a kernel may read them, all in magnitude.

    ``largest`` and ``norm``: of each image and channel of the input, ``(N, C)``; ``sizes`` are its spatial sizes.
    ``kernel``: ``(K, C/groups, *window)``. ``bias``: ``(K, 1, 1)``, or one axis more.
    """

    largest: Float64
    norm: Float64
    kernel: Float64
    bias: Float64
    sizes: tuple[int, ...]
    attributes: Attributes


def _read(operands: Operands, near_tie: bool) -> Read:
    """Return the operands; where some are quantized near a tie, every value may be one step of its type larger."""
    case, w = operands.case, np.abs(operands.kernel)
    largest, norm, sizes = operands.largest, operands.norm, operands.data.input.shape[-case.spatial_rank :]
    if near_tie and case.quantize is not None:
        grid = grid_of(case.precision)
        if case.quantize.passes("input"):
            scale = scales(case.quantize.scales_of("input")[1], largest.ndim)
            step = grid.spacing(largest / scale) * scale
            largest, norm = largest + step, norm + math.sqrt(math.prod(sizes)) * step
        if case.quantize.passes("kernel"):
            scale = scales(case.quantize.scales_of("kernel")[1], w.ndim)
            w = w + grid.spacing(w / scale) * scale
    return Read(largest, norm, w, np.abs(operands.bias), sizes, case.attributes)


def _winograd(read: Read, case: Case, tile: int | None) -> tuple[Float64, float]:
    """Return the largest transformed sum of each map, and the relative error of its transforms and products."""
    largest, precision = [Growth(1.0, 0)], transformed_in(case)
    for window in read.kernel.shape[2:]:
        tiles = range(1, min(tile or LARGEST_TILE[precision], WIDEST_WINDOW + 1 - window) + 1)
        if not tiles:
            raise ValueError(f"no Winograd transform has a window of {window}")
        options = [winograd_growth(m, window) for m in tiles]
        largest.append(Growth(max(g.factor for g in options), max(g.steps for g in options)))
    w = read.kernel
    size = _channel_sums(read, read.largest, w.max(axis=tuple(range(2, w.ndim)), initial=0.0))
    error = gamma(1 + sum(g.steps for g in largest), TRANSFORM_ROUNDOFF[precision])
    return size * math.prod(g.factor for g in largest), error


def _fft(read: Read) -> tuple[Float64, float]:
    """Return the norm of the transformed sum of each map, and the relative error of three transforms and a product.

    In the 2-norm a transform of N points scales by sqrt(N); so |x w| <= sqrt(N) |x| |w| after the inverse transform.
    """
    a, w = read.attributes, read.kernel
    spans = [
        size + 2 * max(pre, post) + d * f
        for size, pre, post, d, f in zip(read.sizes, a.pre, a.post, a.dilation, w.shape[2:], strict=True)
    ]
    levels = sum(math.ceil(math.log2(span)) for span in spans)
    roundoff = FLOAT32_ROUNDOFF
    butterfly = roundoff + gamma(4, roundoff) * (math.sqrt(2) + roundoff)
    transform = gamma(levels, butterfly)
    product = 1 + math.sqrt(2) * gamma(2, roundoff)
    norm_of_kernel = np.sqrt((w**2).sum(axis=tuple(range(2, w.ndim))))
    size = 2.0 ** (levels / 2) * _channel_sums(read, read.norm, norm_of_kernel)
    return size, (1 + transform) ** 3 * product - 1


def _channel_sums(read: Read, x: Float64, w: Float64) -> Float64:
    """Return ``(N, K)``: for each image and map, the sum over the channels of the group of image times kernel."""
    groups = read.attributes.groups
    images = x.reshape(len(x), groups, 1, w.shape[1])
    maps = w.reshape(1, groups, len(w) // groups, w.shape[1])
    return np.asarray((images * maps).sum(axis=-1).reshape(len(x), len(w)))
