"""Wrong for some dynamic dimensions, operations after the layer, types, and ways of the weights."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.support.conditional.changes import no_bias, part, scales_by, without, zeroed
from tests.support.conditional.conditions import biased, channels, ends_in, maps, outs, scales_of_maps
from tests.support.conditional.memory import Before
from trt_conformance.core.arrays import Array
from trt_conformance.core.case import Case
from trt_conformance.mutants.mutant import Mutant
from trt_conformance.mutants.operands import biased as with_bias


class Deeper(Before):
    """After a smaller depth, the last slice is not written."""

    def spoiled(self, y: Array, shape: tuple[int, ...]) -> Array:
        if self.before is not None and self.before[-3] < shape[-3]:
            y = y.copy()
            y[..., -1:, :, :] = 0
        return y


class Narrower(Before):
    """After a larger width alone, the last column has one more."""

    def spoiled(self, y: Array, shape: tuple[int, ...]) -> Array:
        if self.before is not None and self.before[:-1] == shape[:-1] and self.before[-1] > shape[-1]:
            y = y.copy()
            y[..., -1:] += 1
        return y


class HigherAlone(Before):
    """After a smaller height alone, the last row is not written."""

    def spoiled(self, y: Array, shape: tuple[int, ...]) -> Array:
        before = self.before
        if before is not None and before[-2] < shape[-2] and before[:-2] == shape[:-2] and before[-1] == shape[-1]:
            y = y.copy()
            y[..., -1, :] = 0
        return y


def _free(case: Case, place: int) -> bool:
    return case.dynamic is not None and case.dynamic.shape[place] == -1


def run_time_dimensions() -> Iterator[Mutant]:
    yield Mutant(
        "b_dynamic_deeper",
        "after a smaller depth, the last slice is not written",
        lambda c: c.spatial_rank == 3 and _free(c, -3),
        engine=Deeper,
    )
    yield Mutant(
        "b_dynamic_narrower",
        "after a larger width alone, the last column has one more",
        lambda c: _free(c, -1) and not _free(c, -2),
        engine=Narrower,
    )
    yield Mutant(
        "b_dynamic_higher",
        "after a smaller height alone, the last row is not written",
        lambda c: _free(c, -2) and not _free(c, -1),
        engine=HigherAlone,
    )


def after_the_layer() -> Iterator[Mutant]:
    yield Mutant(
        "b_bias_width_1",
        "an output of width 1 has no bias with more than 8 maps",
        lambda c: outs(c)[-1] == 1 and maps(c) > 8 and biased(c),
        bias=with_bias(no_bias),
    )
    yield Mutant(
        "b_e_clip_no_bias",
        "clip leaves out the first map where there is no bias",
        lambda c: ends_in(c, "clip") and not biased(c),
        epilogue=without("clip", lambda y, c: (slice(None), 0)),
    )
    yield Mutant(
        "b_e_relu_narrow",
        "relu leaves out the last map of an output of width 1",
        lambda c: ends_in(c, "relu") and outs(c)[-1] == 1,
        epilogue=without("relu", lambda y, c: (slice(None), -1)),
    )
    yield Mutant(
        "b_e_add_wide",
        "add leaves out the last column of an output wider than 32",
        lambda c: ends_in(c, "add") and outs(c)[-1] > 32,
        epilogue=without("add", part("W", -1)),
    )


def types_and_routes() -> Iterator[Mutant]:
    yield Mutant(
        "b_q_scales_8",
        "the scales of the maps repeat after 8",
        lambda c: scales_of_maps(c) > 8,
        scales=scales_by(lambda n: np.arange(n) % 8),
    )
    yield Mutant(
        "b_q_first_scale",
        "the first scale is taken as 1",
        lambda c: scales_of_maps(c) > 4,
        scales=lambda q: q.model_copy(update={"kernel": (1.0, *q.kernel[1:])}),
    )
    yield Mutant(
        "b_q_fp8_maps",
        "FP8 maps past a multiple of 16 are not written",
        lambda c: c.precision == "fp8" and maps(c) > 16 and maps(c) % 16 > 0,
        sums=lambda y, c: zeroed(part("K", slice(maps(c) // 16 * 16, None)))(y, c),
    )
    yield Mutant(
        "b_q_output_width",
        "a quantized output of 17 or more columns: the last column is not written",
        lambda c: c.quantize is not None and c.quantize.output is not None and outs(c)[-1] > 16 and outs(c)[-1] % 2,
        sums=zeroed(part("W", -1)),
    )
    yield Mutant(
        "b_bias_input_half",
        "a bias given by set_input is not added in FP16 and BF16 where there are more than 4 maps",
        lambda c: c.bias_by_set_input and c.precision in ("fp16", "bf16") and maps(c) > 4,
        bias=with_bias(no_bias),
    )
    yield Mutant(
        "b_no_bias_wide",
        "without a bias, the last map of more than 32 channels gets 1",
        lambda c: not biased(c) and channels(c) > 32,
        sums=_one_more,
    )


def _one_more(y: Array, case: Case) -> Array:
    y = y.copy()
    y[part("K", -1)(y, case)] += 1
    return y
