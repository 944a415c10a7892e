"""Wrong for some numbers of channels, output maps and groups."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.support.conditional.changes import channel, copied, flat_terms, of_each_group, part, weights, zeroed
from tests.support.conditional.conditions import (
    biased,
    channels,
    depthwise,
    groups,
    maps,
    outs,
    strides,
    taps,
    window,
)
from trt_conformance.core.arrays import Array
from trt_conformance.core.case import Case
from trt_conformance.mutants.arithmetic import terms_of
from trt_conformance.mutants.mutant import Mutant
from trt_conformance.mutants.operands import biased as with_bias


def channels_of_a_group() -> Iterator[Mutant]:
    yield Mutant(
        "b_c_int8_vector",
        "int8 channels past a multiple of 4 are not read where there are more than 32",
        lambda c: c.precision == "int8" and channels(c) > 32 and channels(c) % 4 > 0,
        multiply=weights(lambda w, c: (slice(None), slice(channels(c) // 4 * 4, None))),
    )
    yield Mutant(
        "b_c_split",
        "sums of more than 2048 terms are split in two: the last term of the first half is added twice",
        lambda c: terms_of(c) > 2048 and terms_of(c) % 2 == 1,
        multiply=flat_terms(lambda n: n // 2, 2.0),
    )
    yield Mutant(
        "b_c_image",
        "the third channel of an image is not read in the first column of taps with stride 2",
        lambda c: channels(c) == 3 and groups(c) == 1 and strides(c)[-1] == 2,
        multiply=weights(lambda w, c: (slice(None), 2, ..., 0)),
    )
    yield Mutant(
        "b_c_half_odd",
        "the last of an odd number of 33 or more channels is added twice in FP16 and BF16",
        lambda c: c.precision in ("fp16", "bf16") and channels(c) >= 33 and channels(c) % 2 == 1,
        multiply=weights(channel(-1), 2.0),
    )
    yield Mutant(
        "b_c_stage",
        "two stages of 32 channels: of 33 to 63, those past 32 are not read",
        lambda c: 32 < channels(c) < 64,
        multiply=weights(channel(slice(32, None))),
    )
    yield Mutant(
        "b_c_power_plane",
        "of 2^n - 1 channels, 63 or more, the last misses the taps behind the first",
        lambda c: channels(c) >= 63 and (channels(c) + 1).bit_count() == 1 and taps(c) > 1,
        multiply=weights(lambda w, c: (slice(None), -1, ..., slice(1, None))),
    )


def bias_of_first(bias: Array, case: Case) -> Array:
    """Past the last whole 32 maps, the biases of the first maps are added."""
    bias = bias.copy()
    whole = len(bias) // 32 * 32
    bias[whole:] = bias[: len(bias) - whole]
    return bias


def output_maps() -> Iterator[Mutant]:
    yield Mutant(
        "b_k_bias_vector",
        "of more than 64 maps, those past a multiple of 32 get the biases of the first",
        lambda c: maps(c) > 64 and maps(c) % 32 > 0 and biased(c),
        bias=with_bias(bias_of_first),
    )
    yield Mutant(
        "b_k_tile_96",
        "a tile of 96 maps: of 97 to 127, the maps from 97 on are those from the first on",
        lambda c: 96 < maps(c) < 128 and groups(c) == 1,
        sums=copied("K", lambda n: slice(96, n), lambda n: slice(0, n - 96)),
    )
    yield Mutant(
        "b_k_512",
        "maps beyond 512 have no sums",
        lambda c: maps(c) > 512,
        sums=zeroed(part("K", slice(512, None))),
    )
    yield Mutant(
        "b_k_uint16",
        "maps beyond 65,535 are not written",
        lambda c: maps(c) > 65_535,
        sums=zeroed(part("K", slice(65_535, None))),
    )
    yield Mutant(
        "b_k_tail_pixels",
        "the last map of an odd number above 16 misses its last pixel",
        lambda c: maps(c) > 16 and maps(c) % 2 == 1 and outs(c)[-1] % 2 == 1,
        sums=zeroed(lambda y, c: (..., maps(c) - 1, *(-1,) * c.spatial_rank)),
    )


def groups_of_channels() -> Iterator[Mutant]:
    yield Mutant(
        "b_g_uint16",
        "groups beyond 65,535 are not written",
        lambda c: groups(c) > 65_535,
        sums=lambda y, c: zeroed(part("K", slice(65_535 * (maps(c) // groups(c)), None)))(y, c),
    )
    yield Mutant(
        "b_g_wide_odd",
        "more than 16 channels of a group, an odd number: the last one is not read",
        lambda c: groups(c) > 1 and channels(c) > 16 and channels(c) % 2 == 1,
        multiply=weights(channel(-1)),
    )
    yield Mutant(
        "b_g_over_32_wide",
        "over 32 groups of several channels: the last group misses its last channel",
        lambda c: groups(c) > 32 and channels(c) > 1,
        multiply=weights(lambda w, c: (slice(-(maps(c) // groups(c)), None), -1)),
    )
    yield Mutant(
        "b_g_reducing",
        "a group with more channels than maps writes no last map where it has several",
        lambda c: groups(c) > 2 and channels(c) > maps(c) // groups(c) > 1,
        sums=zeroed(of_each_group(-1)),
    )
    yield Mutant(
        "b_g_power",
        "the last of 64 groups, or of a higher power of two, reads the weights of the first",
        lambda c: groups(c) >= 64 and groups(c).bit_count() == 1,
        kernel=_last_group_as_first,
    )
    yield Mutant(
        "b_dw_strided_wide",
        "over 128 channels of a depthwise layer with stride 2: the last column is not written",
        lambda c: depthwise(c) and groups(c) > 128 and strides(c)[-1] == 2,
        sums=zeroed(part("W", -1)),
    )
    yield Mutant(
        "b_dw_seven",
        "a depthwise window of 7 columns or more misses its middle column",
        lambda c: depthwise(c) and window(c)[-1] >= 7,
        multiply=weights(lambda w, c: (..., window(c)[-1] // 2)),
    )
    yield Mutant(
        "b_dw_five_channels",
        "channels beyond 64 of a depthwise 5x5 layer miss the last tap",
        lambda c: depthwise(c) and groups(c) > 64 and window(c)[-2:] == (5, 5),
        multiply=weights(lambda w, c: (slice(64, None), ..., -1, -1)),
    )


def _last_group_as_first(kernel: Array, case: Case) -> Array:
    size, wrong = maps(case) // groups(case), np.array(kernel)
    wrong[-size:] = kernel[:size]
    return wrong
