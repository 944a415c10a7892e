"""Checks a case as a whole: its parts fit together, and a wrong implementation would fail it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, get_args

import numpy as np

from trt_conformance.catalog.explain import Problem
from trt_conformance.catalog.lint.network import lint_joined, lint_network
from trt_conformance.catalog.lint.vacuous import is_cheap, vacuous
from trt_conformance.catalog.patterns import pattern_fault
from trt_conformance.core.attributes import ATTRIBUTE_FIELDS
from trt_conformance.core.case import Case
from trt_conformance.core.errors import InvalidConvolution
from trt_conformance.core.tensors import NUMPY_TYPE
from trt_conformance.core.toml import KeyPath
from trt_conformance.core.types import MAX_ELEMENTS, QUANTIZED_PRECISIONS, PaddingMode
from trt_conformance.core.words import choice, counted, dotted, shown
from trt_conformance.numerics.exactness import inexact
from trt_conformance.numerics.printed import parse as parse_printed
from trt_conformance.numerics.reference.epilogue import network_shape
from trt_conformance.numerics.reference.result import reference
from trt_conformance.numerics.reference.shape import check, output_shape

Shape = tuple[int, ...]

MAX_SIZE = 2**31 - 1
"""The largest size, stride, padding or dilation: TensorRT's dimensions are 32-bit integers."""
# Random and dense fills: the only ones allowed in a timed case.
_DENSE_FILLS = ("uniform", "int8_full_range")
# Fills that are defined over the last two dimensions.
_PLANE_FILLS = ("tiled_1_to_9", "powers_of_ten", "powers_of_ten_alternating")


def lint_assignments(assignments: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield the problems of the names and types in ``set``, before it becomes part of a case."""
    for name, value in assignments.items():
        path = ("set", name)
        if name not in ATTRIBUTE_FIELDS:
            yield path, choice("unknown attribute in set:", name, ATTRIBUTE_FIELDS)
        elif name == "padding_mode":
            if value not in get_args(PaddingMode):
                yield path, choice(f"set.{name}: unknown mode", value, get_args(PaddingMode))
        elif name == "num_groups":
            if type(value) is not int:
                yield path, f"set.{name}: expected an integer, got {shown(value)}"
        elif not isinstance(value, list) or not value or any(type(part) is not int for part in value):
            yield path, f"set.{name}: expected an array of integers, one per axis, got {shown(value)}"


def lint_case(case: Case) -> Iterator[Problem]:
    """Yield every problem of one valid case, as (keys within the entry, message)."""
    # A case that every target refuses need not be a valid convolution.
    refused = case.reject is not None and case.reject.phase is not None
    if not case.claims and not case.source:
        yield (), "has neither claims nor a source: name the claims that the case checks, or where it comes from"
    parts = [*_contents(case, refused), *_quantization(case), *_rejection(case), *_relations(case), *_deprecated(case)]
    parts += [*_timed(case), *_large(case), *_constraint(case)]
    if not refused:
        parts += lint_network(case)
    shapes = [*_sizes(case, refused), *_ranks(case, refused), *_dynamic(case)]
    yield from (*parts, *shapes)
    if refused or shapes:
        return

    invalid = [(path, text) for path, shape in _input_shapes(case) if (text := _invalid(case, shape))]
    yield from invalid
    if invalid:
        return
    layer = [output_shape(shape, case.kernel.shape, case.attributes) for shape in case.run_shapes]
    joined = [*lint_joined(case, layer)]
    yield from joined
    if joined:
        return
    outputs = [network_shape(case, output, shape) for output, shape in zip(layer, case.run_shapes, strict=True)]
    yield from _expectation(case, outputs)
    yield from _output_sizes(case, outputs)
    if not parts and not case.latency and not case.large:
        yield from vacuous(case, layer)
        yield from _exact(case, layer)
        yield from _distinguishes(case, layer)


def _constraint(case: Case) -> Iterator[Problem]:
    if case.reject is None or case.reject.constraint is None:
        return
    try:
        check(case)
        violated = "no constraint"
    except InvalidConvolution as error:
        violated = error.constraint
    if violated != case.reject.constraint:
        yield ("reject", "constraint"), f"reject.constraint: the case violates {violated}, not {case.reject.constraint}"


def _large(case: Case) -> Iterator[Problem]:
    if case.large and (case.exact or case.relations or case.reject or case.latency or case.expect.printed):
        yield ("large",), "large: a large case cannot have exact, relations, reject, latency or printed values"
    if case.large and case.dynamic is not None:
        yield ("large",), "large: a large case has one shape and cannot be dynamic"


def _input_shapes(case: Case) -> Iterator[tuple[KeyPath, Shape]]:
    """Yield every input shape that must be valid, those that are run first."""
    if case.dynamic is None:
        yield (), case.input.shape
        return
    for index, shape in enumerate(case.dynamic.run):
        yield ("dynamic", "run", index), shape
    for name in ("min", "opt", "max"):
        yield ("dynamic", name), getattr(case.dynamic, name)


def _invalid(case: Case, shape: Shape) -> str | None:
    try:
        output_shape(shape, case.kernel.shape, case.attributes)
    except InvalidConvolution as error:
        return f"no valid convolution of {list(shape)}: {error} (if the case is meant to be refused, add reject)"
    return None


def _sizes(case: Case, refused: bool) -> Iterator[Problem]:
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


def _ranks(case: Case, refused: bool) -> Iterator[Problem]:
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


def _contents(case: Case, refused: bool) -> Iterator[Problem]:
    """Each tensor has a fill or values, and its values fit its shape and type."""
    tensors: list[tuple[str, Any, Shape]] = [
        ("input", case.input, case.input.shape),
        ("kernel", case.kernel, case.kernel.shape),
    ]
    if case.bias != "none":
        tensors.append(("bias", case.bias, case.kernel.shape[:1]))
    for name, tensor, shape in tensors:
        if (tensor.fill is None) == (tensor.values is None):
            which = "both fill and values" if tensor.fill else "neither fill nor values"
            yield (name,), f"{name} has {which}, expected one of them"
        elif tensor.fill in _PLANE_FILLS and len(shape) < 2:
            yield (name, "fill"), f"{name}.fill: {tensor.fill} needs two dimensions, but the {name} has {len(shape)}"
        elif tensor.values and not refused and len(tensor.values) != math.prod(shape):
            given = counted(len(tensor.values), "value")
            yield (name, "values"), f"{name}.values: {given} for shape {list(shape)}, expected {math.prod(shape)}"
        elif tensor.values and not refused:
            yield from _overflows(case, name, tensor.values)
    if case.dynamic and case.input.values and any(run != case.input.shape for run in case.dynamic.run):
        yield (
            ("input", "values"),
            f"input.values fit only {list(case.input.shape)}: dynamic.run needs a fill",
        )


def _overflows(case: Case, name: str, values: Sequence[float]) -> Iterator[Problem]:
    with np.errstate(over="ignore"):
        read = np.asarray(values, dtype=np.float64).astype(NUMPY_TYPE[case.data_type]).astype(np.float64)
    for index, (given, became) in enumerate(zip(values, read, strict=True)):
        if math.isfinite(given) and not math.isfinite(became):
            yield (name, "values", index), f"{name}.values[{index}]: {given:g} is beyond the range of {case.data_type}"


def _quantization(case: Case) -> Iterator[Problem]:
    quantize = case.quantize
    if quantize is None:
        if case.precision in QUANTIZED_PRECISIONS:
            yield ("precision",), f"precision {case.precision} needs quantize with the scales"
        return
    if case.precision not in QUANTIZED_PRECISIONS:
        yield ("quantize",), f"quantize is only for precision int8 and fp8, but the case also runs in {case.precision}"
    elif case.weights != "set_input":
        yield ("weights",), 'quantize needs weights = "set_input": Q/DQ applies only to a kernel that is a tensor'
    maps = case.kernel.shape[0]
    if len(quantize.kernel) not in (1, maps):
        given = counted(len(quantize.kernel), "scale")
        yield (
            ("quantize", "kernel"),
            f"quantize.kernel has {given}, expected 1, or one for each output map ({maps})",
        )
    for name, scales in (("input", (quantize.input,)), ("kernel", quantize.kernel), ("output", (quantize.output,))):
        for scale in scales:
            # Engines store scales in float32.
            if scale is not None and not 2.0**-126 <= scale < 2.0**128:
                yield ("quantize", name), f"quantize.{name}: a scale must be a positive float32, got {scale:g}"
    if quantize.io_quantization and case.epilogue:
        yield (
            ("epilogue",),
            "epilogue: with quantize.io_quantization the network ends in the layer or its Q, so nothing may follow",
        )


def _rejection(case: Case) -> Iterator[Problem]:
    if case.reject is None:
        return
    if (case.reject.phase is None) != (case.reject.error is None):
        present, absent = ("phase", "error") if case.reject.phase else ("error", "phase")
        yield ("reject",), f'reject has "{present}" but not "{absent}": give both or neither'
    elif case.reject.phase is None and not case.reject.on:
        yield ("reject",), "reject is empty: expected phase and error, or on"
    phases = {case.reject.phase, *(rejection.phase for rejection in case.reject.on.values())}
    if case.misuse is not None and phases - {None} != {"run"}:
        yield ("misuse",), "misuse: a misused engine is refused in phase run, so every phase of reject must be run"
    patterns: dict[KeyPath, str | None] = {("reject", "error"): case.reject.error}
    for target, rejection in case.reject.on.items():
        patterns["reject", "on", target, "error"] = rejection.error
    for path, pattern in patterns.items():
        if fault := pattern_fault(pattern or ""):
            yield path, f"{dotted(path)}: {shown(pattern)} {fault}"


def _relations(case: Case) -> Iterator[Problem]:
    for index, relation in enumerate(case.relations):
        if relation.kind in ("equal", "channel_sum") and relation.to is None:
            yield ("relations", index), f'relation {relation.kind} needs "to": the id of the other case'
        if relation.to == case.base_id:
            yield ("relations", index), f'relation {relation.kind} names the case itself: "{relation.to}"'


def _deprecated(case: Case) -> Iterator[Problem]:
    if case.deprecated is None:
        return
    old, new = case.deprecated.name, case.deprecated.new
    if new != f"{old}_nd":
        yield ("deprecated", "new"), f"deprecated.new: {old} is replaced by {old}_nd, not {new}"
    if old == "kernel_size":
        if case.weights != "setters":
            yield ("deprecated", "name"), 'deprecated.name kernel_size needs weights = "setters"'
    elif old != "add_convolution" and old not in case.set:
        yield ("deprecated", "name"), f"deprecated.name {old} is not used: set.{old} is missing"


def _timed(case: Case) -> Iterator[Problem]:
    if case.batch is not None and case.dynamic is not None:
        yield ("batch",), "batch: a dynamic case lists its shapes in dynamic.run instead"
    if not case.latency:
        return
    if case.reject is not None or case.relations or case.expect.printed is not None:
        yield ("latency",), "latency: a timed case cannot have reject, relations or printed values: use a separate case"
    for name, tensor in (("input", case.input), ("kernel", case.kernel)):
        if tensor.fill not in _DENSE_FILLS:
            known = " or ".join(_DENSE_FILLS)
            yield (
                (name, "fill"),
                f"{name}.fill: a timed case needs {known}, because the data affect power and clocks",
            )


def _dynamic(case: Case) -> Iterator[Problem]:
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
        yield ("dynamic", "shape"), f"dynamic.shape: {list(declared)} may have only -1 and sizes of at least 1"
    if wrong:
        return
    for path, shape in shapes.items():
        for axis, (size, given) in enumerate(zip(shape, declared, strict=True)):
            if given not in (-1, size):
                yield path, f"{dotted(path)}[{axis}] is {size}, but dynamic.shape fixes it at {given}"
        inside = all(a <= b <= c for a, b, c in zip(low, shape, high, strict=True))
        if path[0] == "dynamic" and not inside and not _leaves_profile(case, path):
            yield path, f"{dotted(path)} {list(shape)} is outside the profile: min {list(low)}, max {list(high)}"


def _leaves_profile(case: Case, path: KeyPath) -> bool:
    """Whether the case expects a run outside of the profile to be refused."""
    return path[1] == "run" and case.reject is not None and case.reject.phase == "run"


def _expectation(case: Case, outputs: list[Shape]) -> Iterator[Problem]:
    expected = case.expect.shape
    if expected is not None and expected not in outputs:
        actual = " or ".join(str(list(shape)) for shape in outputs)
        yield ("expect", "shape"), f"expect.shape is {list(expected)}, but the output is {actual}"
    shape = expected or outputs[0]
    for name in ("printed", "ideal"):
        text = getattr(case.expect, name)
        misprint = None if text is None else _misprint(text, shape)
        if misprint:
            yield ("expect", name), f"expect.{name}: {misprint}"


@cache
def _misprint(text: str, shape: Shape) -> str | None:
    try:
        parse_printed(text, shape)
    except ValueError as error:
        return str(error)
    return None


def _exact(case: Case, outputs: list[Shape]) -> Iterator[Problem]:
    if not case.exact:
        return
    if not all(is_cheap(case, shape, output) for shape, output in zip(case.run_shapes, outputs, strict=True)):
        yield ("exact",), "exact: the case is too large to verify here; use a smaller one"
    elif reason := _inexact(case):
        yield ("exact",), f"not exact: {reason}"


def _inexact(case: Case) -> str | None:
    with np.errstate(all="ignore"):
        return inexact(case)


def _distinguishes(case: Case, outputs: list[Shape]) -> Iterator[Problem]:
    if not case.distinguishes:
        return
    values = list(case.distinguishes.values())
    if not is_cheap(case, case.run_shapes[0], outputs[0]) or math.prod(outputs[0]) == 0:
        yield ("distinguishes",), "distinguishes: the case is empty, or too large to verify here; use a small one"
    elif len(set(values)) < max(2, len(values)):
        yield ("distinguishes",), "distinguishes: expected at least two names with different values"
    elif (right := _first_element(case)) not in values:
        yield ("distinguishes",), f"distinguishes: no value is that of the reference, {right!r}"


def _first_element(case: Case) -> float:
    with np.errstate(all="ignore"):
        return float(reference(case, case.run_shapes[0]).output.flat[0])


def _output_sizes(case: Case, outputs: list[Shape]) -> Iterator[Problem]:
    most = 2 * MAX_ELEMENTS if case.large else MAX_ELEMENTS
    for (path, shape), output in zip(_input_shapes(case), outputs, strict=False):
        # An empty batch checks only its shape: another run of the case must have elements.
        empty_batch = math.prod(shape[: -case.spatial_rank - 1]) == 0 and any(map(math.prod, outputs))
        if not (0 < math.prod(output) <= most or empty_batch):
            yield path, f"the output {list(output)} has {math.prod(output)} elements, expected 1 to {most}"
