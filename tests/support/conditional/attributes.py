"""Wrong with an attribute of the layer at an edge."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.support.conditional.changes import channel, copied, edge_padded, part, shifted, tap, weights, wrapped, zeroed
from tests.support.conditional.conditions import (
    biased,
    channels,
    dilations,
    groups,
    maps,
    outs,
    sizes,
    spans,
    strides,
    taps,
    window,
)
from trt_conformance.mutants.mutant import Mutant, add_bias


def strides_at_edges() -> Iterator[Mutant]:
    yield Mutant(
        "s_16",
        "with stride 16 along W, everything is read one element late",
        lambda c: strides(c)[-1] == 16,
        pad=shifted(-1),
    )
    yield Mutant(
        "s_over_8",
        "the last row is not written with a stride above 8 along H",
        lambda c: strides(c)[-2] > 8,
        sums=zeroed(part("H", -1)),
    )
    yield Mutant(
        "s_unequal",
        "the last column equals the one before with two different strides above 1",
        lambda c: min(strides(c)[-2:]) > 1 and strides(c)[-1] != strides(c)[-2] and outs(c)[-1] > 1,
        sums=copied("W", lambda n: -1, lambda n: -2 if n > 1 else -1),
    )
    yield Mutant(
        "s_odd_width",
        "an odd width with stride 2 misses the last tap in the last column",
        lambda c: strides(c)[-1] == 2 and sizes(c)[-1] % 2 == 1 and window(c)[-1] > 1 and outs(c)[-1] > 2,
        sums=zeroed(part("W", -1)),
    )
    yield Mutant(
        "s_gaps",
        "each second row is not written where the stride along H exceeds the window",
        lambda c: strides(c)[-2] > spans(c)[-2] and outs(c)[-2] > 1,
        sums=zeroed(part("H", slice(1, None, 2))),
    )
    yield Mutant(
        "s_3",
        "with stride 3 along H, everything is read one element late",
        lambda c: strides(c)[-2] == 3,
        pad=shifted(-2),
    )
    yield Mutant(
        "s_over_size",
        "nothing is written where the stride exceeds the input",
        lambda c: any(s > n > 1 for s, n in zip(strides(c), sizes(c), strict=True)),
        sums=lambda y, c: 0 * y,
    )
    yield Mutant(
        "s_32", "sums are doubled with stride 32 or more", lambda c: max(strides(c)) >= 32, sums=lambda y, c: 2 * y
    )
    yield Mutant(
        "s_depth",
        "the last slice is not written with a stride along D only",
        lambda c: c.spatial_rank == 3 and strides(c)[0] > 1 and max(strides(c)[1:]) == 1,
        sums=zeroed(part("D", -1)),
    )
    yield Mutant(
        "s_pointwise",
        "a 1x1 layer of stride 2 misses the last channel",
        lambda c: taps(c) == 1 and strides(c)[-2:] == (2, 2) and channels(c) > 1,
        multiply=weights(channel(-1)),
    )


def windows() -> Iterator[Mutant]:
    yield Mutant(
        "f_32",
        "taps beyond 31 along W are not read",
        lambda c: window(c)[-1] > 32,
        multiply=weights(tap("W", slice(32, None))),
    )
    yield Mutant(
        "f_64_taps",
        "tap 64 is not read",
        lambda c: taps(c) > 64,
        multiply=weights(lambda w, c: (..., *map(int, np.unravel_index(64, w.shape[2:])))),
    )
    yield Mutant(
        "f_even",
        "an even window in both axes reads one element late with padding",
        lambda c: all(f % 2 == 0 for f in window(c)[-2:]) and min(c.attributes.pre[-2:]) > 0,
        pad=shifted(-1),
    )
    yield Mutant(
        "f_tall",
        "the last row of a window higher than wide, of 7 or more, is not read",
        lambda c: window(c)[-2] > window(c)[-1] and window(c)[-2] >= 7,
        multiply=weights(tap("H", -1)),
    )
    yield Mutant(
        "f_row",
        "the middle tap of a row of 9 or more is added twice",
        lambda c: window(c)[-2] == 1 and window(c)[-1] >= 9,
        multiply=weights(lambda w, c: (..., window(c)[-1] // 2), 2.0),
    )
    yield Mutant(
        "f_deep",
        "depth taps beyond 3 are not read",
        lambda c: c.spatial_rank == 3 and window(c)[0] > 3,
        multiply=weights(tap("D", slice(3, None))),
    )
    yield Mutant(
        "f_global",
        "a window of the input's size above 8 misses its last row",
        lambda c: sizes(c) == window(c) and min(window(c)[-2:]) > 8,
        multiply=weights(tap("H", -1)),
    )
    yield Mutant(
        "f_11",
        "a window of 11 and more misses the last column in each map but the first",
        lambda c: window(c)[-1] >= 11 and maps(c) > 1,
        multiply=weights(lambda w, c: (slice(1, None), ..., -1)),
    )


def paddings() -> Iterator[Mutant]:
    yield Mutant(
        "p_outside",
        "columns whose windows read padding alone have no bias",
        lambda c: biased(c) and c.attributes.pre[-1] >= spans(c)[-1] and not c.attributes.mode.startswith("SAME"),
        bias=lambda y, bias, c: np.where(np.arange(y.shape[-1]) == 0, y, add_bias(y, bias, c)),
    )
    yield Mutant(
        "p_32",
        "the first column is not written with padding above 32",
        lambda c: c.attributes.pre[-1] > 32,
        sums=zeroed(part("W", 0)),
    )
    yield Mutant(
        "p_post",
        "what is read behind a row is its beginning, if more is padded after than before",
        lambda c: c.attributes.post[-1] > c.attributes.pre[-1] + 4,
        pad=wrapped,
    )
    yield Mutant(
        "p_same_lower",
        "SAME_LOWER with an even window reads one element late with a stride",
        lambda c: c.attributes.mode == "SAME_LOWER" and window(c)[-1] % 2 == 0 and strides(c)[-1] > 1,
        pad=shifted(-1),
    )
    yield Mutant(
        "p_caffe",
        "the last column is not written in CAFFE_ROUND_UP with stride 3 or more",
        lambda c: c.attributes.mode == "CAFFE_ROUND_UP" and strides(c)[-1] >= 3,
        sums=zeroed(part("W", -1)),
    )
    yield Mutant(
        "p_round_up",
        "what is read behind a row in EXPLICIT_ROUND_UP is its beginning",
        lambda c: c.attributes.mode == "EXPLICIT_ROUND_UP" and strides(c)[-1] > 1,
        pad=wrapped,
    )
    yield Mutant(
        "p_wider",
        "padding wider than the input repeats the edge",
        lambda c: c.attributes.pre[-1] > sizes(c)[-1],
        pad=edge_padded,
    )
    yield Mutant(
        "p_3d",
        "padding before D alone is read as the edge",
        lambda c: c.spatial_rank == 3 and c.attributes.pre[0] > 0 == c.attributes.post[0],
        pad=edge_padded,
    )
    yield Mutant(
        "p_pointwise",
        "the padding of a 1x1 layer is read as the edge",
        lambda c: taps(c) == 1 and max(c.attributes.pre[-2:]) > 0,
        pad=edge_padded,
    )


def dilations_at_edges() -> Iterator[Mutant]:
    yield Mutant(
        "d_16",
        "with a dilation of 16 or more along W, the last tap is not read",
        lambda c: dilations(c)[-1] >= 16 and window(c)[-1] > 1,
        multiply=weights(tap("W", -1)),
    )
    yield Mutant(
        "d_unequal",
        "the last row of taps is not read with more dilation along H than along W above 1",
        lambda c: dilations(c)[-2] > dilations(c)[-1] > 1 and window(c)[-2] > 1,
        multiply=weights(tap("H", -1)),
    )
    yield Mutant(
        "d_span_32",
        "a window that spans more than 32 along H misses its last tap",
        lambda c: spans(c)[-2] > 32 and dilations(c)[-2] > 1,
        multiply=weights(tap("H", -1)),
    )
    yield Mutant(
        "d_strided",
        "the last column is not written with dilation and stride",
        lambda c: dilations(c)[-1] > 1 and strides(c)[-1] > 1,
        sums=zeroed(part("W", -1)),
    )
    yield Mutant(
        "d_depth",
        "a dilation along D alone is ignored by the last tap",
        lambda c: c.spatial_rank == 3 and dilations(c)[0] > 1 == max(dilations(c)[1:]) and window(c)[0] > 1,
        multiply=weights(tap("D", -1)),
    )
    yield Mutant(
        "d_grouped",
        "a dilated grouped layer misses the last channel",
        lambda c: max(dilations(c)) > 1 and groups(c) > 1 and channels(c) > 1,
        multiply=weights(channel(-1)),
    )
