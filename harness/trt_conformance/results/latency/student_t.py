"""Student's t distribution, for the comparison of latencies."""

from __future__ import annotations

import math
from functools import cache
from statistics import NormalDist

import numpy as np

from trt_conformance.core.arrays import Float64

MANY = 1e4
"""Degrees of freedom above which the normal distribution is used."""


def two_sided(t: float, freedom: float) -> float:
    """The two-sided p-value: the probability of a value at least as far from 0 as ``t``.

    The substitution t = sqrt(freedom) tan(a) makes the density proportional to cos(a)^(freedom - 1). Its tail is
    integrated by Gauss-Legendre quadrature.
    """
    if freedom > MANY:
        return math.erfc(abs(t) / math.sqrt(2))
    low, high = math.atan(abs(t) / math.sqrt(freedom)), math.pi / 2
    nodes, weights = _rule()
    angles = low + (high - low) * (nodes + 1) / 2
    tail = float(np.sum(weights * np.cos(angles) ** (freedom - 1))) * (high - low) / 2
    whole = math.exp(math.lgamma(freedom / 2) - math.lgamma((freedom + 1) / 2)) * math.sqrt(math.pi)
    return min(1.0, 2 * tail / whole)


@cache
def _rule() -> tuple[Float64, Float64]:
    nodes, weights = np.polynomial.legendre.leggauss(200)
    return nodes, weights


@cache
def quantile(confidence: float, freedom: float) -> float:
    """The t for which a fraction ``confidence`` of the distribution is between -t and t."""
    if freedom > MANY:
        return NormalDist().inv_cdf((1 + confidence) / 2)
    low, high = 0.0, 1.0
    while two_sided(high, freedom) > 1 - confidence:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if two_sided(middle, freedom) > 1 - confidence else (low, middle)
    return (low + high) / 2
