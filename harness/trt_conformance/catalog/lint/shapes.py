"""Checks the shapes of a case: ranks, sizes, dynamic dimensions, and whether the layer has an output."""

from __future__ import annotations

import math
from collections.abc import Iterator

from trt_conformance.catalog.explain import Problem
from trt_conformance.core.case import Case, Dynamic
from trt_conformance.core.errors import InvalidConvolution
from trt_conformance.core.toml import KeyPath
from trt_conformance.core.types import MAX_ELEMENTS
from trt_conformance.core.words import counted, dotted
from trt_conformance.numerics.reference.shape import layer_output

Shape = tuple[int, ...]

MAX_SIZE = 2**31 - 1
"""The largest size, stride, padding or dilation: TensorRT's dimensions are 32-bit integers."""


def input_shapes(case: Case) -> Iterator[tuple[KeyPath, Shape]]:
    """Yield every input shape that must be valid, those that are run first."""
    if case.dynamic is None:
        yield (), case.input.shape
        return
    for index, shape in enumerate(case.dynamic.run):
        yield ("dynamic", "run", index), shape
    for name in ("min", "opt", "max"):
        yield ("dynamic", name), getattr(case.dynamic, name)


def lint_sizes(case: Case, refused: bool) -> Iterator[Problem]:
    """Yield the shapes and attributes with too many elements or too large values."""
    shapes: dict[KeyPath, Shape] = {("input", "shape"): case.input.shape, ("kernel", "shape"): case.kernel.shape}
    for index, run in enumerate(case.dynamic.run if case.dynamic else ()):
        shapes["dynamic", "run", index] = run
    for path, shape in shapes.items():
        elements, most = math.prod(shape), 2 * MAX_ELEMENTS if case.large else MAX_ELEMENTS
        if elements > most:
            yield path, f"{dotted(path)}: {list(shape)} has {elements} elements, more than the {most} allowed"
    if refused:
        return
    every: dict[KeyPath, Shape] = dict(shapes)
    every |= {("set", name): value for name, value in case.set.items() if isinstance(value, tuple)}
    if case.dynamic is not None:
        every |= {("dynamic", name): getattr(case.dynamic, name) for name in ("min", "opt", "max")}
    for path, sizes in every.items():
        for size in sizes:
            if abs(size) > MAX_SIZE:
                yield path, f"{dotted(path)}: {size} is beyond 32 bits, the range of TensorRT's dimensions"


def lint_ranks(case: Case, refused: bool) -> Iterator[Problem]:
    """Yield the shapes and attributes whose number of dimensions does not match the kernel."""
    rank = case.spatial_rank
    if rank not in (2, 3) and not (refused and rank >= 1):
        yield (
            ("kernel", "shape"),
            f"kernel.shape has {counted(len(case.kernel.shape), 'dimension')}, "
            "expected 4 (K, C/groups, H, W) or 5 (K, C/groups, D, H, W)",
        )
        return
    if refused:
        return
    if len(case.input.shape) < rank + 2:
        given = counted(len(case.input.shape), "dimension")
        yield ("input", "shape"), f"input.shape has {given}, but a {rank}D kernel needs at least {rank + 2}"
    for name, value in case.set.items():
        if isinstance(value, tuple) and len(value) != rank:
            yield (
                ("set", name),
                f"set.{name} has {counted(len(value), 'value')}, but the kernel is {rank}D: expected {rank}",
            )


def lint_dynamic(case: Case) -> Iterator[Problem]:
    """Yield the problems of dynamic dimensions and their profile."""
    if case.dynamic is None:
        return
    declared, low, high = case.dynamic.shape, case.dynamic.min, case.dynamic.max
    shapes: dict[KeyPath, Shape] = {
        ("input", "shape"): case.input.shape,
        **{("dynamic", name): getattr(case.dynamic, name) for name in ("min", "opt", "max")},
        **{("dynamic", "run", index): run for index, run in enumerate(case.dynamic.run)},
    }
    rank = len(case.input.shape)
    ranks = {path: len(shape) for path, shape in [(("dynamic", "shape"), declared), *shapes.items()]}
    wrong = {path: found for path, found in ranks.items() if found != rank}
    for path, found in wrong.items():
        yield path, f"{dotted(path)} has {counted(found, 'dimension')}, but input.shape has {rank}"
    if -1 not in declared:
        yield ("dynamic", "shape"), f"dynamic.shape: {list(declared)} has no -1, so nothing is dynamic"
    if any(size < 1 and size != -1 for size in declared):
        yield ("dynamic", "shape"), f"dynamic.shape: {list(declared)} may contain only -1 and sizes of at least 1"
    if wrong:
        return
    yield from _lint_profiles(case.dynamic, rank, case.reject is not None)
    if case.reject is not None and any(rejection.phase == "build" for rejection in case.reject.on.values()):
        return  # the profile may be what is refused
    for path, shape in shapes.items():
        for axis, (size, given) in enumerate(zip(shape, declared, strict=True)):
            if given not in (-1, size):
                yield path, f"{dotted(path)}[{axis}] is {size}, but dynamic.shape fixes it at {given}"
        inside = all(a <= b <= c for a, b, c in zip(low, shape, high, strict=True))
        if path[0] == "dynamic" and not inside and not _leaves_profile(case, path):
            yield path, f"{dotted(path)} {list(shape)} is outside the profile: min {list(low)}, max {list(high)}"


def _lint_profiles(dynamic: Dynamic, rank: int, refused: bool) -> Iterator[Problem]:
    """Yield the problems of which profiles there are, and of those that are not run."""
    if dynamic.profile == "none" and not refused:
        text = "without a profile the build is refused, so the case needs reject"
        yield ("dynamic", "profile"), f"dynamic.profile: {text}"
    for index, profile in enumerate(dynamic.further_profiles):
        if any(len(shape) != rank for shape in (profile.min, profile.opt, profile.max)):
            path = ("dynamic", "further_profiles", index)
            yield path, f"{dotted(path)}: expected shapes of {counted(rank, 'dimension')}, as input.shape has"


def _leaves_profile(case: Case, path: KeyPath) -> bool:
    """Whether the case expects a run outside of the profile to be refused."""
    return path[1] == "run" and case.reject is not None and case.reject.phase == "run"


def lint_convolutions(case: Case) -> Iterator[Problem]:
    """Yield the input shapes for which the layer is not a valid convolution."""
    for path, shape in input_shapes(case):
        if text := _invalid(case, shape):
            yield path, text


def _invalid(case: Case, shape: Shape) -> str | None:
    try:
        layer_output(case, shape)
    except InvalidConvolution as error:
        return f"no valid convolution of {list(shape)}: {error} (if the case is meant to be refused, add reject)"
    return None


def lint_output_sizes(case: Case, outputs: list[Shape]) -> Iterator[Problem]:
    """Yield the outputs that have no elements, or too many."""
    most = 2 * MAX_ELEMENTS if case.large else MAX_ELEMENTS
    for (path, shape), output in zip(input_shapes(case), outputs, strict=False):
        # An empty batch checks only its shape: another run of the case must have elements.
        empty_batch = math.prod(shape[: -case.spatial_rank - 1]) == 0 and any(map(math.prod, outputs))
        if not (0 < math.prod(output) <= most or empty_batch):
            yield path, f"the output {list(output)} has {math.prod(output)} elements, expected 1 to {most}"
