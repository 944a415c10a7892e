"""Mutants of the operations after the layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from trt_conformance.core.arrays import Array
from trt_conformance.core.case import Case
from trt_conformance.core.epilogue_fields import EPILOGUES, EpilogueName, EpilogueOperation
from trt_conformance.mutants import conditions
from trt_conformance.mutants.mutant import Mutant
from trt_conformance.numerics.reference.epilogue import apply, apply_steps, pooled

Steps = Callable[[Sequence[EpilogueOperation]], Sequence[EpilogueOperation]]
Network = Callable[[Case, Array, Array], Array]


def rewritten(change: Steps) -> Network:
    """Apply a changed list of the case's operations."""
    return lambda case, y, x: apply_steps(change(case.epilogue), case.spatial_rank, y, x)


def without(op: str) -> Network:
    return rewritten(lambda steps: [step for step in steps if step.op != op])


def changed(op: str, **fields: float | tuple[float, ...]) -> Network:
    return rewritten(lambda steps: [s.model_copy(update=fields) if s.op == op else s for s in steps])


def replaced(op: EpilogueName, other: EpilogueName) -> Network:
    """Compute another operation in place of one."""
    wrong = EpilogueOperation(op=other)
    return rewritten(lambda steps: [wrong if step.op == op else step for step in steps])


def pooling_by(reduce: Callable[..., Array]) -> Network:
    """Take another element of each window than the largest."""

    def apply_pooled(case: Case, y: Array, x: Array) -> Array:
        for step in case.epilogue:
            if step.op == "max_pool":
                y = pooled(y.astype(np.float64), step.window or (), reduce).astype(y.dtype)
            else:
                y = apply_steps((step,), case.spatial_rank, y, x)
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
    ("min", "max"),
    ("max", "min"),
    ("min", "add"),
)
"""Operations, and what they are taken for."""


def joined(how: Callable[[Array], Array]) -> Network:
    """Misread the network's input where it is added or concatenated to the output."""
    return lambda case, y, x: apply(case, y, how(x))


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
        for what, reduce in (("smallest", np.min), ("mean", np.mean))
    ),
    Mutant(
        "scale_without_shift",
        "the scale after the layer leaves out its shift",
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
    Mutant("added_negated", "the input is subtracted", conditions.followed_by("add"), epilogue=joined(lambda x: -x)),
    Mutant(
        "added_from_first_image",
        "the first image's input is added to every image",
        conditions.followed_by("add"),
        epilogue=joined(read_dense),
    ),
    Mutant(
        "added_channels_reversed",
        "the input's channels are added in reverse order",
        conditions.followed_by("add"),
        epilogue=joined(lambda x: x[:, ::-1]),
    ),
    Mutant(
        "concat_input_first",
        "the input comes before the output",
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
