"""Wrong at the places of an output: tiles, halos, the ends of rows and planes, images."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.support.conditional.changes import copied, flat_tail, halo, only, part, pixel_tail, tail, zeroed
from tests.support.conditional.conditions import batch, channels, groups, maps, outs, pixels, plain, strides, window
from trt_conformance.mutants.mutant import Mutant


def tiles() -> Iterator[Mutant]:
    yield Mutant(
        "w_halo_64",
        "column 64 misses its first tap",
        lambda c: outs(c)[-1] > 64 and window(c)[-1] > 1,
        multiply=halo("W", 64),
    )
    yield Mutant(
        "h_halo_16",
        "each 16th row misses its first tap of a window of 5 or more",
        lambda c: outs(c)[-2] > 16 and window(c)[-2] >= 5,
        multiply=halo("H", 16, every=True),
    )
    yield Mutant(
        "w_past_32",
        "one column past a multiple of 32 equals the one before",
        lambda c: outs(c)[-1] > 32 and outs(c)[-1] % 32 == 1,
        sums=copied("W", lambda n: -1, lambda n: -2),
    )
    yield Mutant(
        "w_strided_64",
        "column 64 misses its last tap with stride 2",
        lambda c: outs(c)[-1] > 64 and strides(c)[-1] == 2 and window(c)[-1] > 1,
        multiply=halo("W", 64, -1),
    )
    yield Mutant(
        "w_power",
        "the last of 64 columns, or of a higher power of two, is not written",
        lambda c: outs(c)[-1] >= 64 and outs(c)[-1].bit_count() == 1,
        sums=zeroed(part("W", -1)),
    )
    yield Mutant(
        "pixels_tail_128",
        "of more than 4096 pixels, those past a multiple of 128 are not written",
        lambda c: pixels(c) > 4096 and pixels(c) % 128 > 0,
        sums=pixel_tail(lambda n: n // 128 * 128),
    )
    yield Mutant(
        "tall",
        "the last row of a tall output equals the one before",
        lambda c: outs(c)[-2] > outs(c)[-1] > 16,
        sums=copied("H", lambda n: -1, lambda n: -2),
    )
    yield Mutant(
        "rows_tail_256",
        "a few rows of the matrix past a multiple of 256 are not written",
        lambda c: batch(c) * pixels(c) > 256 and 0 < batch(c) * pixels(c) % 256 < 8,
        sums=zeroed(lambda y, c: (-1, ..., -1)),
    )
    yield Mutant(
        "d_halo_8",
        "slice 8 misses its first tap",
        lambda c: c.spatial_rank == 3 and outs(c)[0] > 8 and window(c)[0] > 1,
        multiply=halo("D", 8),
    )


def far_places() -> Iterator[Mutant]:
    yield Mutant(
        "w_uint8",
        "column 256 and those after it are those from the first on",
        lambda c: outs(c)[-1] > 256,
        sums=copied("W", lambda n: slice(256, None), lambda n: np.arange(n - 256) % 256),
    )
    yield Mutant(
        "w_1024",
        "columns beyond 1024 are not written",
        lambda c: outs(c)[-1] > 1024,
        sums=zeroed(part("W", slice(1024, None))),
    )
    yield Mutant(
        "h_4096",
        "rows beyond 4096 are not written",
        lambda c: outs(c)[-2] > 4096,
        sums=zeroed(part("H", slice(4096, None))),
    )
    yield Mutant(
        "w_int16",
        "columns beyond 32,767 are not written",
        lambda c: outs(c)[-1] > 32768,
        sums=zeroed(part("W", slice(32768, None))),
    )
    yield Mutant(
        "pixels_uint16",
        "pixels beyond 65,535 are not written",
        lambda c: pixels(c) > 65536,
        sums=pixel_tail(lambda n: 65536),
    )


def small_tiles() -> Iterator[Mutant]:
    yield Mutant(
        "winograd_odd",
        "the last column of an odd width is not written by F(2, 3)",
        lambda c: (
            plain(c)
            and set(window(c)) == {3}
            and outs(c)[-1] > 4
            and outs(c)[-1] % 2 == 1
            and c.precision == "fp32"
            and channels(c) >= 8
        ),
        sums=zeroed(part("W", -1)),
    )
    yield Mutant(
        "winograd_row",
        "the last row is not written by F(4, 3) if it is alone in its tile",
        lambda c: plain(c) and set(window(c)) == {3} and outs(c)[-2] > 4 and outs(c)[-2] % 4 == 1 and maps(c) >= 8,
        sums=zeroed(part("H", -1)),
    )
    yield Mutant(
        "line",
        "column 63 is not written if the height is 1",
        lambda c: outs(c)[-2] == 1 < 64 < outs(c)[-1],
        sums=zeroed(part("W", 63)),
    )
    yield Mutant(
        "elements_2_18",
        "elements of the output beyond 2^18 are not written",
        lambda c: batch(c) * maps(c) * pixels(c) > 2**18,
        sums=flat_tail(lambda n: 2**18),
    )


def batches() -> Iterator[Mutant]:
    yield Mutant(
        "n_odd",
        "the last of an odd number of images is the one before",
        lambda c: batch(c) > 1 and batch(c) % 2 == 1,
        sums=only(lambda y, c: len(y) > 1, copied("N", lambda n: -1, lambda n: -2)),
    )
    yield Mutant(
        "n_tail_16",
        "images past a multiple of 16 are not written",
        lambda c: batch(c) > 16 and batch(c) % 16 > 0,
        sums=tail("N", 16),
    )
    yield Mutant("n_31", "image 31 is not written", lambda c: batch(c) > 31, sums=zeroed(part("N", slice(31, 32))))
    yield Mutant(
        "n_int8",
        "images beyond 127 are those from the first on",
        lambda c: batch(c) > 128,
        sums=copied("N", lambda n: slice(128, None), lambda n: np.arange(max(0, n - 128)) % 128),
    )
    yield Mutant(
        "n_uint16",
        "images beyond 65,535 are not written",
        lambda c: batch(c) > 65535,
        sums=zeroed(part("N", slice(65535, None))),
    )
    yield Mutant(
        "n_planes",
        "the last of more than 4096 planes is not written",
        lambda c: batch(c) * maps(c) > 4096,
        sums=zeroed(lambda y, c: (-1, -1)),
    )
    yield Mutant(
        "n_grouped",
        "the second image of a grouped layer equals the first",
        lambda c: batch(c) == 2 and groups(c) > 2,
        sums=only(lambda y, c: len(y) == 2, copied("N", lambda n: 1, lambda n: 0)),
    )
