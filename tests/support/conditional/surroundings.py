"""Wrong after the layer, in a type, by the way of the weights."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from tests.support.conditional.changes import (
    added_first_image,
    at,
    away_from_zero,
    backwards,
    channel,
    copied_late,
    in_halves,
    last_zero,
    narrowed,
    no_bias,
    part,
    scales_by,
    symmetric,
    weights,
    without,
    zeroed,
)
from tests.support.conditional.conditions import (
    batch,
    biased,
    channels,
    ends_in,
    groups,
    maps,
    outs,
    scales_of_maps,
    strides,
)
from trt_conformance.mutants.arithmetic import terms_of
from trt_conformance.mutants.mutant import Mutant
from trt_conformance.mutants.operands import biased as with_bias


def epilogues() -> Iterator[Mutant]:
    yield Mutant(
        "e_relu_tail",
        "relu leaves out the maps past a multiple of 8",
        lambda c: ends_in(c, "relu") and maps(c) > 8 and maps(c) % 8 > 0,
        epilogue=without("relu", lambda y, c: at(c, "K", slice(maps(c) // 8 * 8, maps(c)))),
    )
    yield Mutant(
        "e_add_image",
        "each image gets the first one added",
        lambda c: ends_in(c, "add") and batch(c) > 1,
        epilogue=added_first_image,
    )
    yield Mutant(
        "e_concat_odd",
        "concat begins at the second of an odd number of channels",
        lambda c: ends_in(c, "concat") and c.run_shapes[0][1] > 1 and c.run_shapes[0][1] % 2 == 1,
        epilogue=copied_late,
    )
    yield Mutant(
        "e_clip_column",
        "clip leaves out the last of an odd number of columns",
        lambda c: ends_in(c, "clip") and outs(c)[-1] % 2 == 1,
        epilogue=without("clip", part("W", -1)),
    )
    yield Mutant(
        "e_relu_wide",
        "relu is left out without a bias and with more than 32 maps",
        lambda c: ends_in(c, "relu") and not biased(c) and maps(c) > 32,
        epilogue=without("relu", lambda y, c: (...,)),
    )
    yield Mutant(
        "e_order",
        "two operations are applied in the opposite order",
        lambda c: len(c.epilogue) == 2 and not ends_in(c, "concat"),
        epilogue=backwards,
    )


def quantized() -> Iterator[Mutant]:
    yield Mutant(
        "q_scales_mod_4",
        "each fifth map uses the scale of the first",
        lambda c: scales_of_maps(c) > 4,
        scales=scales_by(lambda n: np.arange(n) % 4),
    )
    yield Mutant(
        "q_scales_32",
        "maps beyond 32 use the first scale",
        lambda c: scales_of_maps(c) > 32,
        scales=scales_by(lambda n: np.where(np.arange(n) < 32, np.arange(n), 0)),
    )
    yield Mutant(
        "q_16_bits",
        "int8 sums of more than 512 terms saturate at 2^15 steps",
        lambda c: c.precision == "int8" and terms_of(c) > 512,
        sums=lambda y, c: np.clip(y, -(2**15), 2**15),
    )
    yield Mutant(
        "q_ties",
        "an int8 output is rounded half away from zero with an odd number of maps",
        lambda c: (
            c.precision == "int8" and c.quantize is not None and c.quantize.output is not None and maps(c) % 2 == 1
        ),
        quantize=away_from_zero,
    )
    yield Mutant(
        "q_128",
        "an int8 output has no -128 with more than 8 maps",
        lambda c: c.precision == "int8" and maps(c) > 8,
        quantize=symmetric,
    )


def types() -> Iterator[Mutant]:
    yield Mutant(
        "q_fp8_tail",
        "FP8 channels past a multiple of 16 are not read",
        lambda c: c.precision == "fp8" and channels(c) > 16 and channels(c) % 16 > 0,
        multiply=weights(lambda w, c: (slice(None), slice(channels(c) // 16 * 16, None))),
    )
    yield Mutant(
        "q_io",
        "the last column is not written if the network reads int8 and the width is no multiple of 4",
        lambda c: c.quantize is not None and c.quantize.io_quantization and outs(c)[-1] % 4 > 0,
        sums=zeroed(part("W", -1)),
    )
    yield Mutant(
        "half_sums",
        "FP16 sums are rounded each 256 terms",
        lambda c: c.precision == "fp16" and terms_of(c) > 256,
        multiply=in_halves,
    )
    yield Mutant(
        "tf32_for_fp32",
        "FP32 layers of more than 64 channels compute in TF32",
        lambda c: c.precision == "fp32" and channels(c) > 64,
        multiply=narrowed,
    )
    yield Mutant(
        "bf16_bias",
        "the bias of BF16 layers with more than 16 maps is dropped",
        lambda c: c.precision == "bf16" and maps(c) > 16 and biased(c),
        bias=with_bias(no_bias),
    )


def routes() -> Iterator[Mutant]:
    yield Mutant(
        "by_input_grouped",
        "a kernel given by set_input is rotated by one group",
        lambda c: c.weights == "set_input" and c.quantize is None and groups(c) > 1,
        kernel=lambda w, c: np.roll(w, maps(c) // groups(c), axis=0),
    )
    yield Mutant(
        "by_setters",
        "the bias given by a setter is dropped for more than 16 maps",
        lambda c: c.weights == "setters" and maps(c) > 16 and biased(c),
        bias=with_bias(no_bias),
    )
    yield Mutant(
        "bias_by_input",
        "the last of an odd number of biases given by set_input is 0",
        lambda c: c.bias_by_set_input and maps(c) % 2 == 1,
        bias=with_bias(last_zero),
    )
    yield Mutant(
        "no_bias",
        "without a bias, more than 64 maps get 1",
        lambda c: not biased(c) and maps(c) > 64,
        sums=lambda y, c: y + 1,
    )


def formats() -> Iterator[Mutant]:
    yield Mutant(
        "strided_3d_grouped",
        "a grouped strided layer in 3D misses its last row",
        lambda c: c.spatial_rank == 3 and groups(c) > 1 and max(strides(c)) > 1,
        sums=zeroed(part("H", -1)),
    )
    yield Mutant(
        "input_2_16",
        "the last channel of an input of more than 2^16 elements is not read",
        lambda c: math.prod(c.run_shapes[0]) > 2**16 and channels(c) > 1,
        multiply=weights(channel(-1)),
    )
    yield Mutant(
        "kernel_2_14",
        "weights of more than 2^14 elements: the last map misses its last channel",
        lambda c: math.prod(c.kernel.shape) > 2**14,
        multiply=weights(lambda w, c: (-1, -1)),
    )
    yield Mutant(
        "square_only",
        "a height other than the width of more than 16: the last row and column is not written",
        lambda c: min(outs(c)[-2:]) > 16 and outs(c)[-1] != outs(c)[-2],
        sums=zeroed(lambda y, c: (..., -1, -1)),
    )
