"""Mutants of the operations after the layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from operator import attrgetter
from typing import Any

import numpy as np

from trt_conformance.core.arrays import Array, Float64
from trt_conformance.core.case import Case
from trt_conformance.core.epilogue_fields import EPILOGUES, EpilogueName, EpilogueOperation, FurtherLayer
from trt_conformance.core.prologue import pooled
from trt_conformance.core.tensors import addend_of
from trt_conformance.mutants import conditions
from trt_conformance.mutants.mutant import Mutant
from trt_conformance.mutants.prologue import largest_or_0
from trt_conformance.numerics.reference.blocked import convolve
from trt_conformance.numerics.reference.epilogue import applied, apply, apply_steps, further_operands, setting_of
from trt_conformance.numerics.reference.quantization import Grid, dequantize, grid_of, quantize, scales

Steps = Callable[[Sequence[EpilogueOperation]], Sequence[EpilogueOperation]]
Network = Callable[[Case, Array, Array], Array]


def rewritten(change: Steps) -> Network:
    """Apply a changed list of the case's operations."""
    return lambda case, y, x: applied(case, change(case.epilogue), y, x)


def without(op: str) -> Network:
    return rewritten(lambda steps: [step for step in steps if step.op != op])


def changed(op: str, /, **fields: Any) -> Network:
    return rewritten(lambda steps: [s.model_copy(update=fields) if s.op == op else s for s in steps])


def replaced(op: EpilogueName, other: EpilogueName) -> Network:
    """Compute another operation instead of one."""
    return changed(op, op=other)


def pooling_by(reduce: Callable[..., Array]) -> Network:
    """Take another element of each window than the largest."""

    def apply_pooled(case: Case, y: Array, x: Array) -> Array:
        for step in case.epilogue:
            if step.op == "max_pool":
                y = pooled(y.astype(np.float64), step.window or (), reduce).astype(y.dtype)
            else:
                y = applied(case, (step,), y, x)
        return y

    return apply_pooled


def scaled_by_map(case: Case) -> bool:
    return any(len(step.scale or ()) > 1 for step in case.epilogue)


def first_scale(step: EpilogueOperation) -> EpilogueOperation:
    return step.model_copy(update={"scale": step.scale[:1]}) if step.scale else step


CONFUSED: tuple[tuple[EpilogueName, EpilogueName], ...] = (
    ("leaky_relu", "relu"),
    ("sigmoid", "tanh"),
    ("tanh", "sigmoid"),
    ("silu", "gelu"),
    ("silu", "sigmoid"),
    ("hard_swish", "silu"),
    ("gelu", "silu"),
    ("gelu", "relu"),
    ("gelu_tanh", "silu"),
    ("elu", "relu"),
    ("elu", "selu"),
    ("selu", "elu"),
    ("softsign", "tanh"),
    ("softplus", "relu"),
    ("hard_sigmoid", "sigmoid"),
    ("average_pool", "max_pool"),
    ("min", "max"),
    ("max", "min"),
    ("min", "add"),
)
"""Operations, and those that they are mistaken for."""


def joined(how: Callable[[Array], Array]) -> Network:
    """Misread the network's input, or its addend, where it is added or concatenated to the output."""

    def misread(case: Case, y: Array, x: Array) -> Array:
        addend = addend_of(case)
        read = None if addend is None else how(addend)
        return apply_steps(case.epilogue, case.spatial_rank, y, how(x), replace(setting_of(case), addend=read))

    return misread


def requantized(how: Callable[[Float64, Float64, Grid], Float64]) -> Network:
    """Replace the Q and DQ after the layer by a function of their input and their scale."""

    def apply_requantized(case: Case, y: Array, x: Array) -> Array:
        for step in case.epilogue:
            if step.op == "quantize":
                scale = scales(step.scale or (1.0,), y.ndim)
                y = how(y.astype(np.float64), scale, grid_of(case.precision)).astype(y.dtype)
            else:
                y = applied(case, (step,), y, x)
        return y

    return apply_requantized


def reads_addend(case: Case) -> bool:
    return case.addend is not None and case.addend.shape == case.input.shape


def further(change: Callable[[FurtherLayer], FurtherLayer | None]) -> Network:
    """Change the further layers; None keeps one."""

    def of(step: EpilogueOperation) -> EpilogueOperation:
        layer = None if step.layer is None else change(step.layer)
        return step if layer is None else step.model_copy(update={"layer": layer})

    return rewritten(lambda steps: [of(step) for step in steps])


def convolved(how: Callable[[Array], Array]) -> Network:
    """Misread the kernel of each further layer: convolve its input, and its output, as if it had been changed."""

    def apply_convolved(case: Case, y: Array, x: Array) -> Array:
        for step in case.epilogue:
            if step.layer is None:
                y = applied(case, (step,), y, x)
                continue
            kernel, bias = further_operands(step.layer, setting_of(case))
            b = None if bias is None else bias.astype(np.float32)
            sums: Array = convolve(y.astype(np.float32), how(kernel).astype(np.float32), b, step.layer.attributes)
            y = sums.astype(y.dtype)
        return y

    return apply_convolved


def without_attribute(name: str, layer: FurtherLayer) -> FurtherLayer:
    return layer.model_copy(update={name: None})


def any_further(holds: Callable[[FurtherLayer], object]) -> Callable[[Case], bool]:
    return lambda case: any(step.layer is not None and holds(step.layer) for step in case.epilogue)


def operand_rescaled(case: Case) -> bool:
    return any(step.of_scale is not None for step in case.epilogue)


def read_dense(x: Array) -> Array:
    """Read every image from the first image's memory: the stride between images is ignored."""
    return np.resize(x[:1], x.shape) if len(x) > 1 else x


def input_first(case: Case, y: Array, x: Array) -> Array:
    """Put the input before the output instead of after it."""
    axis, maps = -case.spatial_rank - 1, y.shape[-case.spatial_rank - 1]
    whole = apply(case, y, x)
    return np.concatenate([np.split(whole, [maps], axis=axis)[1], np.split(whole, [maps], axis=axis)[0]], axis=axis)


MUTANTS: tuple[Mutant, ...] = (
    *(
        Mutant(
            f"{op}_ignored", f"the {op} after the layer is ignored", conditions.followed_by(op), epilogue=without(op)
        )
        for op in EPILOGUES
    ),
    *(
        Mutant(
            f"{op}_as_{other}",
            f"the {op} after the layer is computed as {other}",
            conditions.followed_by(op),
            epilogue=replaced(op, other),
        )
        for op, other in CONFUSED
    ),
    *(
        Mutant(
            f"max_pool_of_the_{what}",
            f"the pooling after the layer gives the {what} of a window",
            conditions.followed_by("max_pool"),
            epilogue=pooling_by(reduce),
        )
        for what, reduce in (("smallest", np.min), ("mean", np.mean), ("largest_or_0", largest_or_0))
    ),
    Mutant(
        "scale_without_shift",
        "the scale after the layer omits its shift",
        conditions.followed_by("scale"),
        epilogue=changed("scale", shift=(0.0,)),
    ),
    Mutant(
        "scale_of_the_first_map",
        "the scale of the first map is applied to every map",
        conditions.both(conditions.followed_by("scale"), scaled_by_map),
        epilogue=rewritten(lambda steps: [first_scale(step) for step in steps]),
    ),
    Mutant(
        "clip_without_low",
        "clip has no lower limit",
        conditions.followed_by("clip"),
        epilogue=changed("clip", low=-1e9),
    ),
    Mutant(
        "clip_without_high",
        "clip has no upper limit",
        conditions.followed_by("clip"),
        epilogue=changed("clip", high=1e9),
    ),
    Mutant(
        "activation_behind_addition",
        "the operations after the layer run in reverse order",
        conditions.both(conditions.followed_by("add"), lambda case: len(case.epilogue) > 1),
        epilogue=rewritten(lambda steps: steps[::-1]),
    ),
    *(
        Mutant(f"requantized_{name}", doc, conditions.followed_by("quantize"), epilogue=requantized(how))
        for name, doc, how in (
            (
                "down",
                "Q after the layer rounds down",
                lambda y, scale, grid: dequantize(
                    quantize(y - scale * grid.spacing(y / scale) / 2, scale, grid), scale
                ),
            ),
            (
                "without_end",
                "Q after the layer does not saturate",
                lambda y, scale, grid: dequantize(quantize(y, scale, replace(grid, low=-np.inf, high=np.inf)), scale),
            ),
            (
                "without_dq",
                "DQ after the layer omits its scale",
                quantize,
            ),
        )
    ),
    Mutant(
        "further_kernel_flipped",
        "the window of a further layer is flipped",
        any_further(lambda layer: max(layer.shape[2:]) > 1),
        epilogue=convolved(lambda kernel: kernel[..., ::-1, ::-1]),
    ),
    Mutant(
        "further_maps_reversed",
        "the maps of a further layer are in reverse order",
        any_further(lambda layer: layer.shape[0] > 1),
        epilogue=convolved(lambda kernel: kernel[::-1]),
    ),
    Mutant(
        "further_channels_reversed",
        "a further layer reads its channels in reverse order",
        any_further(lambda layer: layer.shape[1] > 1),
        epilogue=convolved(lambda kernel: kernel[:, ::-1]),
    ),
    Mutant(
        "further_bias_dropped",
        "a further layer omits its bias",
        any_further(lambda layer: layer.bias),
        epilogue=further(lambda layer: layer.model_copy(update={"bias": None})),
    ),
    Mutant(
        "further_kernel_not_quantized",
        "the kernel of a further layer does not pass through Q and DQ",
        any_further(lambda layer: layer.scale),
        epilogue=further(lambda layer: layer.model_copy(update={"scale": None})),
    ),
    Mutant(
        "further_scale_of_the_first_map",
        "the kernel of a further layer is quantized by the first map's scale",
        any_further(lambda layer: len(layer.scale or ()) > 1),
        epilogue=further(lambda layer: layer.model_copy(update={"scale": (layer.scale or (1.0,))[:1]})),
    ),
    *(
        Mutant(
            f"further_{name}_ignored",
            f"a further layer ignores its {name}",
            any_further(attrgetter(attribute)),
            epilogue=further(partial(without_attribute, attribute)),
        )
        for name, attribute in (("stride", "stride_nd"), ("padding", "padding_nd"), ("dilation", "dilation_nd"))
    ),
    Mutant(
        "operand_not_quantized",
        "the operand of an operation after the layer does not pass through Q and DQ",
        operand_rescaled,
        epilogue=rewritten(lambda steps: [step.model_copy(update={"of_scale": None}) for step in steps]),
    ),
    Mutant(
        "addend_taken_from_input",
        "the network's input is read instead of its addend",
        reads_addend,
        epilogue=rewritten(lambda steps: [step.model_copy(update={"of": "input"}) for step in steps]),
    ),
    Mutant("added_negated", "the operand is subtracted", conditions.followed_by("add"), epilogue=joined(lambda x: -x)),
    Mutant(
        "added_from_first_image",
        "the first image's operand is added to every image",
        conditions.followed_by("add"),
        epilogue=joined(read_dense),
    ),
    Mutant(
        "added_channels_reversed",
        "the operand's channels are added in reverse order",
        conditions.followed_by("add"),
        epilogue=joined(lambda x: x[:, ::-1]),
    ),
    Mutant(
        "concat_input_first",
        "the concatenation puts the input before the output",
        conditions.followed_by("concat"),
        epilogue=input_first,
    ),
    Mutant(
        "concat_from_first_image",
        "every image is concatenated with the first image's input",
        conditions.followed_by("concat"),
        epilogue=joined(read_dense),
    ),
)
