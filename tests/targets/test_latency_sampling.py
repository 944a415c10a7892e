"""Sampling stops once it knows enough: soon on quiet data, late on noisy, and never takes drift for precision."""

import math

import numpy as np
import pytest

from trt_conformance.targets.errors import Unsupported
from trt_conformance.targets.timing import host
from trt_conformance.targets.timing.measurement import Measurement, TimingPlan
from trt_conformance.targets.timing.sampling import collect

STEP = 1e-3
PLAN = TimingPlan("graph")


class Device:
    """A synthetic clock, and a device whose latency is a function of time: each sample takes a millisecond."""

    def __init__(self, latency, throttled=lambda t: False):
        self.time, self.latency, self.throttled = 0.0, latency, throttled

    def now(self):
        return self.time

    def sample(self):
        self.time += STEP
        return None if self.throttled(self.time) else self.latency(self.time)

    def collect(self, plan=PLAN):
        return collect(self.sample, plan, self.now)


def noisy(spread, seed=0, level=lambda t: 1.0):
    generator = np.random.default_rng(seed)
    return lambda t: 1e-4 * level(t) * math.exp(spread * generator.standard_normal())


def test_quiet_data_stop_at_once():
    found = Device(noisy(0.002)).collect()
    assert found.stopped == "precise"
    assert len(found.samples) * STEP == pytest.approx(PLAN.min_s, abs=2 * STEP)


def test_min_samples_are_taken():
    found = Device(noisy(0.0)).collect(TimingPlan("graph", min_s=0.0))
    assert (found.stopped, len(found.samples)) == ("precise", PLAN.min_samples)


def test_noise_takes_longer():
    quiet = len(Device(noisy(0.002)).collect().samples)
    found = [Device(noisy(0.08, seed)).collect() for seed in range(20)]
    assert [one.stopped for one in found].count("precise") >= 15
    # The error of a normal median is 1.25 sigma / sqrt(n): 0.5 % needs about 400, or fewer by luck.
    assert 1.3 * quiet < np.median([len(one.samples) for one in found]) < 500


def test_what_stays_noisy_is_stable():
    for seed in range(10):
        found = Device(noisy(0.5, seed)).collect()
        assert found.stopped == "stable"
        assert len(found.samples) < 1000


def test_drift_runs_to_the_limit():
    for slope in (0.2, -0.05):
        found = Device(noisy(0.002, level=lambda t, slope=slope: 1 + slope * t)).collect()
        assert found.stopped == "limit"
        assert len(found.samples) * STEP == pytest.approx(PLAN.limit_s, abs=0.01)


def test_a_transient_is_waited_out():
    device = Device(noisy(0.002, level=lambda t: 1 + 0.2 * math.exp(-t / 0.3)))
    found = device.collect()
    assert found.stopped == "precise"
    assert np.median(found.samples) == pytest.approx(1e-4, rel=0.005)


def test_the_warm_up_is_left_out():
    found = Device(noisy(0.002, level=lambda t: 10.0 if t <= PLAN.warmup_s else 1.0)).collect()
    assert max(found.samples) < 2e-4


def test_the_limit_holds_and_gives_one_sample():
    slow = Device(noisy(0.0))
    found = slow.collect(TimingPlan("graph", warmup_s=0.0, limit_s=STEP / 2))
    assert (len(found.samples), found.stopped) == (1, "limit")


def test_throttled_samples_are_discarded():
    found = Device(noisy(0.002), throttled=lambda t: int(t / STEP) % 4 == 0).collect()
    assert found.stopped == "precise"
    assert found.discarded == pytest.approx(len(found.samples) / 3, abs=2)
    measurement = Measurement("graph", False, tuple(found.samples), found.discarded, found.stopped)
    assert measurement.notes == []


def test_much_throttling_is_noted():
    found = Device(noisy(0.002), throttled=lambda t: int(t / STEP) % 4 != 0).collect(TimingPlan("graph", limit_s=0.1))
    measurement = Measurement("graph", False, tuple(found.samples), found.discarded, found.stopped)
    assert any("discarded: the device was throttled" in note for note in measurement.notes)


def test_throttled_throughout_ends_too():
    found = Device(noisy(0.0), throttled=lambda t: True).collect(TimingPlan("graph", limit_s=0.5))
    assert found.samples == []
    assert found.stopped == "limit"
    assert found.discarded > 400


def test_the_error_is_what_was_asked_for():
    """The medians of repeated samplings scatter about as little as the plan wants."""
    medians = [np.median(Device(noisy(0.05, seed)).collect().samples) for seed in range(50)]
    assert np.std(medians) / 1e-4 < 1.3 * PLAN.relative_error


def test_host_measures_a_call():
    found = host.measure(lambda: sum(range(1000)), TimingPlan("host", warmup_s=0, min_s=0, limit_s=1), threads=1)
    assert found.mode == "host"
    assert found.facts["threads"] == 1
    assert len(found.samples) >= 20 or found.stopped == "limit"
    assert all(0 < sample < 1 for sample in found.samples)


@pytest.mark.parametrize(
    ("plan", "text"), [(TimingPlan("graph"), "cannot time mode graph"), (TimingPlan("host", cold_l2=True), "warm")]
)
def test_host_says_what_it_cannot(plan, text):
    with pytest.raises(Unsupported, match=text):
        host.measure(lambda: None, plan)


def test_a_quick_latency_of_a_host_has_few_samples_and_ignores_what_interrupts_it():
    found = host.measure(lambda: sum(range(100)), TimingPlan.quick("host"))
    assert len(found.samples) <= host.QUICK_SAMPLES <= found.facts["calls"]
    calls = [1e-5] * 1000
    calls[::50] = [4e-3] * 20
    assert host.summed_up(calls) == [1e-5] * host.QUICK_SAMPLES
    assert host.summed_up([1.0, 2.0]) == [1.0, 2.0]
