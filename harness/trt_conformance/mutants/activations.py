"""Mutants of operations after the layer that are right in a part of their range, or of their maps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from trt_conformance.core.arrays import Array, Float64
from trt_conformance.core.case import Case
from trt_conformance.core.epilogue_fields import NO_LIMIT, EpilogueName, EpilogueOperation
from trt_conformance.mutants import conditions
from trt_conformance.mutants.conditions import both
from trt_conformance.mutants.mutant import Mutant
from trt_conformance.mutants.network import Network, any_further, further, rewritten, without
from trt_conformance.numerics.reference.activations import ACTIVATIONS
from trt_conformance.numerics.reference.epilogue import applied, joined, setting_of, step_applied

INFINITE = 1e3
"""So far from 0, every activation equals its asymptote."""


def computed(op: EpilogueName, wrong: Callable[[EpilogueOperation, Float64], Float64]) -> Network:
    """Replace the operations of one kind by a function of the operation and of what it reads, in float64."""

    def network(case: Case, y: Array, x: Array) -> Array:
        for step in case.epilogue:
            same = step.op == op
            y = wrong(step, y.astype(np.float64)).astype(y.dtype) if same else applied(case, (step,), y, x)
        return y

    return network


def straight(op: EpilogueName, beyond: float) -> Network:
    """Compute an activation as its asymptote beyond a distance from 0."""
    values = ACTIVATIONS[op].values

    def wrong(step: EpilogueOperation, y: Float64) -> Float64:
        ends = values(np.asarray([-INFINITE, INFINITE]))
        above = y * ends[1] / INFINITE if ends[1] > beyond else ends[1]
        return np.where(np.abs(y) > beyond, np.where(y < 0, ends[0], above), values(y))

    return computed(op, wrong)


FAR: tuple[tuple[EpilogueName, float], ...] = (
    ("sigmoid", 5),
    ("tanh", 3),
    ("silu", 8),
    ("gelu", 3),
    ("gelu_tanh", 3),
    ("elu", 5),
    ("selu", 5),
    ("softplus", 5),
    ("softsign", 32),
)
"""Activations, and from where on an approximation takes them for their asymptotes."""

NEAR: tuple[EpilogueName, ...] = ("tanh", "elu", "selu", "softsign")
"""Activations whose values near 0 are small, and differ from their argument."""


def operand_of_first_channel(op: EpilogueName) -> Network:
    """Join the operand's first channel to every map after the fourth."""

    def network(case: Case, y: Array, x: Array) -> Array:
        axis = -case.spatial_rank - 1
        for step in case.epilogue:
            if step.op != op:
                y = applied(case, (step,), y, x)
                continue
            operand = joined(step, x, setting_of(case)).astype(y.dtype)
            channels = [i if i < 4 else 0 for i in range(operand.shape[axis])]
            y = step_applied(step, y, np.take(operand, channels, axis=axis), axis, setting_of(case))
        return y

    return network


def aligned(case: Case, y: Array, x: Array) -> Array:
    """Begin what is concatenated at a multiple of four maps, over its own first ones."""
    whole, maps = applied(case, case.epilogue, y, x), y.shape[-case.spatial_rank - 1]
    moved = np.moveaxis(whole.copy(), -case.spatial_rank - 1, 0)
    moved[maps : maps + -maps % 4] = 0
    return np.moveaxis(moved, 0, -case.spatial_rank - 1)


def many_maps(case: Case) -> bool:
    return case.kernel.shape[0] > 4


def clip_with(holds: Callable[[EpilogueOperation], bool]) -> Callable[[Case], bool]:
    """Whether a clip of this kind comes after the layer."""
    return lambda case: any(step.op == "clip" and holds(step) for step in case.epilogue)


MUTANTS: tuple[Mutant, ...] = (
    *(
        Mutant(
            f"{op}_straight_beyond_{far:g}",
            f"the {op} after the layer is its asymptote beyond {far:g}",
            conditions.followed_by(op),
            epilogue=straight(op, far),
        )
        for op, far in FAR
    ),
    *(
        Mutant(
            f"{op}_straight_near_0",
            f"the {op} after the layer is its tangent in 0 within 1/16 of it",
            conditions.followed_by(op),
            epilogue=computed(
                op,
                lambda step, y: np.where(
                    np.abs(y) < 0.0625,
                    y * np.where(y < 0, *(ACTIVATIONS[step.op].values(np.asarray(end)) / end for end in (-1e-6, 1e-6))),
                    ACTIVATIONS[step.op].values(y),
                ),
            ),
        )
        for op in NEAR
    ),
    Mutant(
        "leaky_relu_as_larger_line",
        "the leaky ReLU after the layer is the larger of its two lines",
        conditions.followed_by("leaky_relu"),
        epilogue=computed("leaky_relu", lambda step, y: np.maximum(y, (step.alpha or 0.0) * y)),
    ),
    Mutant(
        "leaky_relu_of_0_with_usual_slope",
        "a leaky ReLU whose slope is 0 has the usual slope, 0.01",
        lambda case: any(step.alpha == 0 for step in case.epilogue),
        epilogue=rewritten(lambda steps: [s.model_copy(update={"alpha": s.alpha or 0.01}) for s in steps]),
    ),
    *(
        Mutant(f"clip_ignored_{name}", f"a clip {words} is ignored", applies, epilogue=without("clip"))
        for name, words, applies in (
            ("without_low", "from the lowest float32", clip_with(lambda step: step.low == -NO_LIMIT)),
            ("without_high", "to the largest float32", clip_with(lambda step: step.high == NO_LIMIT)),
            ("in_3d", "after a 3D layer", both(conditions.followed_by("clip"), conditions.three_d)),
        )
    ),
    *(
        Mutant(
            f"{op}_of_first_channel_behind_4",
            f"the operand's first channel is joined to the maps after the fourth ({op})",
            both(conditions.followed_by(op), many_maps),
            epilogue=operand_of_first_channel(op),
        )
        for op in ("add", "min", "max")
    ),
    Mutant(
        "concat_behind_whole_fours",
        "what is concatenated begins at a multiple of four maps",
        conditions.followed_by("concat"),
        epilogue=aligned,
    ),
    Mutant(
        "further_bias_dropped_with_groups",
        "a further layer leaves out its bias where it has groups",
        any_further(lambda layer: layer.bias and (layer.num_groups or 1) > 1),
        epilogue=further(lambda layer: layer.model_copy(update={"bias": None}) if layer.num_groups else layer),
    ),
)
