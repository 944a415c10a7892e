"""Wrong at some places of an output: tiles, ends of planes, limits of indices."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tests.support.conditional.changes import copied, flat_tail, halo, part, pixel_tail, zeroed
from tests.support.conditional.conditions import batch, channels, maps, outs, pixels, sizes, strides, taps, window
from trt_conformance.mutants.mutant import Mutant


def columns_and_rows() -> Iterator[Mutant]:
    yield Mutant(
        "b_h_halo_32",
        "row 32 misses the last tap of a window of 2 or more rows",
        lambda c: outs(c)[-2] > 32 and window(c)[-2] > 1,
        multiply=halo("H", 32, -1),
    )
    yield Mutant(
        "b_w_halo_128",
        "column 128 misses its first tap",
        lambda c: outs(c)[-1] > 128 and window(c)[-1] > 1,
        multiply=halo("W", 128),
    )
    yield Mutant(
        "b_w_less_one",
        "the last column of 2^n - 1, 31 or more, equals the one before",
        lambda c: outs(c)[-1] >= 31 and (outs(c)[-1] + 1).bit_count() == 1,
        sums=copied("W", lambda n: -1, lambda n: -2),
    )
    yield Mutant(
        "b_h_past_power",
        "one row past a power of two, 32 or more, is not written",
        lambda c: outs(c)[-2] > 32 and (outs(c)[-2] - 1).bit_count() == 1,
        sums=zeroed(part("H", -1)),
    )
    yield Mutant(
        "b_pointwise_tail",
        "a 1x1 layer of more than 1024 pixels does not write those past a multiple of 64",
        lambda c: taps(c) == 1 and pixels(c) > 1024 and pixels(c) % 64 > 0,
        sums=pixel_tail(lambda n: n // 64 * 64),
    )
    yield Mutant(
        "b_d_last",
        "the last of more than 32 slices is not written",
        lambda c: c.spatial_rank == 3 and outs(c)[0] > 32,
        sums=zeroed(part("D", -1)),
    )
    yield Mutant(
        "b_bf16_odd_width",
        "the last column of an odd width above 64 is not written in BF16",
        lambda c: c.precision == "bf16" and outs(c)[-1] > 64 and outs(c)[-1] % 2 == 1,
        sums=zeroed(part("W", -1)),
    )


def limits_of_indices() -> Iterator[Mutant]:
    yield Mutant(
        "b_n_uint16",
        "images beyond 65,535 are those from the first on",
        lambda c: batch(c) > 65_535,
        sums=copied("N", lambda n: slice(65_535, n), lambda n: slice(0, n - 65_535)),
    )
    yield Mutant(
        "b_n_tail_128",
        "images past a multiple of 128 are not written",
        lambda c: batch(c) > 128 and batch(c) % 128 > 0,
        sums=lambda y, c: zeroed(part("N", slice(len(y) // 128 * 128, None)))(y, c) if len(y) > 128 else y,
    )
    yield Mutant(
        "b_d_uint16",
        "slices beyond 65,535 are not written",
        lambda c: c.spatial_rank == 3 and outs(c)[0] > 65_535,
        sums=zeroed(part("D", slice(65_535, None))),
    )
    yield Mutant(
        "b_w_int16_strided",
        "of rows longer than 32,767 elements, the last column is not written with a stride",
        lambda c: sizes(c)[-1] > 32_767 and strides(c)[-1] > 1,
        sums=zeroed(part("W", -1)),
    )
    yield Mutant(
        "b_h_int16",
        "rows beyond 32,767 are not written",
        lambda c: outs(c)[-2] > 32_767,
        sums=zeroed(part("H", slice(32_767, None))),
    )
    yield Mutant(
        "b_plane_uint16",
        "the last pixel is not written where a plane of the input has more than 65,535",
        lambda c: math.prod(sizes(c)) > 65_535 and min(sizes(c)[-2:]) > 1,
        sums=pixel_tail(lambda n: n - 1),
    )
    yield Mutant(
        "b_plane_2_22",
        "pixels beyond 2^22 of a plane are not written",
        lambda c: pixels(c) > 2**22,
        sums=pixel_tail(lambda n: 2**22),
    )
    yield Mutant(
        "b_output_2_20",
        "elements of an output beyond 2^20 are not written where it has several maps",
        lambda c: batch(c) * maps(c) * pixels(c) > 2**20 and maps(c) > 1,
        sums=flat_tail(lambda n: 2**20),
    )
    yield Mutant(
        "b_input_channels_wide",
        "the last row is not written where a plane of more than 2^16 pixels has several channels",
        lambda c: math.prod(sizes(c)) > 2**16 and channels(c) > 1,
        sums=zeroed(part("H", -1)),
    )
