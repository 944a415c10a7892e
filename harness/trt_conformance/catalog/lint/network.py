"""Checks what a case says of the network around the layer: types, layouts, and what stands behind the layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from trt_conformance.catalog.explain import Problem
from trt_conformance.core.case import Case, EpilogueOperation, Shapes, Types
from trt_conformance.core.layouts import LAYOUTS
from trt_conformance.core.tensors import NUMPY_TYPE
from trt_conformance.core.words import dotted

Shape = tuple[int, ...]


def lint_network(case: Case) -> Iterator[Problem]:
    """What is wrong whatever the shapes are."""
    if case.special_values and (case.quantize is not None or case.epilogue or case.dynamic is not None):
        yield ("special_values",), "special_values: such a case is the layer alone, in one shape, and not quantized"
    if case.bias_by_set_input and case.bias == "none":
        yield ("bias_by_set_input",), "bias_by_set_input: there is no bias to be given"
    if case.bias_by_set_input and case.weights == "setters":
        yield ("bias_by_set_input",), 'bias_by_set_input: weights = "setters" gives the bias by its setter'
    if case.precision == "fp8" and case.typing == "weak":
        yield ("typing",), "typing: FP8 needs a strongly typed network"
    if case.declared_first is not None and len(case.declared_first) != len(case.network_shape):
        yield ("declared_first",), "declared_first: expected as many dimensions as input.shape has"
    if case.misuse is not None and case.reject is None:
        yield ("misuse",), "misuse: a case that is run wrongly says in reject how that is refused"
    if case.reject is None:
        if case.types != Types():
            yield ("types",), "types: mixing them is refused, and the case has no reject that says so"
        if case.shapes != Shapes():
            yield ("shapes",), "shapes: weights of other shapes are refused, and the case has no reject that says so"
        yield from _formats(case)
    for index, step in enumerate(case.epilogue):
        yield from ((("epilogue", index, *path), text) for path, text in _step(case, step))


def _formats(case: Case) -> Iterator[Problem]:
    for side, name, held in (
        ("input", case.formats.input, case.input_type),
        ("output", case.formats.output, case.output_type),
    ):
        if name == "LINEAR":
            continue
        path, layout = ("formats", side), LAYOUTS[name]
        if layout.rank > case.spatial_rank:
            yield path, f"{dotted(path)}: {name} is for tensors of {layout.rank} spatial axes"
        if held not in layout.types:
            types = ", ".join(layout.types)
            yield path, f"{dotted(path)}: {name} holds {types}, but in {case.precision} the case has {held} there"
    if case.formats.padding == "nan":
        name = case.formats.input
        channels = 0 if name == "LINEAR" else case.network_shape[-LAYOUTS[name].rank - 1] % LAYOUTS[name].vector
        if channels == 0:
            yield ("formats", "padding"), "formats.padding: no vector of the input is padded"
        if case.input_type == "int8":
            yield ("formats", "padding"), "formats.padding: int8 has no NaN"


def _step(case: Case, step: EpilogueOperation) -> Iterator[Problem]:
    given = {"low": step.low, "high": step.high}
    if step.op != "clip":
        for name, value in given.items():
            if value is not None:
                yield (name,), f"{name} is for clip, not for {step.op}"
        return
    if step.low is None or step.high is None or not step.low < step.high:
        yield (), "clip needs low and high, and low < high"
        return
    for name, limit in (("low", step.low), ("high", step.high)):
        if float(np.asarray(limit).astype(NUMPY_TYPE[case.data_type])) != limit:
            yield (name,), f"{name}: {limit:g} is no value of {case.data_type}"


def lint_joined(case: Case, outputs: Sequence[Shape]) -> Iterator[Problem]:
    """Where the network's input does not fit what it is joined to: the layer's outputs, one for each run shape."""
    for shape, output in zip(case.run_shapes, outputs, strict=True):
        current, axis = output, -case.spatial_rank - 1
        for index, step in enumerate(case.epilogue):
            path = ("epilogue", index, "op")
            if step.op == "add" and current != shape:
                yield path, f"{dotted(path)}: the input {list(shape)} cannot be added to {list(current)}"
            if step.op == "concat":
                others = [s[:axis] + s[axis + 1 :] for s in (current, shape)]
                if others[0] != others[1]:
                    yield path, f"{dotted(path)}: {list(shape)} cannot be joined to {list(current)} along C"
                current = (*current[:axis], current[axis] + shape[axis], *current[axis + 1 :])
