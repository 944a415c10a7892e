"""Smooth activations after the layer: their values, and how far a correct implementation may be off.

An implementation evaluates them in float32 with CUDA's functions, whose largest errors the CUDA C++ Programming Guide
states (Mathematical Functions): ``__expf(x)`` 2 + floor(|1.173 x|) units in the last place, ``__fdividef`` 2, ``erff``
2. Where an activation is made of two layers, the result of the first may be rounded to the output's type.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from trt_conformance.core.arrays import Float64
from trt_conformance.core.epilogue_fields import EpilogueName

UNIT = 2.0**-23
"""A unit in the last place of a float32 in [1, 2): the relative size of one, at most."""

# erf of each element; NumPy has none.
_ERF = np.vectorize(math.erf, otypes=[np.float64])


def _sigmoid(y: Float64) -> Float64:
    # Of the two forms, the one whose exponential cannot overflow.
    small = np.exp(-np.abs(y))
    return np.where(y >= 0, 1 / (1 + small), small / (1 + small))


def _hard_sigmoid(y: Float64) -> Float64:
    return np.clip(y / 6 + 0.5, 0.0, 1.0)


def _of_exp(y: Float64) -> Float64:
    """The relative error of sigmoid(y): of its exponential, an addition and a quotient."""
    return (2 + 1.173 * np.abs(y) + 4) * UNIT


@dataclass(frozen=True)
class Activation:
    """An activation: its values, its steepest slope, and the absolute error of evaluating it in float32.

    ``roundings``: how many of its results may be rounded to the output's type.
    """

    values: Callable[[Float64], Float64]
    slope: float
    error: Callable[[Float64], Float64]
    roundings: int = 1


ACTIVATIONS: dict[EpilogueName, Activation] = {
    "sigmoid": Activation(_sigmoid, 0.25, lambda y: _of_exp(y) * _sigmoid(y)),
    # 2 sigmoid(2y) - 1, whose difference leaves an absolute error.
    "tanh": Activation(np.tanh, 1.0, lambda y: 2 * _of_exp(2 * y) * _sigmoid(2 * y) + UNIT),
    "silu": Activation(
        lambda y: y * _sigmoid(y), 1.0999, lambda y: (_of_exp(y) + UNIT) * np.abs(y * _sigmoid(y)), roundings=2
    ),
    # 1/6 is rounded; a sixth of y and a half are added.
    "hard_swish": Activation(
        lambda y: y * _hard_sigmoid(y), 1.5, lambda y: np.abs(y) * (np.abs(y) / 6 + 0.5) * 3 * UNIT, roundings=2
    ),
    # erf is off by 2 units of at most 1; 1 is added to it.
    "gelu": Activation(lambda y: y * (1 + _ERF(y / math.sqrt(2))) / 2, 1.1290, lambda y: np.abs(y) * 4 * UNIT),
}
