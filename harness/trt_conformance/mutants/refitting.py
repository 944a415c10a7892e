"""Mutants of refitted engines: they keep weights that they were built with."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from trt_conformance.core.arrays import Array
from trt_conformance.core.case import Case
from trt_conformance.core.refit_fields import Filled
from trt_conformance.core.tensors import built_with
from trt_conformance.mutants.conditions import both, grouped
from trt_conformance.mutants.mutant import Mutant, add_bias


def refitted(name: str) -> Callable[[Case], bool]:
    """Whether the engine is built with other values of these weights."""
    return lambda case: case.refit is not None and isinstance(getattr(case.refit, name), Filled)


def old_kernel(kernel: Array, case: Case) -> Array:
    """The kernel that the engine was built with."""
    return built_with(case).kernel


def old_bias(y: Array, bias: Array, case: Case) -> Array:
    """Add the bias that the engine was built with."""
    held = built_with(case).bias
    return y if held is None else add_bias(y, held.astype(np.float32), case)


def one_map_old(kernel: Array, case: Case) -> Array:
    """A kernel whose last output map is still the one that the engine was built with."""
    return np.concatenate([kernel[:-1], built_with(case).kernel[-1:]])


def other_groups_old(kernel: Array, case: Case) -> Array:
    """A kernel of which only the first group's maps are new."""
    first = len(kernel) // case.attributes.groups
    return np.concatenate([kernel[:first], built_with(case).kernel[first:]])


def tail_old(kernel: Array, case: Case) -> Array:
    """A kernel whose values after whole blocks of 16 are old."""
    whole = kernel.size // 16 * 16
    flat = np.concatenate([kernel.ravel()[:whole], built_with(case).kernel.ravel()[whole:]])
    return flat.reshape(kernel.shape)


MUTANTS: tuple[Mutant, ...] = (
    Mutant("refit_kernel_ignored", "refitting does not change the kernel", refitted("kernel"), kernel=old_kernel),
    Mutant("refit_bias_ignored", "refitting does not change the bias", refitted("bias"), bias=old_bias),
    Mutant(
        "refit_last_map_ignored",
        "refitting does not change the last map's kernel",
        refitted("kernel"),
        kernel=one_map_old,
    ),
    Mutant(
        "refit_other_groups_ignored",
        "refitting gives a grouped layer the kernel of its first group alone",
        both(grouped, refitted("kernel")),
        kernel=other_groups_old,
    ),
    Mutant(
        "refit_in_blocks_of_16",
        "refitting leaves the kernel's values after whole blocks of 16 unchanged",
        refitted("kernel"),
        kernel=tail_old,
    ),
)
