"""Mutants that write their output wrongly: positions, batches, buffers, types, shapes and names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from trt_conformance.core.arrays import Array
from trt_conformance.core.case import Case
from trt_conformance.core.tensors import INPUT, OUTPUT
from trt_conformance.mutants import conditions
from trt_conformance.mutants.mutant import Change, Mutant, MutantEngine
from trt_conformance.mutants.operands import channel_axis


def overwritten(value: float, *place: Any) -> Change:
    """Leave one part of the output unwritten: it contains ``value``."""

    def overwrite(y: Array, case: Case) -> Array:
        copy = y.copy()
        copy[place] = value
        return copy

    return overwrite


def on_maps(change: Change) -> Change:
    """Apply a change to the output with its map axis moved to the front."""

    def moved(y: Array, case: Case) -> Array:
        axis = channel_axis(case)
        return np.moveaxis(change(np.moveaxis(y, axis, 0).copy(), case), 0, axis)

    return moved


def maps_interleaved(y: Array, case: Case) -> Array:
    """Interleave the maps of the groups."""
    order = np.arange(len(y)).reshape(case.attributes.groups, -1).T.ravel()
    return np.asarray(y[order])


def groups_reversed(y: Array, case: Case) -> Array:
    return y.reshape(case.attributes.groups, -1, *y.shape[1:])[::-1].reshape(y.shape)


def transposed(y: Array, case: Case) -> Array:
    """Write columns as rows into memory of the correct shape."""
    return y.swapaxes(-1, -2).reshape(y.shape)


def channels_last(y: Array, case: Case) -> Array:
    """Write channels last into memory of the correct shape."""
    return np.moveaxis(y, channel_axis(case), -1).reshape(y.shape)


def pixels_beyond(count: int) -> Change:
    """Leave the elements after the first ``count`` of each map unwritten."""

    def limited(y: Array, case: Case) -> Array:
        flat = y.reshape(*y.shape[: -case.spatial_rank], -1).copy()
        flat[..., count:] = 0
        return flat.reshape(y.shape)

    return limited


def whole_vectors(size: int) -> Change:
    """Leave the columns after the last whole vector of ``size`` unwritten."""

    def limited(y: Array, case: Case) -> Array:
        whole = y.shape[-1] // size * size
        return overwritten(0, ..., slice(whole, None))(y, case) if whole else y

    return limited


def beyond_opt(y: Array, case: Case) -> Array:
    """Write only as many images as the profile's opt shape has."""
    assert case.dynamic is not None
    return overwritten(0, slice(case.dynamic.opt[0], None))(y, case)


def within_last_profile(y: Array, case: Case) -> Array:
    """Write only as many columns and images as the last profile's largest shape has of the input."""
    assert case.dynamic is not None
    largest = case.dynamic.further_profiles[-1].max
    columns = overwritten(0, ..., slice(largest[-1], None))(y, case)
    return overwritten(0, slice(largest[0], None))(columns, case)


def first_image(y: Array, case: Case) -> Array:
    return y[[0] * len(y)]


def as_opt(x: Array, case: Case) -> Array:
    """Crop a dynamic input, or pad it with zeros, to the profile's opt shape."""
    assert case.dynamic is not None
    full = np.zeros(case.dynamic.opt, x.dtype)
    common = tuple(slice(min(a, b)) for a, b in zip(full.shape, x.shape, strict=True))
    full[common] = x[common]
    return full


class Remembering(MutantEngine):
    """Remembers the output of the previous run."""

    last: Array | None = None

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        y = super().run(feeds)[OUTPUT]
        given = y if self.last is None else self.mixed(y, self.last)
        self.last = y
        return {OUTPUT: given}

    def mixed(self, y: Array, last: Array) -> Array:
        raise NotImplementedError


class Stale(Remembering):
    """Writes the previous run's output, repeated or cut to the size of the buffer."""

    def mixed(self, y: Array, last: Array) -> Array:
        return np.resize(last.ravel(), y.shape)


class Accumulating(Remembering):
    """Adds to the output buffer if it has the same shape."""

    def mixed(self, y: Array, last: Array) -> Array:
        return np.asarray(y + last) if y.shape == last.shape else y


class CachedByShape(MutantEngine):
    """Caches the first output for each input shape, and returns it for every later input of that shape."""

    def __init__(self, case: Case, mutant: Mutant) -> None:
        super().__init__(case, mutant)
        self.cached: dict[tuple[int, ...], dict[str, Array]] = {}

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        shape = feeds[INPUT].shape
        if shape not in self.cached:
            self.cached[shape] = super().run(feeds)
        return {name: y.copy() for name, y in self.cached[shape].items()}


class FirstShape(MutantEngine):
    """Gives every output the shape of the first run's output."""

    shape: tuple[int, ...] | None = None

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        y = super().run(feeds)[OUTPUT]
        self.shape = self.shape or y.shape
        return {OUTPUT: np.resize(y, self.shape)}


class Renamed(MutantEngine):
    """Gives its output another name."""

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        return {"y": super().run(feeds)[OUTPUT]}


class Extra(MutantEngine):
    """Adds a second output."""

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        outputs = super().run(feeds)
        return {**outputs, "workspace": outputs[OUTPUT]}


LAST, FIRST, ALL = slice(-1, None), slice(None, 1), slice(None)

_ALL: tuple[Mutant, ...] = (
    Mutant("last_row_unwritten", "the last row is not written", output=overwritten(np.nan, ..., LAST, ALL)),
    Mutant("last_column_unwritten", "the last column is not written", output=overwritten(np.nan, ..., LAST)),
    Mutant("last_row_zero", "the last row is zero", output=overwritten(0, ..., LAST, ALL)),
    Mutant("last_column_zero", "the last column is zero", output=overwritten(0, ..., LAST)),
    Mutant("first_row_zero", "the first row is zero", output=overwritten(0, ..., FIRST, ALL)),
    Mutant("first_column_zero", "the first column is zero", output=overwritten(0, ..., FIRST)),
    Mutant("first_element_zero", "the first element of every map is zero", output=overwritten(0, ..., 0, 0)),
    Mutant(
        "last_element_zero", "the last element of the whole output is zero", output=overwritten(0, -1, -1, ..., -1, -1)
    ),
    Mutant("columns_in_vectors_of_4", "columns after the last whole four are zero", output=whole_vectors(4)),
    Mutant("columns_in_vectors_of_8", "columns after the last whole eight are zero", output=whole_vectors(8)),
    Mutant(
        "pixels_beyond_64_unwritten", "the elements of each map after the first 64 are zero", output=pixels_beyond(64)
    ),
    Mutant(
        "pixels_beyond_256_unwritten",
        "the elements of each map after the first 256 are zero",
        output=pixels_beyond(256),
    ),
    Mutant(
        "maps_beyond_8_unwritten", "maps after the first 8 are zero", output=on_maps(overwritten(0, slice(8, None)))
    ),
    Mutant(
        "maps_beyond_32_unwritten", "maps after the first 32 are zero", output=on_maps(overwritten(0, slice(32, None)))
    ),
    Mutant("maps_after_first_zero", "only the first map is computed", output=on_maps(overwritten(0, slice(1, None)))),
    Mutant(
        "maps_rolled", "each map is written one map too late", output=on_maps(lambda y, case: np.roll(y, 1, axis=0))
    ),
    Mutant("maps_reversed", "maps are written in reverse order", output=on_maps(lambda y, case: y[::-1])),
    Mutant(
        "maps_interleaved",
        "the groups' maps are interleaved in the output",
        conditions.grouped,
        output=on_maps(maps_interleaved),
    ),
    Mutant(
        "groups_reversed",
        "groups are written in reverse order",
        conditions.grouped,
        output=on_maps(groups_reversed),
    ),
    Mutant("output_channels_last", "the output is written as NHWC", output=channels_last),
    Mutant("output_transposed", "the output is written with H and W exchanged", output=transposed),
    Mutant(
        "output_upside_down", "the output's rows are written in reverse order", output=lambda y, case: y[..., ::-1, :]
    ),
    Mutant("output_mirrored", "the output's columns are written in reverse order", output=lambda y, case: y[..., ::-1]),
    Mutant(
        "output_one_column_late",
        "columns are written one column too late",
        output=lambda y, case: np.roll(y, 1, axis=-1),
    ),
    Mutant(
        "output_depth_reversed",
        "the slices of a 3D output are written in reverse order",
        conditions.three_d,
        output=lambda y, case: y[..., ::-1, :, :],
    ),
    Mutant(
        "images_one_late",
        "image n of a batch gets the output of image n - 1",
        output=lambda y, case: np.roll(y, 1, axis=0),
    ),
    Mutant("images_reversed", "the images of a batch are written in reverse order", output=lambda y, case: y[::-1]),
    Mutant("images_all_first", "every image of a batch gets the first image's output", output=first_image),
    Mutant(
        "images_after_first_zero", "only the first image of a batch is computed", output=overwritten(0, slice(1, None))
    ),
    Mutant("images_beyond_2_zero", "only two images of a batch are computed", output=overwritten(0, slice(2, None))),
    Mutant(
        "images_beyond_opt_zero",
        "images beyond the profile's opt batch are not computed",
        conditions.dynamic,
        output=beyond_opt,
    ),
    Mutant(
        "last_profile_limits_all",
        "what exceeds the last profile's largest shape is not computed with any profile",
        lambda case: case.dynamic is not None and bool(case.dynamic.further_profiles),
        output=within_last_profile,
    ),
    Mutant("opt_shape_always", "every run computes the profile's opt shape", conditions.dynamic, input=as_opt),
    Mutant(
        "first_shape_always",
        "every output has the shape of the first run's output",
        conditions.dynamic,
        engine=FirstShape,
    ),
    Mutant("output_cached_by_shape", "an input gets the output of the first input of its shape", engine=CachedByShape),
    Mutant("output_of_run_before", "a run returns the previous run's output", engine=Stale),
    Mutant("output_added_to", "a run adds to the previous run's output", engine=Accumulating),
    Mutant("output_in_float64", "the output's type is float64", output=lambda y, case: y.astype(np.float64)),
    Mutant("output_flat", "the output has one dimension", output=lambda y, case: y.ravel()),
    Mutant("output_without_batch", "the output has no batch dimension", output=lambda y, case: y[0]),
    Mutant("output_empty", "the output has no elements", output=lambda y, case: y[:0]),
    Mutant("output_renamed", "the output has another name", engine=Renamed),
    Mutant("output_with_workspace", "there is a second output", engine=Extra),
)

_SYMPTOMS = ("_zero", "_unwritten", "columns_in_vectors_of_4", "columns_in_vectors_of_8", "images_all_first")
MUTANTS: tuple[Mutant, ...] = tuple(replace(mutant, symptom=mutant.name.endswith(_SYMPTOMS)) for mutant in _ALL)
"""Mutants that leave a part of the output zero or unwritten are symptoms: many faults look like that."""
