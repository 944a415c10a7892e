"""Checks the epilogue of a case: each operation has what it needs, and its operands fit the output."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from trt_conformance.catalog.explain import Problem
from trt_conformance.catalog.lint.quantization import scale_fault
from trt_conformance.core.case import Case
from trt_conformance.core.epilogue_fields import (
    JOINS,
    NO_LIMIT,
    ROUNDING,
    EpilogueName,
    EpilogueOperation,
    FurtherLayer,
)
from trt_conformance.core.errors import InvalidConvolution
from trt_conformance.core.tensors import NUMPY_TYPE
from trt_conformance.core.words import counted, dotted
from trt_conformance.numerics.reference.shape import output_shape

Shape = tuple[int, ...]
LARGEST_WINDOW = 3
"""Along an axis: kernels of FFT, for which a further layer has no bound, serve larger ones."""


def lint_epilogue(case: Case) -> Iterator[Problem]:
    """Yield the problems of a case's epilogue and addend that do not depend on the shape of the output."""
    for index, step in enumerate(case.epilogue):
        yield from ((("epilogue", index, *path), text) for path, text in _step(case, step))
    yield from _addend(case)


def _addend(case: Case) -> Iterator[Problem]:
    reading = [step for step in case.epilogue if step.of == "addend"]
    if case.addend is None:
        if reading:
            yield ("epilogue",), f'{reading[0].op}: the case has no addend; add one, such as addend.fill = "uniform"'
        return
    if not reading and not any(step.op == "concat" for step in case.prologue):
        yield (
            ("addend",),
            'addend: no operation reads it; use of = "addend" in the epilogue, or concat in the prologue',
        )
    if case.dynamic is not None:
        yield ("addend",), "addend: its shape is fixed, so the case cannot have dynamic"
    if case.latency or case.large:
        yield ("addend",), "addend: timed and large cases have one input"


def _further(case: Case, layer: FurtherLayer | None) -> Iterator[Problem]:
    """The problems of a further layer that do not depend on what it reads."""
    if layer is None:
        yield (), "convolution needs layer, with the shape and fill of its kernel"
        return
    rank, maps = case.spatial_rank, layer.shape[0]
    if len(layer.shape) != rank + 2:
        yield ("layer", "shape"), f"shape: the kernel is {rank}D, expected {counted(rank + 2, 'dimension')}"
    if case.exact:
        yield ("layer",), "layer: a further layer rounds, so the case cannot be exact"
    if max(layer.shape[2:]) > LARGEST_WINDOW:
        yield (
            ("layer", "shape"),
            f"shape: windows of further layers may have at most {LARGEST_WINDOW} elements per axis",
        )
    for name, value in layer.assignments.items():
        if isinstance(value, tuple) and len(value) != rank:
            yield ("layer", name), f"{name}: expected {counted(rank, 'value')}"
    if (layer.scale is not None) != (case.quantize is not None):
        yield ("layer", "scale"), "scale: required in a quantized case, and not allowed in others"
    if layer.scale is not None and len(layer.scale) not in (1, maps):
        given = counted(len(layer.scale), "value")
        yield ("layer", "scale"), f"scale has {given}, expected 1, or one for each output map ({maps})"
    for scale in layer.scale or ():
        if fault := scale_fault(scale):
            yield ("layer", "scale"), f"scale: {fault}"


def _scales(case: Case, step: EpilogueOperation) -> Iterator[Problem]:
    """The problems of the scales of Q and DQ."""
    of_output = step.scale if step.op == "quantize" else None
    if step.op == "quantize" and (of_output is None or len(of_output) != 1):
        yield (), "quantize needs scale, with one value"
        return
    if step.of != "input" and step.op not in JOINS:
        yield ("of",), f"of: only {', '.join(JOINS)} read the addend, not {step.op}"
    if step.of_scale is not None and step.op not in JOINS:
        yield ("of_scale",), f"of_scale: only {', '.join(JOINS)} have an operand that is quantized, not {step.op}"
    for name, given in (("scale", of_output), ("of_scale", None if step.of_scale is None else (step.of_scale,))):
        if given is None:
            continue
        if case.quantize is None:
            yield (
                (name,),
                f"{name}: Q and DQ are only for precision int8 and fp8, but the case also runs in {case.precision}",
            )
        elif fault := scale_fault(given[0]):
            yield (name,), f"{name}: {fault}"
        elif case.data_type != "float32":
            yield from _unrepresentable(case, name, given)


# The keys that an operation has beside its name.
_KEYS: dict[EpilogueName, tuple[str, ...]] = {
    "clip": ("low", "high"),
    "leaky_relu": ("alpha",),
    "scale": ("scale", "shift"),
    "quantize": ("scale",),
    "convolution": ("layer",),
    "max_pool": ("window",),
    "average_pool": ("window",),
}


def _step(case: Case, step: EpilogueOperation) -> Iterator[Problem]:
    keys = _KEYS.get(step.op, ())
    for name in ("low", "high", "alpha", "scale", "shift", "window", "layer"):
        if getattr(step, name) is not None and name not in keys:
            owners = [op for op, names in _KEYS.items() if name in names]
            yield (
                (name,),
                f"{name}: only {' and '.join(owners)} {'has' if len(owners) == 1 else 'have'} it, not {step.op}",
            )
    if step.op == "clip" and (step.low is None or step.high is None or not -math.inf < step.low < step.high < math.inf):
        yield (), "clip needs finite low and high, and low < high"
        return
    if step.op == "leaky_relu" and (step.alpha is None or step.alpha == 1 or not math.isfinite(step.alpha)):
        yield (), "leaky_relu needs alpha, a slope other than 1"
        return
    if step.op == "scale" and step.scale is None and step.shift is None:
        yield (), "scale needs scale or shift"
    yield from _scales(case, step)
    if step.op == "convolution":
        yield from _further(case, step.layer)
    if step.op == "average_pool" and case.exact:
        yield ("op",), "op: average_pool rounds, so the case cannot be exact"
    if step.op in ("max_pool", "average_pool", "quantize", "convolution"):
        return  # the window depends on the shapes
    if step.op in ROUNDING and case.exact:
        yield ("op",), f"op: {step.op} rounds, so the case cannot be exact"
    for name in keys:
        yield from _numbers(case, step, name)


def _numbers(case: Case, step: EpilogueOperation, name: str) -> Iterator[Problem]:
    """The problems of one field of an operation that has a number, or several."""
    given = getattr(step, name)
    values = given if isinstance(given, tuple) else () if given is None else (given,)
    if name in ("scale", "shift") and len(values) not in (0, 1, case.kernel.shape[0]):
        maps = case.kernel.shape[0]
        yield (name,), f"{name} has {len(values)} values, expected 1, or one for each output map ({maps})"
    if not all(map(math.isfinite, values)):
        yield (name,), f"{name}: expected finite values"
    elif step.op != "clip" or abs(values[0]) != NO_LIMIT:
        yield from _unrepresentable(case, name, values)


def _unrepresentable(case: Case, name: str, values: Sequence[float]) -> Iterator[Problem]:
    """The problems of constants that the case's type does not have."""
    for value in values:
        with np.errstate(over="ignore"):
            rounded = float(np.asarray(value).astype(NUMPY_TYPE[case.data_type]))
        if rounded != value:
            yield (name,), f"{name}: {value:g} is not exactly representable in {case.data_type}"


def _factors_of(step: EpilogueOperation) -> tuple[Sequence[float], Sequence[float]]:
    return step.scale or (), step.shift or ()


def _window_problem(step: EpilogueOperation, sizes: Shape) -> str | None:
    """What is wrong with the window of a pooling over these spatial sizes."""
    if step.window is None or len(step.window) != len(sizes) or min(step.window) < 1:
        return f"{step.op} needs window, with {len(sizes)} sizes of at least 1"
    if any(each > size for each, size in zip(step.window, sizes, strict=True)):
        return f"{step.op}: the window {list(step.window)} is larger than {list(sizes)}"
    return None


def lint_joined(case: Case, outputs: Sequence[Shape]) -> Iterator[Problem]:
    """Yield the problems of joining the network's input or its addend to the layer's outputs.

    ``outputs`` are the output shapes of the layer, one for each of ``case.run_shapes``.
    """
    for shape, output in zip(case.run_shapes, outputs, strict=True):
        current, axis = output, -case.spatial_rank - 1
        for index, step in enumerate(case.epilogue):
            path = ("epilogue", index, "op")
            joined = case.addend.shape if step.of == "addend" and case.addend is not None else shape
            if step.op in JOINS and current != joined:
                verb = "added to" if step.op == "add" else "compared with"
                yield path, f"{dotted(path)}: the {step.of} {list(joined)} cannot be {verb} {list(current)}"
            if step.op == "scale" and current[axis] != output[axis] and max(map(len, _factors_of(step))) > 1:
                yield path, f"{dotted(path)}: a scale for each map must come before concat"
            if step.op in ("max_pool", "average_pool"):
                if problem := _window_problem(step, current[axis + 1 :]):
                    yield ("epilogue", index, "op"), problem
                    return
                sizes = zip(current[axis + 1 :], step.window or (), strict=True)
                current = (*current[: axis + 1], *(size // each for size, each in sizes))
            if step.layer is not None:
                try:
                    current = output_shape(current, step.layer.shape, step.layer.attributes)
                except InvalidConvolution as fault:
                    yield path, f"{dotted(path)}: no valid convolution of {list(current)}: {fault}"
                    return
            if step.op == "concat":
                others = [s[:axis] + s[axis + 1 :] for s in (current, shape)]
                if others[0] != others[1]:
                    yield path, f"{dotted(path)}: {list(shape)} cannot be concatenated to {list(current)} along C"
                current = (*current[:axis], current[axis] + shape[axis], *current[axis + 1 :])
