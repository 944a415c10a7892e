"""Wrong at the tails of channels and maps, in groups, and with many taps."""

from __future__ import annotations

from collections.abc import Iterator

from tests.support.conditional.changes import (
    channel,
    copied,
    exchanged_groups,
    flat_terms,
    interleaved,
    late_bias,
    of_each_group,
    part,
    tap,
    weights,
    zeroed,
)
from tests.support.conditional.conditions import (
    biased,
    channels,
    depthwise,
    dilations,
    groups,
    maps,
    outs,
    strides,
    window,
)
from trt_conformance.core.arrays import Array
from trt_conformance.core.case import Case
from trt_conformance.mutants.arithmetic import terms_of
from trt_conformance.mutants.mutant import Mutant
from trt_conformance.mutants.operands import biased as with_bias


def channel_tails() -> Iterator[Mutant]:
    yield Mutant(
        "c_past_32",
        "one channel past a multiple of 32 is not read",
        lambda c: channels(c) % 32 == 1 and channels(c) > 32,
        multiply=weights(channel(-1)),
    )
    yield Mutant(
        "c_tail_64_twice",
        "the channels past a multiple of 64 are added twice",
        lambda c: channels(c) > 64 and channels(c) % 64 > 0,
        multiply=weights(lambda w, c: (slice(None), slice(channels(c) // 64 * 64, None)), 2.0),
    )
    yield Mutant(
        "c_half_vector",
        "16-bit channels that do not fill a vector of 8 are not read",
        lambda c: c.precision in ("fp16", "bf16") and channels(c) > 8 and channels(c) % 8 > 0,
        multiply=weights(lambda w, c: (slice(None), slice(channels(c) // 8 * 8, None))),
    )
    yield Mutant(
        "c_power",
        "of 128 channels or another higher power of two, the last 16 are not read",
        lambda c: channels(c) >= 128 and channels(c).bit_count() == 1,
        multiply=weights(channel(slice(-16, None))),
    )
    yield Mutant(
        "c_thirds",
        "channels split in three unequal parts: one is counted twice",
        lambda c: channels(c) > 96 and channels(c) % 3 == 2,
        multiply=weights(lambda w, c: (slice(None), channels(c) // 3), 2.0),
    )
    yield Mutant(
        "c_odd_strided",
        "the last of an odd number of channels is not read with stride 2",
        lambda c: channels(c) % 2 == 1 and channels(c) > 1 and 2 in strides(c),
        multiply=weights(channel(-1)),
    )
    yield Mutant("c_1023", "channel 1023 is not read", lambda c: channels(c) >= 1024, multiply=weights(channel(1023)))
    yield Mutant(
        "c_first_layer",
        "the fourth channel of a first layer is not read",
        lambda c: channels(c) == 4 and max(window(c)) >= 5,
        multiply=weights(channel(3)),
    )


def term_tails() -> Iterator[Mutant]:
    yield Mutant(
        "terms_4096",
        "terms beyond 4096 are not added",
        lambda c: terms_of(c) > 4096,
        multiply=flat_terms(lambda n: slice(4096, None)),
    )
    yield Mutant(
        "terms_31",
        "the last of 31 terms past a multiple of 32 is not added",
        lambda c: terms_of(c) % 32 == 31 and terms_of(c) > 64,
        multiply=flat_terms(lambda n: -1),
    )
    yield Mutant(
        "c_16_3d",
        "channels past 16 are not read in 3D",
        lambda c: c.spatial_rank == 3 and channels(c) > 16,
        multiply=weights(channel(slice(16, None))),
    )


def map_tails() -> Iterator[Mutant]:
    yield Mutant(
        "k_past_64",
        "one map past a multiple of 64 has no sum",
        lambda c: maps(c) > 64 and maps(c) % 64 == 1,
        sums=zeroed(part("K", -1)),
    )
    yield Mutant(
        "k_tail_128",
        "a few maps past a multiple of 128 are those before it",
        lambda c: maps(c) > 128 and 0 < maps(c) % 128 <= 8,
        sums=copied(
            "K", lambda n: slice(n // 128 * 128, None), lambda n: slice(n // 128 * 128 - n % 128, n // 128 * 128)
        ),
    )
    yield Mutant(
        "k_odd",
        "the last of an odd number of maps above 32 equals the one before",
        lambda c: maps(c) > 32 and maps(c) % 2 == 1,
        sums=copied("K", lambda n: -1, lambda n: -2),
    )
    yield Mutant(
        "k_int8_3",
        "of int8 maps, the last of three past a multiple of 4 has no sum",
        lambda c: c.precision == "int8" and maps(c) % 4 == 3,
        sums=zeroed(part("K", -1)),
    )
    yield Mutant(
        "k_first_overwritten",
        "one map past a power of two overwrites the first one",
        lambda c: maps(c) > 32 and (maps(c) - 1).bit_count() == 1,
        sums=copied("K", lambda n: 0, lambda n: -1),
    )
    yield Mutant(
        "k_bias_256",
        "maps beyond 256 get the bias of the map 256 before",
        lambda c: maps(c) > 256 and biased(c),
        bias=with_bias(late_bias),
    )
    yield Mutant(
        "k_expanding",
        "two middle maps are exchanged if there are over 4 times as many as channels",
        lambda c: groups(c) == 1 and maps(c) > 4 * channels(c) and maps(c) > 8,
        sums=copied("K", lambda n: [n // 2, n // 2 - 1], lambda n: [n // 2 - 1, n // 2]),
    )
    yield Mutant(
        "k_1",
        "a single map of many channels misses the last",
        lambda c: maps(c) == 1 and channels(c) > 16,
        multiply=weights(channel(-1)),
    )


def last_group(y: Array, case: Case) -> Array:
    """The maps of the last group are not written."""
    return zeroed(part("K", slice(-(maps(case) // groups(case)), None)))(y, case)


def groups_apart() -> Iterator[Mutant]:
    yield Mutant(
        "g_32",
        "groups beyond 32 read the weights of the group 32 before",
        lambda c: groups(c) > 32,
        multiply=exchanged_groups(32),
    )
    yield Mutant(
        "g_tail_4",
        "the last group past a multiple of 4 is not written",
        lambda c: groups(c) > 4 and groups(c) % 4 > 0,
        sums=last_group,
    )
    yield Mutant(
        "dw_256",
        "channels beyond 256 of a depthwise layer are not written",
        lambda c: depthwise(c) and groups(c) > 256,
        sums=zeroed(part("K", slice(256, None))),
    )
    yield Mutant(
        "dw_multiplier",
        "the maps of a depthwise layer of multiplier 3 are in another order",
        lambda c: depthwise(c) and maps(c) == 3 * groups(c),
        sums=interleaved,
    )
    yield Mutant(
        "g_odd_channels",
        "the last of an odd number of channels of each of 8 or more groups is not read",
        lambda c: groups(c) >= 8 and channels(c) > 1 and channels(c) % 2 == 1,
        multiply=weights(channel(-1)),
    )
    yield Mutant(
        "g_unequal",
        "the last map of each of 16 or more groups is not written if a group has other channels",
        lambda c: groups(c) >= 16 and maps(c) // groups(c) > 1 and maps(c) // groups(c) != channels(c),
        sums=zeroed(of_each_group(-1)),
    )


def depthwise_and_wide() -> Iterator[Mutant]:
    yield Mutant(
        "dw_5x5",
        "a depthwise 5x5 layer of stride 2 misses its last row of taps",
        lambda c: depthwise(c) and window(c)[-2:] == (5, 5) and strides(c)[-1] == 2,
        multiply=weights(tap("H", -1)),
    )
    yield Mutant(
        "dw_int8_odd",
        "the last of an odd number of columns is not written in int8 depthwise layers",
        lambda c: c.precision == "int8" and depthwise(c) and outs(c)[-1] % 2 == 1,
        sums=zeroed(part("W", -1)),
    )
    yield Mutant(
        "g_prime_3d",
        "the last of an odd number of groups above 3 is not written in 3D",
        lambda c: c.spatial_rank == 3 and groups(c) > 3 and groups(c) % 2 == 1,
        sums=last_group,
    )
    yield Mutant(
        "dw_dilated",
        "channels beyond 32 of a dilated depthwise layer miss the last tap",
        lambda c: depthwise(c) and groups(c) > 32 and max(dilations(c)) > 1 and window(c)[-1] > 1,
        multiply=weights(lambda w, c: (slice(32, None), ..., -1)),
    )
    yield Mutant(
        "g_wide",
        "a second group of more than 64 maps is not written",
        lambda c: groups(c) > 1 and maps(c) // groups(c) > 64,
        sums=lambda y, c: zeroed(part("K", slice(maps(c) // groups(c), 2 * maps(c) // groups(c))))(y, c),
    )
    yield Mutant(
        "g_three_channels",
        "the third channel of each group is not read",
        lambda c: groups(c) > 1 and channels(c) == 3,
        multiply=weights(channel(2)),
    )
