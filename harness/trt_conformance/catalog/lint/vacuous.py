"""Finds cases that cannot fail because the expected output is constant or almost all zeros, or hides what is wrong.

The output of an exact case must have at least three different values. Fewer than half of them may be zero; after relu,
fewer than three quarters. To find what a case would hide, wrong convolutions are tried (`perturbed`). This is not done
for documented cases, whose data is the document's, and for special values.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import cache

import numpy as np

from trt_conformance.catalog.explain import Problem
from trt_conformance.catalog.lint.perturbed import unseen
from trt_conformance.core.arrays import Float64
from trt_conformance.core.attributes import Attributes
from trt_conformance.core.case import BiasSpec, Case, TensorSpec
from trt_conformance.core.documents import is_documented
from trt_conformance.core.epilogue_fields import EpilogueOperation
from trt_conformance.core.prologue import layer_input
from trt_conformance.core.prologue_fields import PrologueOperation
from trt_conformance.core.quantization_fields import Quantize
from trt_conformance.core.tensors import content_of
from trt_conformance.core.types import Precision
from trt_conformance.core.words import counted
from trt_conformance.numerics.reference import epilogue, quantization
from trt_conformance.numerics.reference.blocked import convolve
from trt_conformance.numerics.reference.shape import resolve

Shape = tuple[int, ...]

# With more products or elements than this, linting does not compute the expected output.
CHEAP = 1_000_000
MOSTLY_ZEROS = 0.9
HALF_ZEROS = 0.5
AFTER_RELU = 0.75
"""relu makes zeros of about half of the values, and the bias shifts that."""
FEW_VALUES = 3
TRIALS = 16
"""About as many as `perturbed` makes of one case."""


def vacuous(case: Case, outputs: Sequence[Shape]) -> Iterator[Problem]:
    """Yield the expected outputs that a wrong implementation would give too.

    ``outputs`` are the layer's output shapes, one for each of ``case.run_shapes``. Large tensors are not checked,
    nor are cases with the relation channel_sum, whose sums are meant to cancel.
    """
    if any(relation.kind == "channel_sum" for relation in case.relations):
        return
    bias = None if case.bias == "none" else case.bias
    for index, (shape, output) in enumerate(zip(case.run_shapes, outputs, strict=True)):
        if math.prod(output) < 2 or not is_cheap(case, shape, output) or is_random_throughout(case, shape):
            continue
        source = case.input.model_copy(update={"shape": shape})
        kind: Precision = "fp8" if case.precision == "fp8" else "int8"
        tried = not (is_documented(case.claims) or case.special_values) and is_cheap_to_try(case, output)
        tried = tried and math.prod(case.kernel.shape) > 0  # without channels only the bias is left
        weakness = _weakness(
            source,
            case.kernel,
            bias,
            case.attributes,
            case.quantize,
            kind,
            case.prologue,
            case.epilogue,
            case.addend,
            case.exact,
            tried,
            drawn=source.values is None and not case.distinguishes,
        )
        if weakness:
            yield ("dynamic", "run", index) if case.dynamic else (), f"a wrong convolution could pass: {weakness}"


def is_cheap_to_try(case: Case, output: Shape) -> bool:
    """Whether computing the expected output several times takes little time."""
    return TRIALS * math.prod(output) * math.prod(case.kernel.shape[1:]) < CHEAP


def is_cheap(case: Case, shape: Shape, output: Shape) -> bool:
    """Whether computing the reference takes little time and memory; the padded input may dominate both."""
    window = case.kernel.shape[2:]
    axes = resolve(case.layer_shape(shape), case.kernel.shape, case.attributes)
    reach = [axis.reach(f) for axis, f in zip(axes, window, strict=True)]
    padded = math.prod(shape[: -len(axes)]) * math.prod(reach)
    products = math.prod(output) * math.prod(case.kernel.shape[1:])
    return max(products, padded, math.prod(shape), math.prod(case.kernel.shape), 1000 * math.prod(window)) < CHEAP


def is_random_throughout(case: Case, shape: Shape) -> bool:
    """Whether each expected value is a sum of products of random numbers, so that no two are alike.

    Known without computing: both fills are random in 53 bits, nothing rounds or cuts the sums, and every window reads
    an element of the input. It does, if the dilation is 1 and the padding is less than the window.
    """
    axes = resolve(case.layer_shape(shape), case.kernel.shape, case.attributes)
    return (
        case.input.fill == case.kernel.fill == "uniform"
        and case.quantize is None
        and not case.prologue
        and not case.epilogue
        and case.kernel.shape[0] * math.prod(axis.size for axis in axes) > 1
        and all(
            axis.dilation == 1 and axis.before < window and (axis.size - 1) * axis.stride - axis.before < size
            for axis, window, size in zip(axes, case.kernel.shape[2:], shape[-len(axes) :], strict=True)
        )
    )


@cache
def _weakness(
    source: TensorSpec,
    kernel: TensorSpec,
    bias: BiasSpec | None,
    attributes: Attributes,
    quantize: Quantize | None,
    precision: Precision,
    before: tuple[PrologueOperation, ...],
    steps: tuple[EpilogueOperation, ...],
    addend: TensorSpec | None,
    exact: bool,
    tried: bool,
    drawn: bool,
) -> str | None:
    """Return what is weak about an expected output. Cached, because cases and their precisions share data.

    ``tried``: what would be wrong is tried, too. ``drawn``: the data are not chosen value by value.
    """

    def rounded(values: Float64, scale: Sequence[float] | float) -> Float64:
        factors = quantization.scales(scale, values.ndim)
        return quantization.dequantize(quantization.quantize(values, factors, grid), factors)

    with np.errstate(all="ignore"):
        x = content_of(source, source.shape)
        w = content_of(kernel, kernel.shape)
        b = content_of(bias, kernel.shape[:1]) if bias else None
        given, added = x, content_of(addend, addend.shape) if addend else None
        x = layer_input(before, len(kernel.shape) - 2, x, added)
        grid = quantization.grid_of(precision)
        if quantize is not None:
            x = quantization.through(x, quantize, "input", grid)
            w = quantization.through(w, quantize, "kernel", grid)

        def expected(
            x: Float64,
            w: Float64,
            b: Float64 | None,
            attributes: Attributes,
            steps: tuple[EpilogueOperation, ...] = steps,
        ) -> Float64:
            output = convolve(x, w, b, attributes)
            if quantize is not None and quantize.output is not None:
                output = rounded(output, quantize.output)
            return epilogue.apply_steps(steps, len(kernel.shape) - 2, output, given, epilogue.Setting(added, grid))

        output = expected(x, w, b, attributes)
    poor = _poor(output, steps, exact)
    if poor or not tried:
        return poor
    with np.errstate(all="ignore"):
        return unseen(expected, x, w, b, attributes, output, drawn) or _idle(
            steps, lambda some: expected(x, w, b, attributes, some), output
        )


def _poor(output: Float64, steps: tuple[EpilogueOperation, ...], exact: bool) -> str | None:
    """What is weak about the values alone: they are equal, mostly 0, or few."""
    zeros = output.size - int((output != 0).sum())
    if (output == output.flat[0]).all():
        return f"each of the {output.size} expected values is {output.flat[0]:g}"
    most = AFTER_RELU if any(step.op == "relu" for step in steps) else HALF_ZEROS
    if zeros > MOSTLY_ZEROS * output.size or (exact and zeros >= most * output.size):
        return f"{zeros} of the {output.size} expected values are 0"
    different = len(np.unique(output)) if exact else FEW_VALUES
    if different < min(FEW_VALUES, output.size):
        return f"the {output.size} expected values are only {counted(different, 'different value')}"
    return None


def _idle(
    steps: tuple[EpilogueOperation, ...], given: Callable[[tuple[EpilogueOperation, ...]], Float64], output: Float64
) -> str | None:
    """The operation after the layer that changes no value of the output. Those that change its shape cannot be idle."""
    shapes = [given(steps[:place]).shape for place in range(len(steps) + 1)]
    for place, step in enumerate(steps):
        if shapes[place] == shapes[place + 1] and (given((*steps[:place], *steps[place + 1 :])) == output).all():
            return f"the output stays the same if {step.op} is left out"
    return None
