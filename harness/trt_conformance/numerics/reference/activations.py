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

SELU_ALPHA, SELU_LAMBDA = 1.6732632423543772, 1.0507009873554805
"""Klambauer, Unterthiner, Mayr and Hochreiter, Self-normalizing neural networks, NeurIPS 2017."""

# erf of each element; NumPy has none.
_ERF = np.vectorize(math.erf, otypes=[np.float64])


def _sigmoid(y: Float64) -> Float64:
    # Of the two forms, the one whose exponential cannot overflow.
    small = np.exp(-np.abs(y))
    return np.where(y >= 0, 1 / (1 + small), small / (1 + small))


def _hard_sigmoid(y: Float64) -> Float64:
    return np.clip(y / 6 + 0.5, 0.0, 1.0)


def _gelu_argument(y: Float64) -> Float64:
    return math.sqrt(2 / math.pi) * (y + 0.044715 * y**3)


def _exp_less_one(y: Float64) -> Float64:
    """exp(y) - 1 below 0, and 0 above."""
    return np.asarray(np.expm1(np.minimum(y, 0.0)))


def _of_exp_less_one(y: Float64) -> Float64:
    """The error of exp(y) - 1 below 0: that of its exponential, and of a difference that is at most 1."""
    return np.where(y < 0, (2 + 1.173 * np.abs(y)) * UNIT * np.exp(np.minimum(y, 0.0)) + UNIT, 0.0)


def _of_tanh(y: Float64) -> Float64:
    """The error of tanh(y) = 2 sigmoid(2y) - 1, whose difference leaves an absolute error."""
    return 2 * _of_exp(2 * y) * _sigmoid(2 * y) + UNIT


def _of_gelu_tanh(y: Float64) -> Float64:
    """The error of tanh as 2 sigmoid - 1, those of its argument through its slope, and of a sum and two products."""
    argument = _gelu_argument(y)
    gate = _sigmoid(2 * argument)
    slope = 4 * gate * (1 - gate)
    # An exponential that is off by e puts a sigmoid s off by s (1 - s) e.
    of_gate = (2 + 1.173 * np.abs(2 * argument)) * UNIT * gate * (1 - gate) + 4 * UNIT * gate
    of_tanh = 2 * of_gate + UNIT + slope * np.abs(argument) * 5 * UNIT
    return np.asarray(np.abs(y) / 2 * (of_tanh + 2 * UNIT) + 2 * UNIT * np.abs(y))


def _softplus(y: Float64) -> Float64:
    return np.asarray(np.logaddexp(0.0, y))


def _of_softplus(y: Float64) -> Float64:
    """The error of the exponential through the logarithm, and that of ``__logf``: 2^-21.41, or 3 units."""
    return np.asarray(_of_exp(y) * _sigmoid(y) + 2.0**-21.41 + 4 * UNIT * _softplus(y))


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
    "tanh": Activation(np.tanh, 1.0, _of_tanh),
    "silu": Activation(
        lambda y: y * _sigmoid(y), 1.0999, lambda y: (_of_exp(y) + UNIT) * np.abs(y * _sigmoid(y)), roundings=2
    ),
    # 1/6 is rounded; a sixth of y and a half are added.
    "hard_swish": Activation(
        lambda y: y * _hard_sigmoid(y), 1.5, lambda y: np.abs(y) * (np.abs(y) / 6 + 0.5) * 3 * UNIT, roundings=2
    ),
    # erf is off by 2 units of at most 1; 1 is added to it.
    "gelu": Activation(lambda y: y * (1 + _ERF(y / math.sqrt(2))) / 2, 1.1290, lambda y: np.abs(y) * 4 * UNIT),
    "gelu_tanh": Activation(lambda y: y * (1 + np.tanh(_gelu_argument(y))) / 2, 1.1292, _of_gelu_tanh),
    "elu": Activation(lambda y: np.maximum(y, 0) + _exp_less_one(y), 1.0, _of_exp_less_one),
    "selu": Activation(
        lambda y: SELU_LAMBDA * (np.maximum(y, 0) + SELU_ALPHA * _exp_less_one(y)),
        SELU_LAMBDA * SELU_ALPHA,
        # The products with the constants, which are rounded.
        lambda y: SELU_LAMBDA * (SELU_ALPHA * _of_exp_less_one(y) + 3 * UNIT * np.where(y < 0, SELU_ALPHA, y)),
    ),
    "softsign": Activation(lambda y: y / (1 + np.abs(y)), 1.0, lambda y: 4 * UNIT * np.abs(y / (1 + np.abs(y)))),
    "softplus": Activation(_softplus, 1.0, _of_softplus),
    # 1/5 is rounded; a fifth of y and a half are added.
    "hard_sigmoid": Activation(
        lambda y: np.clip(y / 5 + 0.5, 0.0, 1.0), 0.2, lambda y: (np.minimum(np.abs(y), 3) / 5 + 0.5) * 3 * UNIT
    ),
}
