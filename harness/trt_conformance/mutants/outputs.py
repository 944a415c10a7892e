"""Mutants that write their output wrongly: places, batches, buffers, and what surrounds the values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from trt_conformance.core.arrays import Array
from trt_conformance.core.case import Case
from trt_conformance.core.tensors import INPUT, OUTPUT
from trt_conformance.mutants import conditions
from trt_conformance.mutants.mutant import Change, Mutant, MutantEngine
from trt_conformance.mutants.operands import channel_axis


def overwritten(value: float, *place: Any) -> Change:
    """One part of the output never written: it holds ``value``."""

    def overwrite(y: Array, case: Case) -> Array:
        copy = y.copy()
        copy[place] = value
        return copy

    return overwrite


def on_maps(change: Change) -> Change:
    """A change of the output with its maps in front."""

    def moved(y: Array, case: Case) -> Array:
        axis = channel_axis(case)
        return np.moveaxis(change(np.moveaxis(y, axis, 0).copy(), case), 0, axis)

    return moved


def maps_interleaved(y: Array, case: Case) -> Array:
    """Maps written group after group in turn."""
    order = np.arange(len(y)).reshape(case.attributes.groups, -1).T.ravel()
    return np.asarray(y[order])


def groups_reversed(y: Array, case: Case) -> Array:
    return y.reshape(case.attributes.groups, -1, *y.shape[1:])[::-1].reshape(y.shape)


def transposed(y: Array, case: Case) -> Array:
    """Columns written as rows into memory of the right shape."""
    return y.swapaxes(-1, -2).reshape(y.shape)


def channels_last(y: Array, case: Case) -> Array:
    """Channels written last into memory of the right shape."""
    return np.moveaxis(y, channel_axis(case), -1).reshape(y.shape)


def pixels_beyond(count: int) -> Change:
    """What lies behind the first ``count`` places of an image stays unwritten."""

    def limited(y: Array, case: Case) -> Array:
        flat = y.reshape(*y.shape[: -case.spatial_rank], -1).copy()
        flat[..., count:] = 0
        return flat.reshape(y.shape)

    return limited


def whole_vectors(size: int) -> Change:
    """Columns behind the last whole vector of ``size`` stay unwritten."""

    def limited(y: Array, case: Case) -> Array:
        whole = y.shape[-1] // size * size
        return overwritten(0, ..., slice(whole, None))(y, case) if whole else y

    return limited


def beyond_opt(y: Array, case: Case) -> Array:
    """Only as many images as the profile's opt shape has are written."""
    assert case.dynamic is not None
    return overwritten(0, slice(case.dynamic.opt[0], None))(y, case)


def first_image(y: Array, case: Case) -> Array:
    return y[[0] * len(y)]


def as_opt(x: Array, case: Case) -> Array:
    """A dynamic input cut, or filled up with zeros, to the profile's opt shape."""
    assert case.dynamic is not None
    full = np.zeros(case.dynamic.opt, x.dtype)
    common = tuple(slice(min(a, b)) for a, b in zip(full.shape, x.shape, strict=True))
    full[common] = x[common]
    return full


class Remembering(MutantEngine):
    """Keeps what the last run gave."""

    last: Array | None = None

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        y = super().run(feeds)[OUTPUT]
        given = y if self.last is None else self.mixed(y, self.last)
        self.last = y
        return {OUTPUT: given}

    def mixed(self, y: Array, last: Array) -> Array:
        raise NotImplementedError


class Stale(Remembering):
    """Writes the output of the run before, as much of it as there is room for."""

    def mixed(self, y: Array, last: Array) -> Array:
        return np.resize(last.ravel(), y.shape)


class Accumulating(Remembering):
    """Adds to an output buffer of the same shape."""

    def mixed(self, y: Array, last: Array) -> Array:
        return np.asarray(y + last) if y.shape == last.shape else y


class CachedByShape(MutantEngine):
    """Keeps the first output of each shape of input, and gives it to every later input of that shape."""

    def __init__(self, case: Case, mutant: Mutant) -> None:
        super().__init__(case, mutant)
        self.held: dict[tuple[int, ...], dict[str, Array]] = {}

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        shape = feeds[INPUT].shape
        if shape not in self.held:
            self.held[shape] = super().run(feeds)
        return {name: y.copy() for name, y in self.held[shape].items()}


class FirstShape(MutantEngine):
    """Keeps the output's shape of its first run."""

    shape: tuple[int, ...] | None = None

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        y = super().run(feeds)[OUTPUT]
        self.shape = self.shape or y.shape
        return {OUTPUT: np.resize(y, self.shape)}


class Renamed(MutantEngine):
    """Calls its output after itself."""

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        return {"y": super().run(feeds)[OUTPUT]}


class Extra(MutantEngine):
    """Gives a second output."""

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        outputs = super().run(feeds)
        return {**outputs, "workspace": outputs[OUTPUT]}


LAST, FIRST, ALL = slice(-1, None), slice(None, 1), slice(None)

MUTANTS: tuple[Mutant, ...] = (
    Mutant("last_row_unwritten", "the last row keeps what the buffer held", output=overwritten(np.nan, ..., LAST, ALL)),
    Mutant(
        "last_column_unwritten", "the last column keeps what the buffer held", output=overwritten(np.nan, ..., LAST)
    ),
    Mutant("last_row_zero", "the last row is zero", output=overwritten(0, ..., LAST, ALL)),
    Mutant("last_column_zero", "the last column is zero", output=overwritten(0, ..., LAST)),
    Mutant("first_row_zero", "the first row is zero", output=overwritten(0, ..., FIRST, ALL)),
    Mutant("first_column_zero", "the first column is zero", output=overwritten(0, ..., FIRST)),
    Mutant("first_element_zero", "the first element of every map is zero", output=overwritten(0, ..., 0, 0)),
    Mutant("last_element_zero", "the very last element is zero", output=overwritten(0, -1, -1, ..., -1, -1)),
    Mutant("columns_in_vectors_of_4", "columns behind the last whole four are zero", output=whole_vectors(4)),
    Mutant("columns_in_vectors_of_8", "columns behind the last whole eight are zero", output=whole_vectors(8)),
    Mutant("pixels_beyond_64_unwritten", "an image's places behind the first 64 are zero", output=pixels_beyond(64)),
    Mutant("pixels_beyond_256_unwritten", "an image's places behind the first 256 are zero", output=pixels_beyond(256)),
    Mutant(
        "maps_beyond_8_unwritten", "maps behind the first 8 are zero", output=on_maps(overwritten(0, slice(8, None)))
    ),
    Mutant(
        "maps_beyond_32_unwritten", "maps behind the first 32 are zero", output=on_maps(overwritten(0, slice(32, None)))
    ),
    Mutant("maps_after_first_zero", "only the first map is computed", output=on_maps(overwritten(0, slice(1, None)))),
    Mutant(
        "maps_rolled", "each map is written one place further", output=on_maps(lambda y, case: np.roll(y, 1, axis=0))
    ),
    Mutant("maps_reversed", "maps are written from the last to the first", output=on_maps(lambda y, case: y[::-1])),
    Mutant(
        "maps_interleaved", "the groups' maps are written in turn", conditions.grouped, output=on_maps(maps_interleaved)
    ),
    Mutant(
        "groups_reversed",
        "groups are written from the last to the first",
        conditions.grouped,
        output=on_maps(groups_reversed),
    ),
    Mutant("output_channels_last", "the output is written as NHWC", output=channels_last),
    Mutant("output_transposed", "the output is written with H and W exchanged", output=transposed),
    Mutant("output_upside_down", "rows are written from the last to the first", output=lambda y, case: y[..., ::-1, :]),
    Mutant("output_mirrored", "columns are written from the last to the first", output=lambda y, case: y[..., ::-1]),
    Mutant(
        "output_one_column_late", "columns are written one place further", output=lambda y, case: np.roll(y, 1, axis=-1)
    ),
    Mutant(
        "output_depth_reversed",
        "slices of a 3D output are written from the last to the first",
        conditions.three_d,
        output=lambda y, case: y[..., ::-1, :, :],
    ),
    Mutant(
        "images_one_late",
        "image n of a batch gets the output of image n - 1",
        output=lambda y, case: np.roll(y, 1, axis=0),
    ),
    Mutant("images_reversed", "a batch is written from the last image to the first", output=lambda y, case: y[::-1]),
    Mutant("images_all_first", "every image of a batch gets the first one's output", output=first_image),
    Mutant(
        "images_after_first_zero", "only the first image of a batch is computed", output=overwritten(0, slice(1, None))
    ),
    Mutant("images_beyond_2_zero", "only two images of a batch are computed", output=overwritten(0, slice(2, None))),
    Mutant(
        "images_beyond_opt_zero",
        "images behind the profile's opt batch are not computed",
        conditions.dynamic,
        output=beyond_opt,
    ),
    Mutant("opt_shape_always", "every run computes the profile's opt shape", conditions.dynamic, input=as_opt),
    Mutant("first_shape_always", "every run gives the shape of the first", conditions.dynamic, engine=FirstShape),
    Mutant("output_cached_by_shape", "an input gets the output of the first one of its shape", engine=CachedByShape),
    Mutant("output_of_run_before", "a second run gives the first one's output", engine=Stale),
    Mutant("output_added_to", "a second run adds to the first one's output", engine=Accumulating),
    Mutant("output_in_float64", "the output's type is float64", output=lambda y, case: y.astype(np.float64)),
    Mutant("output_flat", "the output has one dimension", output=lambda y, case: y.ravel()),
    Mutant("output_without_batch", "the output has no batch dimension", output=lambda y, case: y[0]),
    Mutant("output_empty", "the output has no elements", output=lambda y, case: y[:0]),
    Mutant("output_renamed", "the output has another name", engine=Renamed),
    Mutant("output_with_workspace", "there is a second output", engine=Extra),
)
