"""Checks the network around the layer: types, memory layouts, and the epilogue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from trt_conformance.catalog.explain import Problem
from trt_conformance.core.builder_fields import Builder
from trt_conformance.core.case import Case, Shapes, Types
from trt_conformance.core.epilogue_fields import JOINS, ROUNDING, EpilogueName, EpilogueOperation
from trt_conformance.core.layouts import LAYOUTS
from trt_conformance.core.tensors import NUMPY_TYPE
from trt_conformance.core.words import dotted

Shape = tuple[int, ...]


def lint_network(case: Case) -> Iterator[Problem]:
    """Yield the problems of a case's network that do not depend on its shapes."""
    if case.special_values and (case.quantize is not None or case.epilogue or case.dynamic is not None):
        yield (
            ("special_values",),
            "special_values: the case cannot have quantize, epilogue or dynamic",
        )
    if case.bias_by_set_input and case.bias == "none":
        yield ("bias_by_set_input",), "bias_by_set_input: the case has no bias"
    if case.bias_by_set_input and case.weights == "setters":
        yield (
            ("bias_by_set_input",),
            'bias_by_set_input: weights = "setters" passes the bias to its setter instead',
        )
    if case.precision == "fp8" and case.typing == "weak":
        yield ("typing",), "typing: FP8 needs a strongly typed network"
    if case.declared_first is not None and len(case.declared_first) != len(case.network_shape):
        yield ("declared_first",), "declared_first: expected as many dimensions as input.shape has"
    if case.misuse is not None and case.reject is None:
        yield ("misuse",), "misuse: needs reject, with the error that the misuse causes"
    if case.reject is None:
        if case.types != Types():
            yield ("types",), "types: mixed types are refused, so the case needs reject with the error"
        if case.shapes != Shapes():
            yield ("shapes",), "shapes: weights of other shapes are refused, so the case needs reject with the error"
        yield from _formats(case)
    if "num_output_maps" in case.set and case.reject is None:
        yield ("set", "num_output_maps"), "set.num_output_maps: the kernel has the maps, so another number needs reject"
    yield from _definition(case)
    yield from _options(case)
    for index, step in enumerate(case.epilogue):
        yield from ((("epilogue", index, *path), text) for path, text in _step(case, step))


def _options(case: Case) -> Iterator[Problem]:
    """The problems of ``builder``."""
    for name in ("flags", "compute_capabilities", "tactic_sources"):
        given = getattr(case.builder, name) or ()
        if len(set(given)) < len(given):
            yield ("builder", name), f"builder.{name}: one is listed twice"
    if case.latency and case.builder != Builder():
        yield ("builder",), "builder: a timed case is built with the options of the run"


def _definition(case: Case) -> Iterator[Problem]:
    """The problems of ``network``."""
    network = case.network
    if network.set_input is not None and case.reject is None:
        yield ("network", "set_input"), "network.set_input: a further input is refused, so the case needs reject"
    if network.activation_by_set_input and (case.dynamic is not None or case.quantize is not None):
        path = ("network", "activation_by_set_input")
        yield path, "network.activation_by_set_input: the other tensor is a float constant of the input's shape"
    if network.bias_reset is not None and case.bias != "none":
        yield ("network", "bias_reset"), "network.bias_reset: the layer ends without a bias, so the case has none"
    if len(set(network.runtime)) < len(network.runtime):
        yield ("network", "runtime"), "network.runtime: a tensor is listed twice"
    if "kernel" in network.runtime and case.weights != "set_input":
        yield ("network", "runtime"), 'network.runtime: a kernel that is an input needs weights = "set_input"'
    if "bias" in network.runtime and not case.bias_by_set_input:
        yield ("network", "runtime"), "network.runtime: a bias that is an input needs bias_by_set_input"
    if "bias" in network.runtime and case.quantize is not None:
        yield ("network", "runtime"), "network.runtime: the bias of a quantized case is a constant"
    if network.runtime and (case.latency or case.large):
        yield ("network", "runtime"), "network.runtime: timed and large cases read one input"


def _formats(case: Case) -> Iterator[Problem]:
    for side, name, held in (
        ("input", case.formats.input, case.input_type),
        ("output", case.formats.output, case.output_type),
    ):
        if name == "LINEAR":
            continue
        path = ("formats", side)
        if name not in LAYOUTS:
            yield path, f"{dotted(path)}: {name} is for the DLA, and a GPU refuses it, so the case needs reject"
            continue
        layout = LAYOUTS[name]
        if layout.rank > case.spatial_rank:
            yield path, f"{dotted(path)}: {name} needs {layout.rank} spatial axes, but the case has {case.spatial_rank}"
        if held not in layout.types:
            types = ", ".join(layout.types)
            yield path, f"{dotted(path)}: {name} supports {types}, but in {case.precision} this tensor is {held}"
    if case.formats.padding == "nan":
        if _padded_channels(case) == 0:
            yield ("formats", "padding"), "formats.padding: the input has no padded vector to fill with NaN"
        if case.input_type == "int8":
            yield ("formats", "padding"), "formats.padding: int8 has no NaN"


def _padded_channels(case: Case) -> int:
    """How many channels of the input are in a vector that is not full."""
    name, shape = case.formats.input, case.network_shape
    if name not in LAYOUTS or len(shape) <= LAYOUTS[name].rank:
        return 0
    return shape[-LAYOUTS[name].rank - 1] % LAYOUTS[name].vector


# The keys that an operation has beside its name.
_KEYS: dict[EpilogueName, tuple[str, ...]] = {
    "clip": ("low", "high"),
    "leaky_relu": ("alpha",),
    "scale": ("scale", "shift"),
    "max_pool": ("window",),
}


def _step(case: Case, step: EpilogueOperation) -> Iterator[Problem]:
    keys = _KEYS.get(step.op, ())
    for name in ("low", "high", "alpha", "scale", "shift", "window"):
        if getattr(step, name) is not None and name not in keys:
            owner = next(op for op, names in _KEYS.items() if name in names)
            yield (name,), f"{name}: only {owner} has it, not {step.op}"
    if step.op == "clip" and (step.low is None or step.high is None or not step.low < step.high):
        yield (), "clip needs low and high, and low < high"
        return
    if step.op == "leaky_relu" and (step.alpha is None or not 0 <= step.alpha < 1):
        yield (), "leaky_relu needs alpha, from 0 to below 1"
        return
    if step.op == "scale" and step.scale is None and step.shift is None:
        yield (), "scale needs scale or shift"
    if step.op == "max_pool":
        return  # its window depends on the shapes
    if step.op in ROUNDING and case.exact:
        yield ("op",), f"op: {step.op} rounds, so the case cannot be exact"
    for name in keys:
        given = getattr(step, name)
        values = given if isinstance(given, tuple) else () if given is None else (given,)
        if name in ("scale", "shift") and len(values) not in (0, 1, case.kernel.shape[0]):
            maps = case.kernel.shape[0]
            yield (name,), f"{name} has {len(values)} values, expected 1, or one for each output map ({maps})"
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
        return f"max_pool needs window, with {len(sizes)} sizes of at least 1"
    if any(each > size for each, size in zip(step.window, sizes, strict=True)):
        return f"max_pool: the window {list(step.window)} is larger than {list(sizes)}"
    return None


def lint_joined(case: Case, outputs: Sequence[Shape]) -> Iterator[Problem]:
    """Yield the problems of adding or concatenating the network's input to the layer's outputs.

    ``outputs`` are the output shapes of the layer, one for each of ``case.run_shapes``.
    """
    for shape, output in zip(case.run_shapes, outputs, strict=True):
        current, axis = output, -case.spatial_rank - 1
        for index, step in enumerate(case.epilogue):
            path = ("epilogue", index, "op")
            if step.op in JOINS and current != shape:
                verb = "added to" if step.op == "add" else "compared with"
                yield path, f"{dotted(path)}: the input {list(shape)} cannot be {verb} {list(current)}"
            if step.op == "scale" and current[axis] != output[axis] and max(map(len, _factors_of(step))) > 1:
                yield path, f"{dotted(path)}: a scale for each map must come before concat"
            if step.op == "max_pool":
                if problem := _window_problem(step, current[axis + 1 :]):
                    yield ("epilogue", index, "op"), problem
                    return
                sizes = zip(current[axis + 1 :], step.window or (), strict=True)
                current = (*current[: axis + 1], *(size // each for size, each in sizes))
            if step.op == "concat":
                others = [s[:axis] + s[axis + 1 :] for s in (current, shape)]
                if others[0] != others[1]:
                    yield path, f"{dotted(path)}: {list(shape)} cannot be concatenated to {list(current)} along C"
                current = (*current[:axis], current[axis] + shape[axis], *current[axis + 1 :])
