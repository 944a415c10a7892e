"""Summarizes a series of latencies: the median, its standard error, and the spread of the samples.

The error of the median is the larger of two estimates of its standard error:

- from order statistics, for independent samples: (x[n-c] - x[c-1]) / (2 z), where x[c-1] and x[n-c]
  of the sorted samples bound a 95 % confidence interval of the median and z is 1.96 (McKean and Schrader,
  Communications in Statistics B 13, 1984). It assumes no distribution.
- from batches, for samples that depend on their neighbors, as clocks and caches make them: the series is cut
  into batches in the order of measurement, and the standard deviation of the batches' medians is divided by the root of
  their number (Schmeiser, Operations Research 30, 1982, on their size and number).

Percentiles interpolate linearly between order statistics (Hyndman and Fan's definition 7, as NumPy's).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from trt_conformance.core.arrays import Float64
from trt_conformance.core.json import finite
from trt_conformance.core.words import percent, seconds

CONFIDENCE = 0.95
MIN_BATCHES, MAX_BATCHES = 5, 20
PERCENTILES = (1, 5, 25, 75, 95, 99)


@dataclass(frozen=True)
class Summary:
    """A series of ``count`` latencies. Times in seconds; ``error``, ``cv`` and ``drift`` are fractions.

    ``error``: the standard error of the median over the median. ``cv``: standard deviation over mean.
    ``drift``: the median of the second half of the series over that of the first, minus 1.
    """

    count: int
    median: float
    error: float
    minimum: float
    maximum: float
    mean: float
    cv: float
    iqr: float
    p1: float
    p5: float
    p25: float
    p75: float
    p95: float
    p99: float
    drift: float

    def text(self) -> str:
        """``67.1 µs ±0.3 % (n=200)``: the median, its standard error, and the number of samples."""
        return f"{seconds(self.median)} ±{percent(self.error)} (n={self.count})"

    def to_json(self) -> dict[str, Any]:
        """JSON values; an unknown error, which is infinite, as text."""
        return {key: finite(value) for key, value in asdict(self).items()}


def summarize(samples: Sequence[float]) -> Summary:
    """Summarize samples in seconds.

    Raises:
        ValueError: there are no samples, one is not finite, or their median is not positive.
    """
    x = np.asarray(samples, dtype=np.float64)
    median = float(np.median(x)) if x.size and np.isfinite(x).all() else 0.0
    if median <= 0:
        raise ValueError("latency samples must be finite, at least one, and have a positive median")
    mean = float(x.mean())
    p1, p5, p25, p75, p95, p99 = (float(value) for value in np.percentile(x, PERCENTILES))
    return Summary(
        count=x.size,
        median=median,
        error=standard_error(x) / median,
        minimum=float(x.min()),
        maximum=float(x.max()),
        mean=mean,
        cv=float(x.std(ddof=1)) / mean if x.size > 1 else 0.0,
        iqr=p75 - p25,
        p1=p1,
        p5=p5,
        p25=p25,
        p75=p75,
        p95=p95,
        p99=p99,
        drift=drift(x),
    )


def placing_error(placements: Sequence[float], weights_stay: bool = False) -> float:
    """Return the standard error that the places of tensors in memory leave, as a fraction of the median.

    Args:
        placements: medians at several places; fewer than two tell nothing, and give 0.
        weights_stay: the weights were in one place throughout. Its effect is not seen, and is assumed to be as large as
            that of one place of the other tensors.
    """
    if len(placements) < 2:
        return 0.0
    middle, count = float(np.median(placements)), len(placements)
    if not middle:
        return math.inf
    return float(np.std(placements, ddof=1)) / middle * math.sqrt(weights_stay + 1 / count)


def standard_error(x: Float64) -> float:
    """Return the standard error of the median of a series, in its unit; infinity if the series is too short."""
    return max(error_if_independent(x), error_by_batches(x))


def error_if_independent(x: Float64) -> float:
    """Return the standard error from order statistics; infinity below six samples, which give no 95 % interval."""
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    # Rank of the lower bound, from 1: the number of samples below the median is binomial, approximated as normal.
    rank = math.floor((x.size + 1) / 2 - z * math.sqrt(x.size) / 2)
    if rank < 1:
        return math.inf
    low, high = np.partition(x, (rank - 1, x.size - rank))[[rank - 1, x.size - rank]]
    return float(high - low) / (2 * z)


def error_by_batches(x: Float64) -> float:
    """Return the standard error from the medians of batches; infinity if there are fewer samples than batches."""
    medians = batch_medians(x)
    return float(medians.std(ddof=1)) / math.sqrt(medians.size) if medians.size else math.inf


def batch_medians(x: Float64) -> Float64:
    """Return the medians of 5 to 20 equal batches, about as many as each has samples; empty below five samples."""
    if x.size < MIN_BATCHES:
        return np.empty(0)
    count = batches_of(x.size)
    size = x.size // count
    return np.asarray(np.median(x[: count * size].reshape(count, size), axis=1))


def batches_of(count: int) -> int:
    """Return the number of batches into which a series of ``count`` samples is cut."""
    return min(MAX_BATCHES, max(MIN_BATCHES, math.isqrt(count)))


def drift(x: Float64) -> float:
    """Return the median of the second half over that of the first, minus 1; 0 if it is undefined."""
    if x.size < 2:
        return 0.0
    first, second = np.median(x[: x.size // 2]), np.median(x[x.size // 2 :])
    # Cold samples are differences, and their median may be 0.
    return float(second / first - 1) if first else 0.0
