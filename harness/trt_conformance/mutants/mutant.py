"""A mutant: the correct convolution in stages, with one or more stages replaced by wrong ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any, Literal, NamedTuple

import numpy as np

from trt_conformance.core.arrays import Array
from trt_conformance.core.attributes import Attributes
from trt_conformance.core.builder_fields import Builder
from trt_conformance.core.case import Case
from trt_conformance.core.errors import InvalidConvolution
from trt_conformance.core.network_fields import Network
from trt_conformance.core.quantization_fields import Quantize
from trt_conformance.core.tensors import INPUT, OUTPUT, layer_input_of, parameters
from trt_conformance.core.types import PaddingMode, Precision
from trt_conformance.mutants import conditions
from trt_conformance.mutants.conditions import Condition, always
from trt_conformance.numerics.bounds.operands import after_quantization
from trt_conformance.numerics.reference import quantization
from trt_conformance.numerics.reference.blocked import convolve
from trt_conformance.numerics.reference.epilogue import apply
from trt_conformance.numerics.reference.quantization import Grid, dequantize
from trt_conformance.numerics.reference.shape import Axis, layer_output, resolve_axis
from trt_conformance.targets.errors import Refused
from trt_conformance.targets.numpy import NumpyTarget, truncated

Role = Literal["input", "kernel", "output"]


class Given(NamedTuple):
    """The values of one spatial axis, in the order of the parameters of `resolve_axis`."""

    size: int
    window: int
    stride: int
    pre: int
    post: int
    dilation: int
    mode: PaddingMode


Change = Callable[[Array, Case], Array]
Widths = Sequence[tuple[int, int]]


def unchanged(tensor: Array, case: Case) -> Array:
    """The correct stage where a tensor passes through unchanged."""
    return tensor


def as_resolved(axis: Axis, given: Given) -> Axis:
    """The correct axis."""
    return axis


def refuse(case: Case) -> None:
    """Raise Refused for the cases that the numpy target refuses."""
    NumpyTarget().build(case)


def zeros(x: Array, widths: Widths) -> Array:
    """Pad with zeros."""
    return np.pad(x, widths)


def multiply(x: Array, kernel: Array, attributes: Attributes, case: Case) -> Array:
    """Sum the products of a padded input and a kernel."""
    sums: Array = convolve(x, kernel, None, attributes)
    return sums


def add_bias(y: Array, bias: Array, case: Case) -> Array:
    """Add one value to each output map."""
    return np.asarray(y + per_map(bias, case))


def quantize(x: Array, scale: Array, role: Role, grid: Grid) -> Array:
    """Quantize as the reference does, for every tensor."""
    return quantization.quantize(x, scale, grid)


def once(case: Case) -> int:
    """The number of passes over the products: all are summed in one."""
    return 1


def per_map(values: Array, case: Case) -> Array:
    """One value per map, in a shape that broadcasts over an output."""
    return values.reshape(-1, *(1,) * case.spatial_rank)


@dataclass(frozen=True)
class Mutant:
    """A wrong convolution: its name, what is wrong, and the stages that differ. Every default is correct.

    It is wrong only in cases to which it ``applies``. The stages, in the order in which they run: ``refuse`` raises
    what a build raises; ``prologue`` applies the operations before the layer; ``attributes`` returns the attributes
    after all assignments; ``kernel`` and ``input`` change the operands in the case's type; ``scales`` and ``quantize``
    act in int8 and FP8; ``axis`` changes a resolved axis; ``pad`` pads the input; ``multiply`` sums the products;
    ``sums`` changes the sums; ``bias`` adds the bias; ``epilogue`` applies the operations after the layer; ``output``
    changes the result in the output's type. ``engine`` runs the stages. ``passes`` is the number of passes over the
    products, for an estimate of the cost.
    A ``symptom`` says where the output is wrong, and not what computes it. A mutant ``in_part`` is wrong in a part that
    was chosen after the output that it explains.
    """

    name: str
    doc: str
    applies: Condition = always
    refuse: Callable[[Case], None] = refuse
    attributes: Callable[[Case], Attributes] = attrgetter("attributes")
    kernel: Change = unchanged
    input: Change = unchanged
    scales: Callable[[Quantize], Quantize | None] = lambda quantize: quantize
    quantize: Callable[[Array, Array, Role, Grid], Array] = quantize
    axis: Callable[[Axis, Given], Axis] = as_resolved
    pad: Callable[[Array, Widths], Array] = zeros
    multiply: Callable[[Array, Array, Attributes, Case], Array] = multiply
    sums: Change = unchanged
    bias: Callable[[Array, Array, Case], Array] = add_bias
    prologue: Callable[[Case, Array], Array] = layer_input_of
    epilogue: Callable[[Case, Array, Array], Array] = apply
    output: Change = unchanged
    engine: type[MutantEngine] | None = None
    passes: Callable[[Case], int] = once
    symptom: bool = False
    in_part: bool = False

    def on(self, case: Case) -> MutantEngine:
        """Return the engine that runs the stages on a case, whether or not the mutant applies to it."""
        return (self.engine or MutantEngine)(case, self)


def confined(precision: Precision, mutants: Iterable[Mutant]) -> tuple[Mutant, ...]:
    """Restrict mutants to one precision, in addition to their own conditions."""
    within = conditions.in_precision(precision)
    return tuple(replace(mutant, applies=conditions.both(within, mutant.applies)) for mutant in mutants)


UNMUTATED = Mutant("unmutated", "every stage is correct: the output equals the numpy target's, bit by bit")


class MutantEngine:
    """Runs the stages of a mutant on one case."""

    def __init__(self, case: Case, mutant: Mutant) -> None:
        self.case, self.mutant = case, mutant
        data = parameters(case)
        self._kernel, self._bias = mutant.kernel(data.kernel, case), data.bias

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        case, mutant = self.case, self.mutant
        given = feeds[INPUT]
        x = mutant.input(mutant.prologue(case, given), case)
        scales = mutant.scales(case.quantize) if case.quantize is not None else None
        try:
            y = self._quantized(x, scales) if scales is not None and scales.is_plain else self._float(x, scales)
        except InvalidConvolution as fault:  # a mutant's attributes may contradict each other
            raise Refused("run", str(fault)) from None
        try:
            finished = mutant.epilogue(case, y, given if case.prologue else x)
        except ValueError as fault:
            if y.shape == layer_output(case, given.shape):
                raise
            raise Refused("run", str(fault)) from None  # an output of a wrong shape cannot be joined with the input
        return {OUTPUT: mutant.output(finished, case)}

    def close(self) -> None:
        return None

    def _float(self, x: Array, given: Quantize | None) -> Array:
        operands = x, self._kernel
        if given is not None:
            case = self.case.model_copy(update={"quantize": given})
            wide_x, wide_w = (tensor.astype(np.float64) for tensor in operands)
            operands = after_quantization(case, "input", wide_x), after_quantization(case, "kernel", wide_w)
        if self.case.precision == "tf32":
            operands = truncated(x), truncated(self._kernel)
        return self._biased(self._sums(*(t.astype(np.float32) for t in operands))).astype(x.dtype)

    def _quantized(self, x: Array, given: Quantize) -> Array:
        rank, mutant = x.ndim, self.mutant
        x_scale, w_scale = quantization.scales(given.input, rank), quantization.scales(given.kernel, self._kernel.ndim)
        grid = quantization.grid_of(self.case.precision)
        q = mutant.quantize(x.astype(np.float64), x_scale, "input", grid)
        w = mutant.quantize(self._kernel.astype(np.float64), w_scale, "kernel", grid)
        scale = per_map((x_scale.ravel() * w_scale.ravel()).astype(np.float32), self.case)
        y = self._biased(self._sums(q, w).astype(np.float32) * scale)
        if given.output is not None:
            y_scale = quantization.scales(given.output, rank)
            y = dequantize(mutant.quantize(y.astype(np.float64), y_scale, "output", grid), y_scale)
        return y.astype(x.dtype)

    def _sums(self, x: Array, kernel: Array) -> Array:
        """Pad the input by the resolved axes, and convolve the result without padding."""
        case, mutant = self.case, self.mutant
        attributes = mutant.attributes(case)
        rank, window = case.spatial_rank, kernel.shape[2:]
        given = [
            Given(size, f, *values, attributes.mode)
            for size, f, values in zip(x.shape[-rank:], window, attributes.axes(), strict=True)
        ]
        axes = [mutant.axis(resolve_axis(*one), one) for one in given]
        widths = [_widths(axis, one) for axis, one in zip(axes, given, strict=True)]
        inside: Any = (
            ...,
            *(slice(max(0, -b), one.size - max(0, -a)) for (b, a), one in zip(widths, given, strict=True)),
        )
        around = [(0, 0)] * (x.ndim - rank) + [(max(0, b), max(0, a)) for b, a in widths]
        resolved = Attributes(
            stride=tuple(axis.stride for axis in axes),
            pre=(0,) * rank,
            post=(0,) * rank,
            dilation=tuple(axis.dilation for axis in axes),
            groups=attributes.groups,
        )
        return mutant.sums(mutant.multiply(mutant.pad(x[inside], around), kernel, resolved, case), case)

    def _biased(self, y: Array) -> Array:
        return y if self._bias is None else self.mutant.bias(y, self._bias.astype(np.float32), self.case)


def _widths(axis: Axis, given: Given) -> tuple[int, int]:
    """How many elements the windows read before and after the input; negative if they stop short of its ends."""
    reach = axis.reach(given.window)
    return axis.before, reach - axis.before - given.size


def as_built(case: Case) -> Case:
    """A case whose engine is built with its weights, without constraints and options."""
    return case.model_copy(update={"refit": None, "builder": Builder(), "network": Network(), "typing": None})


class MutantTarget(NumpyTarget):
    """A mutant as a target, under the name ``mutant-…``."""

    def __init__(self, mutant: Mutant) -> None:
        self.mutant = mutant
        self.name = f"mutant-{mutant.name}"

    def supports(self, case: Case) -> str | None:
        """Like the numpy target, except that a mutant acts as TensorRT for refitted engines and typed layers."""
        plain = case.refit is None and not case.is_quantized_implicitly
        return super().supports(case if plain else as_built(case))

    def build(self, case: Case) -> MutantEngine:  # type: ignore[override]
        mutant = self.mutant if self.mutant.applies(case) else UNMUTATED
        mutant.refuse(case)
        return mutant.on(case)
