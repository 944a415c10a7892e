"""A second input for a case, of the same shape as its own and with other values."""

from __future__ import annotations

import numpy as np

from trt_conformance.core.arrays import Array
from trt_conformance.core.case import Case, TensorSpec
from trt_conformance.core.tensors import network_input


def other_input(case: Case, shape: tuple[int, ...]) -> Array:
    """A run's input with its elements in reverse order, or negated where reversal changes nothing."""
    x = network_input(case, shape)
    reversed_ = np.ascontiguousarray(x.ravel()[::-1].reshape(x.shape))
    return reversed_ if reversed_.tobytes() != x.tobytes() else np.asarray(-x)


def with_zeros(x: Array) -> Array:
    """A copy of an input whose second, fifth, eighth … element is 0, so that sums of nothing occur amid others."""
    changed = x.copy()
    changed.reshape(-1)[1::3] = 0
    return changed


def with_input(case: Case, x: Array) -> Case:
    """The case with this input as its only run."""
    return case.model_copy(update={"input": valued(x), "dynamic": None})


def valued(x: Array) -> TensorSpec:
    """A tensor of a case, given by its values."""
    values = tuple(x.astype(np.float64).ravel().tolist())
    return TensorSpec.model_construct(shape=x.shape, fill=None, values=values, seed=0)
