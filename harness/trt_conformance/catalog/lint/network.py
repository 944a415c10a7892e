"""Checks the network around the layer: how it is defined, types, and memory layouts."""

from __future__ import annotations

from collections.abc import Iterator

from trt_conformance.catalog.explain import Problem
from trt_conformance.core.builder_fields import OBEY, PREFER, Builder
from trt_conformance.core.case import Case, Shapes, Types
from trt_conformance.core.layouts import LAYOUTS
from trt_conformance.core.words import dotted


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


def _options(case: Case) -> Iterator[Problem]:
    """The problems of ``builder``."""
    for name in ("flags", "compute_capabilities", "tactic_sources"):
        given = getattr(case.builder, name) or ()
        if len(set(given)) < len(given):
            yield ("builder", name), f"builder.{name}: a value is listed twice"
    if {"FP16", "BF16"} & set(case.builder.flags):
        path = ("builder", "flags")
        if case.precision != "fp32" or case.typing != "weak":
            yield path, 'builder.flags: FP16 and BF16 are for fp32 with typing = "weak"; other precisions set their own'
        if case.prologue or case.epilogue:
            yield path, "builder.flags: with FP16 or BF16 there is a bound only if the layer is alone"
    if {OBEY, PREFER} <= set(case.builder.flags):
        yield ("builder", "flags"), "builder.flags: OBEY_ and PREFER_PRECISION_CONSTRAINTS exclude each other"
    if "STRIP_PLAN" in case.builder.flags and case.refit is None and case.reject is None:
        yield ("builder", "flags"), "builder.flags: an engine of STRIP_PLAN has no weights, so the case needs refit"
    if case.builder.weight_streaming_budget is not None and "WEIGHT_STREAMING" not in case.builder.flags:
        path = ("builder", "weight_streaming_budget")
        yield path, 'builder.weight_streaming_budget: needs flags = ["WEIGHT_STREAMING"]'
    if case.latency and case.builder != Builder():
        yield ("builder",), "builder: not allowed in a timed case, which is built with the run's options"


def _definition(case: Case) -> Iterator[Problem]:
    """The problems of ``network``."""
    network = case.network
    if network.set_input is not None and case.reject is None:
        yield ("network", "set_input"), "network.set_input: a further input is refused, so the case needs reject"
    if network.activation_by_set_input and (case.dynamic is not None or case.quantize is not None):
        path = ("network", "activation_by_set_input")
        yield path, "network.activation_by_set_input: the other tensor is a float constant of the input's shape"
    if case.typing != "weak" and case.reject is None:
        for name in ("precision", "output_type"):
            if getattr(network, name) is not None and not case.is_quantized_implicitly:
                yield (
                    ("network", name),
                    f'network.{name}: needs typing = "weak", or reject, because other networks refuse it',
                )
    if network.precision == "INT8" and not case.is_quantized_implicitly and case.reject is None:
        yield ("network", "precision"), "network.precision: INT8 needs quantize.dynamic_range"
    if network.bias_reset is not None and case.bias != "none":
        yield (
            ("network", "bias_reset"),
            "network.bias_reset: the layer ends up without a bias, so the case must have none",
        )
    if len(set(network.runtime)) < len(network.runtime):
        yield ("network", "runtime"), "network.runtime: a tensor is listed twice"
    if "kernel" in network.runtime and case.weights != "set_input":
        yield ("network", "runtime"), 'network.runtime: a kernel that is an input needs weights = "set_input"'
    if "bias" in network.runtime and not case.bias_by_set_input:
        yield ("network", "runtime"), "network.runtime: a bias that is an input needs bias_by_set_input"
    if "bias" in network.runtime and case.quantize is not None:
        yield ("network", "runtime"), "network.runtime: the bias of a quantized case must be a constant"
    if network.runtime and (case.latency or case.large):
        yield ("network", "runtime"), "network.runtime: timed and large cases have one input"


def _formats(case: Case) -> Iterator[Problem]:
    if case.formats.also and {case.formats.input, case.formats.output} & set(case.formats.also):
        yield ("formats", "also"), "formats.also: a layout is stated twice"
    for name in case.formats.also:
        for side, held in (("input", case.input_type), ("output", case.output_type)):
            if name not in LAYOUTS or held not in LAYOUTS[name].types or LAYOUTS[name].rank > case.spatial_rank:
                yield ("formats", "also"), f"formats.also: the {side}, {held}, cannot be in {name}"
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
