"""The expected output as NumPy code, and the largest error that the comparison allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trt_conformance.checks.other_input import other_input
from trt_conformance.core.arrays import Float64
from trt_conformance.core.case import Case, TensorSpec
from trt_conformance.core.tensors import case_data
from trt_conformance.core.types import QUANTIZED_PRECISIONS
from trt_conformance.numerics.bounds.basis import Basis, basis, bound_on, is_transform
from trt_conformance.numerics.bounds.elementwise import arithmetic_of, gamma
from trt_conformance.numerics.bounds.epilogue import network_result
from trt_conformance.numerics.reference.result import reference
from trt_conformance.numerics.reference.shape import resolve
from trt_conformance.repro.epilogue import expected_step_lines
from trt_conformance.repro.failure import Failure
from trt_conformance.repro.prologue import layer_input_lines, layer_input_name
from trt_conformance.repro.scaling import per_map_code, scale_code
from trt_conformance.repro.tensors import input_code

QDQ = {
    "int8": [
        "def qdq(values, scale):  # quantize to int8 and dequantize",
        "    return np.clip(np.rint(values / scale), -128, 127) * scale",
    ],
    "fp8": [
        "def qdq(values, scale):  # quantize to FP8 (E4M3FN) and dequantize",
        "    ratio = np.clip(values / scale, -448, 448)",
        "    step = np.ldexp(1.0, np.maximum(np.frexp(ratio)[1], -5) - 4)",
        "    return np.rint(ratio / step) * step * scale",
    ],
}


@dataclass(frozen=True)
class RunCode:
    """One input that the program runs: its expression, and the case that has it as its only input."""

    input: str
    case: Case

    @property
    def shape(self) -> tuple[int, ...]:
        return self.case.input.shape


def failed_shape(case: Case, failure: Failure) -> tuple[int, ...]:
    """The shape of the run that failed, where the record says it; else the first."""
    failed = tuple((failure.verdict.figures.get("evidence") or {}).get("input_shape", ()))
    return failed if failed in case.run_shapes else case.run_shapes[0]


def runs_of(case: Case, failure: Failure) -> list[RunCode]:
    """The inputs to run: the one that failed where the record says which, else all; two for the check `inputs`."""
    failed = tuple((failure.verdict.figures.get("evidence") or {}).get("input_shape", ()))
    shapes = [shape for shape in case.run_shapes if shape == failed] or list(case.run_shapes)
    runs = [RunCode(input_code(case, shape), _static(case, shape)) for shape in shapes[: None if not failed else 1]]
    if failure.verdict.check != "inputs":
        return runs
    first = runs[0]
    second = other_input(case, first.shape)
    is_negated = np.array_equal(second, -case_data(case, first.shape).input)
    code = f"-({first.input})" if is_negated else f"({first.input}).ravel()[::-1].reshape({first.shape})"
    values = tuple(second.astype(np.float64).ravel().tolist())
    spec = TensorSpec.model_construct(shape=first.shape, fill=None, values=values, seed=0)
    return [first, RunCode(code, first.case.model_copy(update={"input": spec}))]


def _static(case: Case, shape: tuple[int, ...]) -> Case:
    """The case with one of its run shapes as its only one."""
    values = case.input.values if shape == case.input.shape else None
    fill = None if values is not None else case.input.fill
    spec = TensorSpec.model_construct(shape=shape, fill=fill, values=values, seed=case.input.seed)
    return case.model_copy(update={"input": spec, "dynamic": None})


def run_line(run: RunCode) -> str:
    """An entry of ``runs``: the input, the zeros around it on each spatial axis, and the output's sizes."""
    layer = run.case.layer_shape(run.shape)
    axes = resolve(layer, run.case.kernel.shape, run.case.attributes)
    sizes = layer[-len(axes) :]
    pads = tuple(
        (axis.before, max(0, axis.reach(window) - size - axis.before))
        for axis, size, window in zip(axes, sizes, run.case.kernel.shape[2:], strict=True)
    )
    return f"    ({run.input}, {pads}, {tuple(axis.size for axis in axes)}),"


def convolve_lines(case: Case) -> list[str]:
    """Define ``convolve``, the definition of a layer in float64, with the attributes of the case's layer."""
    a, rank = case.attributes, case.spatial_rank
    attributes = f"stride={a.stride}, dilation={a.dilation}, groups={a.groups}"
    lines = [
        f"def convolve(x, w, b, pads, size, {attributes}):  # the definition, in float64",
        f"    x = np.pad(x.reshape(-1, *x.shape[-{rank + 1}:]).astype(float), ((0, 0), (0, 0), *pads))",
        "    maps, channels = w.shape[:2]",
        "    x = x.reshape(len(x), groups, channels, *x.shape[2:])",
        "    w = w.reshape(groups, maps // groups, *w.shape[1:]).astype(float)",
        "    y = 0.0",
        f"    for tap in np.ndindex(w.shape[-{rank}:]):",
        "        steps = zip(tap, size, stride, dilation)",
        "        taken = x[(..., *(slice(t * d, t * d + (n - 1) * s + 1, s) for t, n, s, d in steps))]",
        '        y = y + np.einsum("ngc...,gkc->ngk...", taken, w[(..., *tap)])',
    ]
    batch = case.layer_shape(case.run_shapes[0])[: -rank - 1]
    shape = "-1" if len(batch) == 1 else ", ".join(map(str, batch))
    return [*lines, f"    return y.reshape({shape}, maps, *size){_bias_code(case)}"]


def _bias_code(case: Case) -> str:
    """What adds the bias ``b`` of a layer, where all layers of the network have one, some, or none."""
    biases = [case.bias != "none", *(step.layer.bias is not None for step in case.epilogue if step.layer is not None)]
    code = f"b.astype(float).reshape({(-1, *(1,) * case.spatial_rank)})"
    if all(biases):
        return f" + {code}"
    return f" + (0 if b is None else {code})" if any(biases) else ""


def operand_lines(case: Case) -> list[str]:
    """Make of ``x``, ``kernel`` and ``bias`` what the layer convolves: x, w and b in float64, after their Q/DQ.

    ``x`` is the network's input, which the operations before the layer turn into the layer's.
    """
    lines, name = layer_input_lines(case), layer_input_name(case)
    quantize, bias = case.quantize, "None" if case.bias == "none" else "bias"
    if quantize is None:
        return [*lines, f"operands = {name}, kernel, {bias}"]
    axes = len(case.kernel.shape)
    x = _operand(name, *(scale_code(scale) for scale in quantize.scales_of("input")))
    w = _operand("kernel", *(per_map_code(scale, axes) for scale in quantize.scales_of("kernel")))
    if quantize.is_implicit:
        scale = per_map_code(quantize.kernel, axes)
        w = f"np.floor(kernel.astype(float) / {scale} + 0.5) * {scale}"
    x = x if quantize.passes("input") else f"{name}.astype(float)"
    w = w if quantize.passes("kernel") else "kernel.astype(float)"
    return [*lines, f"operands = {x}, {w}, {bias}"]


def _operand(name: str, q: str, dq: str) -> str:
    """An operand after Q of one scale and DQ of another."""
    once = f"qdq({name}.astype(float), {q})"
    return once if q == dq else f"{once} / {q} * {dq}"


def expected_lines(case: Case, allowed: Allowed) -> list[str]:
    """Compute ``expected`` and ``allowed`` of one run from ``operands``, ``pads`` and ``size``."""
    lines = ["expected = convolve(*operands, pads, size)"]
    if case.quantize is not None and case.quantize.output is not None:
        lines.append(f"expected = qdq(expected, {scale_code((case.quantize.output,))})")
    for index in range(len(case.epilogue)):
        lines += expected_step_lines(case, index)
    return [*lines, *allowed.lines(has_bias=case.bias != "none")]


@dataclass(frozen=True)
class Allowed:
    """The largest error: ``of_sum`` times sum |x||w| + |b|, plus ``of_output`` times |y|, plus ``constant``.

    ``only`` limits the comparison to one element where this form would hide the recorded failure.
    """

    of_sum: float = 0.0
    of_output: float = 0.0
    constant: float = 0.0
    only: tuple[int, ...] = ()

    def lines(self, has_bias: bool) -> list[str]:
        """Assign ``allowed``."""
        parts = []
        if self.of_sum:
            absolute = "map(abs, operands)" if has_bias else "map(abs, operands[:2]), None"
            parts.append(f"{self.of_sum:.6g} * convolve(*{absolute}, pads, size)")
        if self.of_output:
            parts.append(f"{self.of_output:.6g} * abs(expected)")
        if self.constant or not parts:
            parts.append(f"{self.constant:.6g}")
        return [f"allowed = {' + '.join(parts)}"]


UP = 1 + 1e-5
"""Factors are written with six digits: rounded up, so that they allow no less than this suite does."""


def allowed_error(case: Case, runs: Sequence[RunCode], failure: Failure) -> Allowed:
    """The bound by which the record's verdict was reached, in a form that a short program can compute."""
    figures = failure.verdict.figures
    rests_on = figures.get("bound_for") or basis(case)
    limits, of_output = [], 0.0
    for run in runs:
        result = reference(run.case)
        limits_of_layer = bound_on(run.case, result, rests_on)
        expected, limit = network_result(run.case, result, limits_of_layer, run.shape, _further_bases(case, figures))
        limits.append(_Limits(expected, limit, result.magnitude))
        of_output = max(of_output, _of_output(case, result.terms, rests_on))
    most = max(float(found.limit.max(initial=0.0)) for found in limits)
    flat = Allowed(constant=most * UP)
    forms = [flat] if most == 0 or case.epilogue else [_scaled(limits, of_output), flat]
    worst, error = tuple(figures.get("worst", ())), figures.get("error")
    if not worst or not isinstance(error, float | int):  # the record does not say, or the output is not finite
        return forms[0]
    at_worst = Allowed(constant=float(limits[0].limit[worst]) * UP, only=worst)
    return next((form for form in forms if limits[0].allowed(form, worst) < error), at_worst)


@dataclass(frozen=True)
class _Limits:
    """The expected output of a run, its bound, and sum |x||w| + |b| of the layer."""

    expected: Float64
    limit: Float64
    magnitude: Float64

    def allowed(self, form: Allowed, at: tuple[int, ...]) -> float:
        of_sum = form.of_sum * float(self.magnitude[at]) if form.of_sum else 0.0
        return of_sum + form.of_output * abs(float(self.expected[at])) + form.constant


def _further_bases(case: Case, figures: Mapping[str, Any]) -> Sequence[Basis] | None:
    """The basis of each further layer that a record states; some records have one for all."""
    found = figures.get("further_bound_for")
    return [found] * len(case.epilogue) if isinstance(found, str) else found  # type: ignore[list-item]


def _of_output(case: Case, terms: int, rests_on: Basis) -> float:
    """The part of a bound that grows with the output: of writing it, and of adding it up (`elementwise.sum_error`)."""
    if case.precision in QUANTIZED_PRECISIONS:
        return 0.0
    arithmetic = arithmetic_of(case, "fp16" if rests_on == "fp16" else "fp32")
    return arithmetic.write + (0.0 if is_transform(rests_on) else gamma(terms, arithmetic.step) / 2)


def _scaled(limits: Sequence[_Limits], of_output: float) -> Allowed:
    """The smallest multiple of sum |x||w| + |b|, beside that of the output, which is nowhere below the bound."""
    of_sum = constant = 0.0
    for found in limits:
        has_sum = found.magnitude > 0
        rest = (found.limit - of_output * np.abs(found.expected))[has_sum] / found.magnitude[has_sum]
        of_sum = max(of_sum, float(rest.max(initial=0.0)))
        constant = max(constant, float(found.limit[~has_sum].max(initial=0.0)))
    return Allowed(of_sum * UP, of_output * UP, constant * UP)
