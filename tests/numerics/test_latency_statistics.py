"""A median never comes without its error, and the error is honest: about independent and dependent samples alike."""

import json
import math

import numpy as np
import pytest

from trt_conformance.core.words import percent, seconds
from trt_conformance.numerics.samples import (
    batch_medians,
    error_by_batches,
    error_if_independent,
    standard_error,
    summarize,
)
from trt_conformance.results.latency.student_t import quantile, two_sided


def lognormal(generator, size, spread):
    return 1e-4 * np.exp(spread * generator.standard_normal(size))


def test_summary_of_known_samples():
    found = summarize([value * 1e-6 for value in range(1, 102)])
    assert found.count == 101
    assert found.median == pytest.approx(51e-6)
    assert (found.minimum, found.maximum) == pytest.approx((1e-6, 101e-6))
    assert (found.p1, found.p5, found.p25, found.p75, found.p95, found.p99) == pytest.approx(
        (2e-6, 6e-6, 26e-6, 76e-6, 96e-6, 100e-6)
    )
    assert found.iqr == pytest.approx(50e-6)
    assert found.mean == pytest.approx(51e-6)
    assert found.cv == pytest.approx(np.std(np.arange(1, 102), ddof=1) / 51)
    assert found.drift == pytest.approx(76 / 25.5 - 1)
    assert json.loads(json.dumps(found.to_json(), allow_nan=False))["median"] == found.median


def test_order_statistics_by_hand():
    # 25 samples: rank floor(13 - 1.96 * 5 / 2) = 8, so the 8th and the 18th bound the interval.
    x = np.arange(25.0)
    assert error_if_independent(x) == pytest.approx((17 - 7) / (2 * 1.959964), rel=1e-6)


def test_batches_by_hand():
    x = np.repeat([1.0, 2.0, 3.0, 4.0, 5.0], 4)
    assert batch_medians(x).tolist() == [1, 2, 3, 4, 5]
    assert error_by_batches(x) == pytest.approx(np.std([1, 2, 3, 4, 5], ddof=1) / math.sqrt(5))


@pytest.mark.parametrize(("size", "batches"), [(4, 0), (5, 5), (30, 5), (100, 10), (400, 20), (10_000, 20)])
def test_number_of_batches(size, batches):
    assert batch_medians(np.ones(size)).size == batches


def test_the_error_covers_the_true_median():
    """Within two standard errors in about 95 of 100 series."""
    inside = 0
    for seed in range(200):
        x = lognormal(np.random.default_rng(seed), 200, 0.05)
        inside += abs(np.median(x) - 1e-4) <= 2 * standard_error(x)
    assert inside >= 180


def test_the_error_knows_of_dependence():
    """Samples that follow their neighbors hold less: the batches tell, the order statistics do not."""
    covered, naive = 0, 0
    for seed in range(100):
        generator, level, x = np.random.default_rng(seed), 0.0, []
        for shock in generator.standard_normal(1000):
            level = 0.95 * level + math.sqrt(1 - 0.95**2) * shock
            x.append(1e-4 * math.exp(0.02 * level))
        x = np.asarray(x)
        covered += abs(np.median(x) - 1e-4) <= 2 * standard_error(x)
        naive += abs(np.median(x) - 1e-4) <= 2 * error_if_independent(x)
    assert covered >= 80
    assert naive <= 50


@pytest.mark.parametrize("samples", [[], [math.nan], [1e-6, math.inf], [-1e-6], [0.0, 0.0]])
def test_no_latency(samples):
    with pytest.raises(ValueError, match="latency"):
        summarize(samples)


def test_too_few_samples_have_no_error():
    found = summarize([1e-6, 1.1e-6])
    assert found.error == math.inf
    assert found.text() == "1.05 µs ±? % (n=2)"
    assert found.to_json()["error"] == "inf"


def test_text():
    x = [67.1e-6] * 100 + [67.5e-6] * 100
    assert summarize(x).text() == "67.3 µs ±0.2 % (n=200)"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2.9e-9, "2.90 ns"),
        (999.4e-9, "999 ns"),
        (999.9e-9, "1.00 µs"),
        (67.14e-6, "67.1 µs"),
        (99.96e-6, "100 µs"),
        (1.5e-3, "1.50 ms"),
        (2.0, "2.00 s"),
        (123.0, "123 s"),
    ],
)
def test_seconds(value, text):
    assert seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0.0 %"), (0.0004, "<0.1 %"), (0.003, "0.3 %"), (0.123, "12 %"), (math.inf, "? %"), (math.nan, "? %")],
)
def test_percent(value, text):
    assert percent(value) == text


@pytest.mark.parametrize(("t", "freedom"), [(12.7062, 1), (2.77645, 4), (2.22814, 10), (1.98397, 100), (1.95996, 1e6)])
def test_student(t, freedom):
    assert two_sided(t, freedom) == pytest.approx(0.05, rel=1e-4)
    assert quantile(0.95, freedom) == pytest.approx(t, rel=1e-4)


def test_student_far_out():
    assert two_sided(0, 4) == pytest.approx(1)
    assert two_sided(math.inf, 4) == pytest.approx(0, abs=1e-12)
    assert two_sided(10, 4) == pytest.approx(5.62e-4, rel=1e-3)
    assert two_sided(8, 1000) == pytest.approx(3.4e-15, rel=0.1)
