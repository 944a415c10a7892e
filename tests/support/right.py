"""Right convolutions that differ from each other: in the order of their sums, in how they round, in their algorithm.

A check that fails one of them is wrong. Each is a target with a name, made of the unmutated stages with another way of
summing products. Those whose bound depends on the GPU kernel report one, as an engine inspector does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import product

import numpy as np

from tests.support import arithmetic
from trt_conformance.core.arrays import Array
from trt_conformance.core.attributes import Attributes
from trt_conformance.core.case import Case
from trt_conformance.core.tensors import parameters
from trt_conformance.mutants.mutant import UNMUTATED, MutantEngine, MutantTarget, multiply, per_map
from trt_conformance.numerics.bounds.transforms import transforms
from trt_conformance.numerics.reference.blocked import convolve
from trt_conformance.numerics.reference.result import reference
from trt_conformance.targets.protocols import EngineFacts, LayerFacts

Multiply = Callable[[Array, Array, Attributes, Case], Array]
Sums = Callable[[Array, Array], Array]
"""Sums ``x * w`` over the last axis, of float32 arrays ``(rows, 1, K)`` and ``(1, maps, K)``."""

NARROW = ("tf32", "fp16", "bf16")
HALF = ("fp16", "bf16")
FLOATS = ("fp32", *NARROW)
QUANTIZED = ("int8", "fp8")


def windows(x: Array, kernel: Array, attributes: Attributes) -> Iterator[tuple[Array, Array]]:
    """For each group, the rows ``(N * positions, terms)`` that its windows read, and its kernel ``(maps, terms)``."""
    rank, groups = kernel.ndim - 2, attributes.groups
    images = x.reshape(-1, *x.shape[-rank - 1 :])
    taps = list(product(*map(range, kernel.shape[2:])))
    for images_of, kernel_of in zip(np.split(images, groups, 1), np.split(kernel, groups, 0), strict=True):
        sizes = _sizes(x, kernel, attributes)
        read = []
        for tap in taps:
            at = tuple(
                slice(f * d, f * d + (n - 1) * s + 1, s)
                for f, d, n, s in zip(tap, attributes.dilation, sizes, attributes.stride, strict=True)
            )
            read.append(images_of[(..., *at)])
        seen = np.moveaxis(np.stack(read, 2).reshape(len(images), -1, math.prod(sizes)), 1, 2)
        yield seen.reshape(-1, seen.shape[-1]), kernel_of.reshape(len(kernel_of), -1)


def _sizes(x: Array, kernel: Array, attributes: Attributes) -> tuple[int, ...]:
    return tuple(
        (n - 1 - d * (f - 1)) // s + 1
        for n, f, d, s in zip(
            x.shape[2 - kernel.ndim :], kernel.shape[2:], attributes.dilation, attributes.stride, strict=True
        )
    )


def by_terms(sums: Sums, order: Callable[[int], Array] | None = None) -> Multiply:
    """A convolution that sums each output's products by ``sums``, in the given order of the terms."""

    def total(x: Array, kernel: Array, attributes: Attributes, case: Case) -> Array:
        if not x.size:
            return multiply(x, kernel, attributes, case)
        sizes, parts = _sizes(x, kernel, attributes), []
        for rows, maps in windows(x, kernel, attributes):
            places = np.arange(rows.shape[1]) if order is None else order(rows.shape[1])
            parts.append(sums(rows[:, None, places], maps[None][:, :, places]))
        y = np.concatenate(parts, axis=1)
        batch = x.shape[: 1 - kernel.ndim]
        y = np.moveaxis(y.reshape(-1, math.prod(sizes), len(kernel)), 1, 2)
        return np.ascontiguousarray(y.reshape(*batch, len(kernel), *sizes)).astype(x.dtype)

    return total


def sequential(x: Array, w: Array, dtype: type = np.float32) -> Array:
    total = np.zeros((len(x), w.shape[1]), dtype)
    for k in range(x.shape[-1]):
        total = total + (x[..., k] * w[..., k]).astype(dtype)
    return total


def fused(x: Array, w: Array, dtype: type = np.float32) -> Array:
    total = np.zeros((len(x), w.shape[1]), dtype)
    for k in range(x.shape[-1]):
        total = (total.astype(np.float64) + x[..., k].astype(np.float64) * w[..., k]).astype(dtype)
    return total


def wide(x: Array, w: Array) -> Array:
    return np.asarray((x.astype(np.float64) * w).sum(-1).astype(np.float32))


def kahan(x: Array, w: Array) -> Array:
    total = np.zeros((len(x), w.shape[1]), np.float32)
    lost = np.zeros_like(total)
    for k in range(x.shape[-1]):
        term = x[..., k] * w[..., k] - lost
        after = total + term
        lost, total = (after - total) - term, after
    return total


def pairwise(x: Array, w: Array) -> Array:
    sums = x * w
    while sums.shape[-1] > 1:
        if sums.shape[-1] % 2:
            sums = np.concatenate([sums, np.zeros_like(sums[..., :1])], axis=-1)
        sums = sums[..., 0::2] + sums[..., 1::2]
    return np.asarray(sums[..., 0])


def blocked(x: Array, w: Array, size: int, inner: Sums = sequential) -> Array:
    """Blocks of ``size`` terms, each summed alone, then added up."""
    total = np.zeros((len(x), w.shape[1]), np.float32)
    for k in range(0, x.shape[-1], size):
        total = total + inner(x[..., k : k + size], w[..., k : k + size])
    return total


def split(x: Array, w: Array, parts: int, inner: Sums = sequential) -> Array:
    """Threads that each sum every so many-th term, and whose sums are then added pairwise (split-K)."""
    partial_sums = [inner(x[..., i::parts], w[..., i::parts]) for i in range(min(parts, x.shape[-1]))]
    stacked = np.stack(partial_sums, axis=-1)
    return pairwise(stacked, np.ones((1, 1, stacked.shape[-1]), np.float32))


def by_size(x: Array, w: Array, largest_first: bool) -> Array:
    """Products in order of magnitude."""
    products = x * w
    order = np.argsort(np.abs(products), axis=-1)
    ordered = np.take_along_axis(products, order[..., ::-1] if largest_first else order, axis=-1)
    total = np.zeros(ordered.shape[:-1], np.float32)
    for k in range(ordered.shape[-1]):
        total = total + ordered[..., k]
    return total


def flushing(x: Array, w: Array) -> Array:
    """Subnormal operands, products and sums are 0."""

    def flushed(values: Array) -> Array:
        return np.where(np.abs(values) < np.float32(2.0**-126), np.float32(0), values)

    total = np.zeros((len(x), w.shape[1]), np.float32)
    for k in range(x.shape[-1]):
        total = flushed(total + flushed(flushed(x[..., k]) * flushed(w[..., k])))
    return total


def tensor_core(x: Array, w: Array, block: int, extra: int = 0) -> Array:
    """Blocks of exact products, aligned to the largest addend and truncated to 24 bits and ``extra``."""
    total = np.zeros((len(x), w.shape[1]))
    for k in range(0, x.shape[-1], block):
        products = x[..., k : k + block].astype(np.float64) * w[..., k : k + block]
        addends = np.concatenate([total[..., None], products], axis=-1)
        exponent = np.frexp(np.abs(addends).max(axis=-1, keepdims=True))[1]
        unit = np.ldexp(1.0, exponent - 24 - extra)
        total = arithmetic.significand((np.trunc(addends / unit) * unit).sum(axis=-1), 24)
    return total.astype(np.float32)


def rounded_operands(round_to: Callable[[Array], Array]) -> Multiply:
    """Operands rounded by the kernel before it multiplies: TF32 to nearest, say."""

    def total(x: Array, kernel: Array, attributes: Attributes, case: Case) -> Array:
        x, kernel = (round_to(t).astype(np.float32) for t in (x, kernel))
        return multiply(x, kernel, attributes, case)

    return total


def in_type(dtype: type, sums: Callable[..., Array] = fused) -> Multiply:
    """Sums in a narrower accumulator."""
    return by_terms(lambda x, w: sums(x, w, dtype).astype(np.float32))


def undilated(case: Case) -> bool:
    """Whether an FFT can convolve the case. The spectra of data near overflow do overflow."""
    return case.kernel.shape[1] > 0 and all(d == 1 for d in case.attributes.dilation) and not case.rounding


def fits_float16(case: Case) -> bool:
    """Whether no partial sum of the case can overflow a float16 accumulator, in whatever order it is summed."""
    largest = float(np.finfo(np.float16).max)
    return case.precision == "fp16" and all(
        bool((reference(case, shape).magnitude <= largest).all()) for shape in case.run_shapes
    )


def transformable(case: Case, window: int = 3) -> bool:
    a = case.attributes
    plain = all(s == 1 for s in a.stride) and all(d == 1 for d in a.dilation)
    return case.kernel.shape[1] > 0 and plain and all(f == window for f in case.kernel.shape[2:])


def winograd(tile: int) -> Multiply:
    """F(tile, 3) along every axis, as cuDNN's kernels: transforms in float32, or in the case's 16-bit type."""

    def total(x: Array, kernel: Array, attributes: Attributes, case: Case) -> Array:
        if not transformable(case):
            return multiply(x, kernel, attributes, case)
        rank, batch = kernel.ndim - 2, x.shape[: 1 - kernel.ndim]
        images = x.reshape(-1, *x.shape[-rank - 1 :])
        halves = parameters(case).kernel.dtype if case.precision in HALF else np.dtype(np.float32)
        output, weight, inputs = (np.asarray(m, dtype=np.float64) for m in transforms(tile, 3))

        def along(matrix: Array, tensor: Array, dtype: np.dtype) -> Array:
            for axis in range(-rank, 0):
                moved = np.moveaxis(tensor, axis, 0).astype(np.float32)
                rows = np.zeros((len(matrix), *moved.shape[1:]), np.float32)
                for i, row in enumerate(matrix):
                    for entry, term in zip(row, moved, strict=True):
                        rows[i] = rows[i] + np.float32(entry) * term
                tensor = np.moveaxis(rows, 0, axis).astype(dtype)
            return tensor

        u = along(weight, kernel, halves).astype(np.float32)
        if case.precision == "tf32":
            u = arithmetic.tf32_truncated(u).astype(np.float32)
        sizes = _sizes(x, kernel, attributes)
        y = np.zeros((len(images), len(kernel), *sizes), np.float32)
        groups, maps = attributes.groups, len(kernel) // attributes.groups
        for corner in product(*(range(0, size, tile) for size in sizes)):
            at = tuple(slice(c, c + tile + 2) for c in corner)
            seen = images[(..., *at)]
            short = [(0, 0), (0, 0), *((0, tile + 2 - n) for n in seen.shape[2:])]
            v = along(inputs, np.pad(seen, short), halves).astype(np.float32)
            if case.precision == "tf32":
                v = arithmetic.tf32_nearest(v).astype(np.float32)
            m = np.zeros((len(v), len(kernel), *v.shape[2:]), np.float32)
            for g in range(groups):
                own = slice(g * maps, (g + 1) * maps)
                for c in range(kernel.shape[1]):
                    m[:, own] += v[:, None, g * kernel.shape[1] + c] * u[None, own, c]
            done = along(output, m, np.dtype(np.float32))
            place = tuple(slice(c, c + tile) for c in corner)
            part = y[(..., *place)]
            part[...] = done[(..., *(slice(0, n) for n in part.shape[2:]))]
        return y.reshape(*batch, len(kernel), *sizes).astype(x.dtype)

    return total


def fft(x: Array, kernel: Array, attributes: Attributes, case: Case) -> Array:
    """By FFT over the whole padded image, the spectra in complex64."""
    if any(d != 1 for d in attributes.dilation):
        return multiply(x, kernel, attributes, case)
    rank, batch = kernel.ndim - 2, x.shape[: 1 - kernel.ndim]
    images = x.reshape(-1, *x.shape[-rank - 1 :]).astype(np.float32)
    axes = tuple(range(-rank, 0))
    size = [n + f - 1 for n, f in zip(images.shape[2:], kernel.shape[2:], strict=True)]
    flipped = np.flip(kernel.astype(np.float32), axes)
    spectra = [np.fft.rfftn(t, s=size, axes=axes).astype(np.complex64) for t in (images, flipped)]
    groups = attributes.groups
    parts = [
        np.einsum("nc...,kc...->nk...", a, b)
        for a, b in zip(np.split(spectra[0], groups, 1), np.split(spectra[1], groups, 0), strict=True)
    ]
    full = np.fft.irfftn(np.concatenate(parts, 1).astype(np.complex64), s=size, axes=axes)
    sizes = _sizes(x, kernel, attributes)
    at = tuple(
        slice(f - 1, f - 1 + (n - 1) * s + 1, s)
        for f, n, s in zip(kernel.shape[2:], sizes, attributes.stride, strict=True)
    )
    return np.asarray(full[(..., *at)].astype(np.float32).reshape(*batch, len(kernel), *sizes).astype(x.dtype))


def dequantized_first(x: Array, kernel: Array, attributes: Attributes, case: Case) -> Array:
    """int8 and FP8 computed in float32 on dequantized operands, as the network states it."""
    if case.quantize is None:
        return multiply(x, kernel, attributes, case)
    x_scale = np.float32(case.quantize.input)
    w_scale = np.asarray(case.quantize.kernel, np.float32).reshape(-1, *(1,) * (kernel.ndim - 1))
    y = convolve(x.astype(np.float32) * x_scale, kernel.astype(np.float32) * w_scale, None, attributes)
    # The stages that follow multiply by both scales.
    scale = x_scale.astype(np.float64) * w_scale.astype(np.float64)
    return np.asarray(y.astype(np.float64) / scale.reshape(-1, *(1,) * case.spatial_rank))


def zero_channels(x: Array, kernel: Array, attributes: Attributes, case: Case) -> Array:
    """Channels padded with zeros to a multiple of 8, as vector layouts have them."""
    if attributes.groups != 1:
        return multiply(x, kernel, attributes, case)
    axis, more = x.ndim - kernel.ndim + 1, -kernel.shape[1] % 8
    widths = [(0, 0)] * x.ndim
    widths[axis] = (0, more)
    return multiply(
        np.pad(x, widths), np.pad(kernel, [(0, 0), (0, more)] + [(0, 0)] * (kernel.ndim - 2)), attributes, case
    )


def bias_first(x: Array, kernel: Array, attributes: Attributes, case: Case) -> Array:
    """The accumulator starts at the bias."""
    bias = parameters(case).bias
    start = np.zeros(len(kernel), np.float32) if bias is None else bias.astype(np.float32)

    def sums(rows: Array, maps: Array) -> Array:
        total = np.zeros((len(rows), maps.shape[1]), np.float32) + next(starts)
        for k in range(rows.shape[-1]):
            total = total + rows[..., k] * maps[..., k]
        return total

    starts = iter(np.split(start, attributes.groups))
    return by_terms(sums)(x, kernel, attributes, case)


class Reports(MutantEngine):
    """An engine that reports the GPU kernel of its target."""

    kernel, rounds_sums = "", False

    def describe(self) -> EngineFacts:
        ran = {"tf32": "fp32"}.get(self.case.precision, self.case.precision)
        layer = LayerFacts("conv", "CaskConvolution", self.kernel, (), ())
        return EngineFacts((layer,), layer, ran, self.rounds_sums)


class Right(MutantTarget):
    """A right convolution, under its own name, in the precisions that it has; elsewhere the unmutated one."""

    def __init__(
        self,
        name: str,
        sums: Multiply,
        precisions: tuple[str, ...] = FLOATS,
        kernel: str | None = None,
        rounds_sums: bool = False,
        can: Callable[[Case], bool] = lambda case: True,
    ) -> None:
        changed = replace(UNMUTATED, name=name, multiply=sums)
        if sums is bias_first:
            changed = replace(changed, bias=lambda y, bias, case: y)
        if rounds_sums:
            changed = replace(changed, bias=_rounded_then_biased)
        super().__init__(changed)
        self.name, self.precisions, self.kernel, self.rounds_sums, self.can = name, precisions, kernel, rounds_sums, can

    def build(self, case: Case) -> MutantEngine:  # type: ignore[override]
        differs = case.precision in self.precisions and self.can(case)
        mutant = self.mutant if differs else UNMUTATED
        mutant.refuse(case)
        if self.kernel is None or not differs:
            return mutant.on(case)
        engine = Reports(case, mutant)
        engine.kernel, engine.rounds_sums = self.kernel, self.rounds_sums
        return engine


def _rounded_then_biased(y: Array, bias: Array, case: Case) -> Array:
    if case.precision not in HALF:
        return np.asarray(y + per_map(bias, case))
    return np.asarray(y.astype(parameters(case).kernel.dtype).astype(np.float32) + per_map(bias, case))


WINOGRAD = "ampere_scudnn_winograd_128x128_ldg1_ldg4_tile148t_nt_v1"
RIGHT: tuple[Right, ...] = (
    Right("sums in float64", by_terms(wide)),
    Right("sequential", by_terms(sequential)),
    Right("sequential, reversed", by_terms(sequential, lambda n: np.arange(n)[::-1])),
    Right("sequential, shuffled", by_terms(sequential, arithmetic.shuffle)),
    Right("fused", by_terms(fused)),
    Right("fused, reversed", by_terms(fused, lambda n: np.arange(n)[::-1])),
    Right("Kahan", by_terms(kahan)),
    Right("pairwise", by_terms(pairwise)),
    Right("blocks of 8", by_terms(partial(blocked, size=8))),
    Right("blocks of 32, fused", by_terms(partial(blocked, size=32, inner=fused))),
    Right("split in 4", by_terms(partial(split, parts=4))),
    Right("split in 32", by_terms(partial(split, parts=32, inner=fused))),
    Right("smallest first", by_terms(partial(by_size, largest_first=False))),
    Right("largest first", by_terms(partial(by_size, largest_first=True))),
    Right("subnormals flushed", by_terms(flushing)),
    Right("bias first", bias_first),
    Right("channels padded with zeros", zero_channels),
    Right("tensor core, blocks of 4", by_terms(partial(tensor_core, block=4)), NARROW),
    Right("tensor core, blocks of 8, one bit more", by_terms(partial(tensor_core, block=8, extra=1)), NARROW),
    Right("tensor core, blocks of 16, two bits more", by_terms(partial(tensor_core, block=16, extra=2)), NARROW),
    Right("TF32 operands to nearest", rounded_operands(arithmetic.tf32_nearest), ("tf32",)),
    Right("FP32 where TF32 is allowed", multiply, ("tf32",)),
    Right(
        "accumulator FP16",
        in_type(np.float16),
        ("fp16",),
        "sm80_xmma_fprop_implicit_gemm_f16f16_f16f16_f16_nhwc",
        can=fits_float16,
    ),
    Right("sums rounded before the bias", multiply, HALF, "sm90_xmma_fprop_image_first_layer_f16f16_f32", True),
    Right("Winograd F(2, 3)", winograd(2), (*FLOATS, *QUANTIZED), WINOGRAD, can=transformable),
    Right("Winograd F(4, 3)", winograd(4), ("fp32", *QUANTIZED), WINOGRAD, can=transformable),
    Right("Winograd F(6, 3)", winograd(6), ("fp32", *QUANTIZED), WINOGRAD, can=transformable),
    Right("FFT", fft, (*FLOATS, *QUANTIZED), "fft2d_r2c_32x32", can=undilated),
    Right(
        "quantized operands dequantized first",
        dequantized_first,
        QUANTIZED,
        can=lambda case: case.runs_in is None,  # it computes in float32
    ),
)
