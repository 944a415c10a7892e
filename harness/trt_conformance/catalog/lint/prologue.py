"""Checks the prologue of a case: each operation has what it needs, and fits the shape that it reads."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trt_conformance.catalog.explain import Problem
from trt_conformance.catalog.lint.shapes import input_shapes
from trt_conformance.core.case import Case
from trt_conformance.core.prologue import layer_shape
from trt_conformance.core.prologue_fields import PrologueName, PrologueOperation
from trt_conformance.core.tensors import content_of
from trt_conformance.core.words import counted, dotted

Shape = tuple[int, ...]

# The keys that an operation has beside its name.
_KEYS: dict[PrologueName, tuple[str, ...]] = {
    "pad": ("pre_padding", "post_padding"),
    "slice": ("start", "shape", "stride"),
    "max_pool": ("window",),
}


def lint_prologue(case: Case) -> Iterator[Problem]:
    """Yield the problems of a case's prologue."""
    if not case.prologue:
        return
    path = ("prologue",)
    if case.latency or case.large or case.special_values:
        yield path, "prologue: not allowed in cases with latency, large or special_values"
    if any(relation.kind != "equal" for relation in case.relations):
        yield path, "prologue: with a prologue, the only possible relation is equal"
    if case.quantize is not None and case.quantize.io_quantization:
        yield path, "prologue: with quantize.io_quantization the network must begin with the layer or its DQ"
    if case.dynamic is not None and any(step.op == "slice" for step in case.prologue):
        yield path, "prologue: slice has a fixed shape, so the case cannot have dynamic"
    if case.declared_first is not None or case.network.activation_by_set_input:
        yield (
            path,
            "prologue: not with declared_first or network.activation_by_set_input, both of which replace the input",
        )
    if any(step.op == "cast" for step in case.prologue):
        yield from _cast(case)
    missing = False
    for index, step in enumerate(case.prologue):
        for key, text in _step(step):
            missing = True
            yield ("prologue", index, *key), text
    if not missing:
        yield from _shapes(case)


def _cast(case: Case) -> Iterator[Problem]:
    """The problems of a network that reads uint8."""
    if [step.op for step in case.prologue].index("cast") > 0 or case.prologue.count(case.prologue[0]) > 1:
        yield ("prologue",), "prologue: the network reads uint8, so cast is its first operation, and the only cast"
    values = content_of(case.input, case.input.shape)
    if not ((values >= 0) & (values <= 255) & (values == np.rint(values))).all():
        yield ("input",), "input: cast reads uint8, so the values must be integers of 0 to 255"


def _step(step: PrologueOperation) -> Iterator[Problem]:
    keys = _KEYS.get(step.op, ())
    for name in (name for names in _KEYS.values() for name in names):
        if getattr(step, name) is not None and name not in keys:
            owner = next(op for op, names in _KEYS.items() if name in names)
            yield (name,), f"{name}: only {owner} has it, not {step.op}"
    if any(getattr(step, name) is None for name in keys):
        yield (), f"{step.op} needs {', '.join(keys)}"


def _shapes(case: Case) -> Iterator[Problem]:
    """The problems of operations in the shapes that are run."""
    for _, shape in input_shapes(case):
        current: Shape = shape
        for index, step in enumerate(case.prologue):
            path = ("prologue", index)
            problem = _problem(case, step, current)
            if problem is not None:
                yield path, f"{dotted(path)}: {problem}"
                return
            addend = () if case.addend is None else case.addend.shape
            current = layer_shape((step,), case.spatial_rank, current, addend)


def _problem(case: Case, step: PrologueOperation, shape: Shape) -> str | None:
    rank = case.spatial_rank
    match step.op:
        case "pad":
            ends = (*(step.pre_padding or ()), *(step.post_padding or ()))
            if len(ends) != 4 or min(ends) < 0:
                return "pad needs two values of at least 0 in pre_padding and in post_padding, for the last two axes"
        case "slice":
            return _slice_problem(step, shape)
        case "max_pool":
            window = step.window or ()
            if len(window) != rank or min(window) < 1:
                return f"max_pool needs window, with {rank} sizes of at least 1"
            if any(each > size for each, size in zip(window, shape[-rank:], strict=True)):
                return f"max_pool: the window {list(window)} is larger than {list(shape[-rank:])}"
        case "concat":
            if case.addend is None:
                return "concat: the case has no addend"
            given, axis = case.addend.shape, -rank - 1
            if len(given) != len(shape) or (*given[:axis], *given[axis + 1 :]) != (*shape[:axis], *shape[axis + 1 :]):
                return f"the addend {list(given)} cannot be concatenated to {list(shape)} along C"
    return None


def _slice_problem(step: PrologueOperation, shape: Shape) -> str | None:
    start, sizes, stride = step.start or (), step.shape or (), step.stride or ()
    if not len(start) == len(sizes) == len(stride) == len(shape):
        return f"slice needs {counted(len(shape), 'value')} in start, shape and stride, one for each axis"
    along = zip(start, sizes, stride, shape, strict=True)
    if any(a < 0 or n < 1 or s < 1 or a + (n - 1) * s >= size for a, n, s, size in along):
        return f"slice reads beyond {list(shape)}"
    return None
