"""Mutants that get wrong what stands behind the layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from trt_conformance.core.arrays import Array
from trt_conformance.core.case import Case, EpilogueOperation
from trt_conformance.mutants import conditions
from trt_conformance.mutants.mutant import Mutant
from trt_conformance.numerics.reference.epilogue import apply, apply_steps

Steps = Callable[[Sequence[EpilogueOperation]], Sequence[EpilogueOperation]]
Network = Callable[[Case, Array, Array], Array]


def rewritten(change: Steps) -> Network:
    """Other steps than the case's."""
    return lambda case, y, x: apply_steps(change(case.epilogue), case.spatial_rank, y, x)


def without(op: str) -> Network:
    return rewritten(lambda steps: [step for step in steps if step.op != op])


def changed(op: str, **fields: float) -> Network:
    return rewritten(lambda steps: [s.model_copy(update=fields) if s.op == op else s for s in steps])


def joined(how: Callable[[Array], Array]) -> Network:
    """The network's input misread where it is joined to the output."""
    return lambda case, y, x: apply(case, y, how(x))


def read_dense(x: Array) -> Array:
    """Each image's elements from the first image's memory on: a stride between images is ignored."""
    return np.resize(x[:1], x.shape) if len(x) > 1 else x


def input_first(case: Case, y: Array, x: Array) -> Array:
    """The input in front of the output, where it should stand behind."""
    axis, maps = -case.spatial_rank - 1, y.shape[-case.spatial_rank - 1]
    whole = apply(case, y, x)
    return np.concatenate([np.split(whole, [maps], axis=axis)[1], np.split(whole, [maps], axis=axis)[0]], axis=axis)


MUTANTS: tuple[Mutant, ...] = (
    *(
        Mutant(
            f"{op}_ignored", f"the {op} behind the layer is ignored", conditions.followed_by(op), epilogue=without(op)
        )
        for op in ("relu", "clip", "add", "concat")
    ),
    Mutant(
        "clip_without_low", "clip has no lower end", conditions.followed_by("clip"), epilogue=changed("clip", low=-1e9)
    ),
    Mutant(
        "clip_without_high", "clip has no upper end", conditions.followed_by("clip"), epilogue=changed("clip", high=1e9)
    ),
    Mutant(
        "activation_behind_addition",
        "what stands behind the layer acts from the last to the first",
        conditions.both(conditions.followed_by("add"), lambda case: len(case.epilogue) > 1),
        epilogue=rewritten(lambda steps: steps[::-1]),
    ),
    Mutant("added_negated", "the input is subtracted", conditions.followed_by("add"), epilogue=joined(lambda x: -x)),
    Mutant(
        "added_from_first_image",
        "every image is added the first one's input",
        conditions.followed_by("add"),
        epilogue=joined(read_dense),
    ),
    Mutant(
        "added_channels_reversed",
        "the input's channels are added from the last to the first",
        conditions.followed_by("add"),
        epilogue=joined(lambda x: x[:, ::-1]),
    ),
    Mutant(
        "concat_input_first",
        "the input stands in front of the output",
        conditions.followed_by("concat"),
        epilogue=input_first,
    ),
    Mutant(
        "concat_from_first_image",
        "every image is joined to the first one's input",
        conditions.followed_by("concat"),
        epilogue=joined(read_dense),
    ),
)
