"""Wrong for some strides, windows, paddings and dilations."""

from __future__ import annotations

from collections.abc import Iterator

from tests.support.conditional.changes import no_bias, part, shifted, tap, weights, zeroed
from tests.support.conditional.conditions import biased, dilations, outs, sizes, spans, strides, window
from trt_conformance.mutants.mutant import Mutant
from trt_conformance.mutants.operands import biased as with_bias


def strided() -> Iterator[Mutant]:
    yield Mutant(
        "b_s_16_h",
        "a stride of 16 along H misses the last row of taps",
        lambda c: strides(c)[-2] == 16 and window(c)[-2] > 1,
        multiply=weights(tap("H", -1)),
    )
    yield Mutant(
        "b_s_32_w",
        "a stride of 32 and more along W: the last column is not written",
        lambda c: strides(c)[-1] >= 32,
        sums=zeroed(part("W", -1)),
    )
    yield Mutant(
        "b_s_high",
        "more stride along H than along W: the last row is not written",
        lambda c: strides(c)[-2] > strides(c)[-1] > 1,
        sums=zeroed(part("H", -1)),
    )
    yield Mutant(
        "b_s_small_height",
        "a height below the stride: the row has no bias",
        lambda c: sizes(c)[-2] < strides(c)[-2] and biased(c),
        bias=with_bias(no_bias),
    )


def windows_and_padding() -> Iterator[Mutant]:
    yield Mutant(
        "b_f_32_h",
        "rows of taps beyond 32 are not read",
        lambda c: window(c)[-2] > 32,
        multiply=weights(tap("H", slice(32, None))),
    )
    yield Mutant(
        "b_f_64_w",
        "columns of taps beyond 64 are not read",
        lambda c: window(c)[-1] > 64,
        multiply=weights(tap("W", slice(64, None))),
    )
    yield Mutant(
        "b_p_32_post",
        "more than 32 rows of padding behind: the last row is not written",
        lambda c: c.attributes.post[-2] > 32,
        sums=zeroed(part("H", -1)),
    )
    yield Mutant(
        "b_p_32_w",
        "more than 32 columns of padding before: everything is read one element late",
        lambda c: c.attributes.pre[-1] > 32,
        pad=shifted(-1),
    )


def dilated() -> Iterator[Mutant]:
    yield Mutant(
        "b_d_17_h",
        "an odd dilation of 17 and more along H misses the first row of taps",
        lambda c: dilations(c)[-2] >= 17 and dilations(c)[-2] % 2 == 1 and window(c)[-2] > 1,
        multiply=weights(tap("H", 0)),
    )
    yield Mutant(
        "b_d_32_w",
        "a dilation of 32 and more along W misses the last column of taps",
        lambda c: dilations(c)[-1] >= 32 and window(c)[-1] > 1,
        multiply=weights(tap("W", -1)),
    )
    yield Mutant(
        "b_d_16_depth",
        "a dilation of 16 and more along D misses the last slice of taps",
        lambda c: c.spatial_rank == 3 and dilations(c)[0] >= 16 and window(c)[0] > 1,
        multiply=weights(tap("D", -1)),
    )
    yield Mutant(
        "b_d_both",
        "dilations above 4 on both axes: the last column is not written",
        lambda c: min(dilations(c)[-2:]) > 4 and outs(c)[-1] > 1,
        sums=zeroed(part("W", -1)),
    )
    yield Mutant(
        "b_d_span",
        "a window that spans more than 64 columns misses its second column of taps",
        lambda c: spans(c)[-1] > 64 and dilations(c)[-1] > 1,
        multiply=weights(tap("W", 1)),
    )
