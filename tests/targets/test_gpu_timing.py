"""How engines are timed, on a GPU with a clock of its own: what is flushed, in which order, and what is freed."""

from dataclasses import replace
from statistics import median
from types import SimpleNamespace

import numpy as np
import pytest

from tests.support import fake_gpu
from tests.support.helpers import make_case
from trt_conformance.core.tensors import feeds_of
from trt_conformance.targets.device import clocks, cuda
from trt_conformance.targets.device.gpu_lock import GpuLock
from trt_conformance.targets.device.kernels import Kernel
from trt_conformance.targets.errors import Refused
from trt_conformance.targets.tensorrt import placing
from trt_conformance.targets.tensorrt.exclusion import Exclusion
from trt_conformance.targets.tensorrt.execution import TensorRTEngine
from trt_conformance.targets.tensorrt.loading import Loaded
from trt_conformance.targets.tensorrt.plans import Plan
from trt_conformance.targets.timing import gpu, kernel_durations, quick
from trt_conformance.targets.timing.measurement import Measurement, TimingPlan

KERNEL_S, COLD_S = 5e-6, 20e-6
SHORT = TimingPlan("graph", warmup_s=0.0, min_s=0.0, limit_s=5.0, min_samples=6)


class Work:
    """One kernel an enqueue, with a copy before and behind it."""

    def __init__(self, device):
        self.device, self.stream = device, cuda.Stream()

    def enqueue(self):
        self.device.kernel(KERNEL_S, COLD_S)

    def upload(self):
        self.device.cudaMemcpyAsync(0, 0, 1000, 1, 0)

    download = upload

    def rewrite_input(self):
        self.device.cudaMemcpyAsync(0, 0, 1000, 3, 0)


@pytest.mark.parametrize("mode", ["graph", "enqueue", "end_to_end"])
def test_a_cold_sample_has_its_cache_emptied(monkeypatch, mode):
    device = fake_gpu.install(monkeypatch)
    warm = gpu.measure([Work(device)], replace(SHORT, mode=mode))
    cold = gpu.measure([Work(device)], replace(SHORT, mode=mode, cold_l2=True))
    assert median(cold.samples) - median(warm.samples) == pytest.approx(COLD_S, rel=0.02)
    assert cold.cold_l2 and cold.facts["flush_bytes"] == 2 * fake_gpu.L2_BYTES


@pytest.mark.parametrize("mode", ["graph", "enqueue"])
def test_cold_weights_have_their_input_written_behind_the_flush(monkeypatch, mode):
    device = fake_gpu.install(monkeypatch)
    plan = replace(SHORT, mode=mode, cold_l2=True, warm_input=True)
    found = gpu.measure([Work(device)], plan)
    assert found.cold == plan.cold == "weights"
    assert found.facts["warm_input"]
    # Neither the flush nor the copy is part of a sample.
    extra = 0.0 if mode == "graph" else fake_gpu.EVENT_S
    assert median(found.samples) == pytest.approx(KERNEL_S + COLD_S + extra, rel=1e-3)
    enqueued = " ".join(device.ran[-6:])
    assert "fill copy kernel" in " ".join(device.ran)
    assert "kernel copy" not in enqueued


@pytest.mark.parametrize(("seconds", "told"), [((1e-5,) * 8, False), ((1e-5, 1.05e-5) * 4, True)])
def test_the_command_that_locks_the_clock_is_named(seconds, told):
    read = {"median_mhz": 1755, "min_mhz": 1740, "max_mhz": 1980, "bus": "0000:3B:00.0"}
    found = Measurement("graph", False, seconds, 0, "stable", {"clocks": read})
    note = "at SM clocks of 1740 to 1980 MHz: `sudo nvidia-smi -i 0000:3B:00.0 -lgc 1755` locks the clock"
    assert any(note in one for one in found.notes) is told
    unknown = Measurement("graph", False, seconds, 0, "stable", {"clocks": {"available": False}})
    assert unknown.notes == []


@pytest.mark.parametrize("cold", [False, True])
def test_placements_are_taken_behind_the_samples(monkeypatch, cold):
    """On a GPU that is slow until it is warm, no placement may be slow."""
    device = fake_gpu.install(monkeypatch)
    works = [Work(device) for _ in range(3)]
    for work in works:
        work.enqueue = lambda: device.kernel(KERNEL_S, COLD_S, slow_until=0.05)
    found = gpu.measure(works, replace(SHORT, cold_l2=cold, warmup_s=0.2))
    assert device.now > 0.05
    expected = KERNEL_S + COLD_S * cold
    assert found.facts["placements"] == pytest.approx([expected] * 3, rel=0.01)


@pytest.mark.parametrize("mode", ["graph", "enqueue", "end_to_end"])
def test_everything_is_freed(monkeypatch, mode):
    device = fake_gpu.install(monkeypatch)
    work = Work(device)
    gpu.measure([work], replace(SHORT, mode=mode, cold_l2=True))
    cuda._BLOCKS.release()
    assert {kind: count for kind, count in device.alive.items() if count} == {"stream": 1}


def test_an_enqueue_that_raises_leaves_no_graph(monkeypatch):
    device = fake_gpu.install(monkeypatch)
    work = Work(device)
    calls = iter(range(1000))

    def enqueue():
        if next(calls) == 8:
            raise Refused("run", "no more")
        device.kernel(KERNEL_S)

    work.enqueue = enqueue
    with pytest.raises(Refused):
        gpu.measure([work], SHORT)
    assert device._captured is None
    assert device.alive["graph"] == 0
    assert device.alive["event"] == 0


def test_a_sample_has_its_clock(monkeypatch):
    device = fake_gpu.install(monkeypatch, 1980, 1950, 1965)
    found = gpu.measure([Work(device)], SHORT)
    each = found.facts["sample_mhz"]
    assert len(each) == len(found.samples)
    assert each[:2] == [1950, 1965]
    assert gpu.sample_clocks([1980, 1980]) == {"sample_mhz": 1980}
    assert gpu.sample_clocks([1980, None]) == {}


class Context:
    """An execution context whose kernel is slower the farther its output lies, by 1 % for each MiB."""

    def __init__(self, device):
        self.device, self.addresses, self.scratch, self.refuses = device, {}, [], False
        self.near = None

    def set_input_shape(self, name, shape):
        self.shape = tuple(shape)
        return True

    def get_tensor_shape(self, name):
        return (1, 1, 4, 7)

    def set_tensor_address(self, name, address):
        self.addresses[name] = address
        return True

    def execute_async_v3(self, stream):
        if self.refuses:
            return False
        self.near = self.near or self.addresses["output"]
        far = (self.addresses["output"] - self.near) / 2**20
        self.device.kernel(KERNEL_S * (1 + 0.01 * far))
        return True

    @property
    def device_memory(self):
        raise AttributeError("cannot be read")

    @device_memory.setter
    def device_memory(self, address):
        self.scratch.append(address)


def engine(device, device_memory_size=4096):
    """An engine of TensorRT 8.6, as far as timing it needs one."""
    second = Context(device)
    made = SimpleNamespace(
        device_memory_size=device_memory_size, create_execution_context_without_device_memory=lambda: second
    )
    api = SimpleNamespace(take_errors=lambda: ("TensorRT said why",))
    plan = Plan(b"", {}, Loaded(made, Context(device), None, {}))
    case = make_case()
    return TensorRTEngine(api, plan, case, dict, Exclusion(GpuLock(None))), case, second


def test_a_quick_latency_of_an_engine(monkeypatch):
    device = fake_gpu.install(monkeypatch, 1980)
    timed, case, context = engine(device)
    found = timed.measure(feeds_of(case), TimingPlan.quick("graph"))
    assert (found.mode, found.cold_l2, len(found.samples)) == ("graph", False, quick.ROUNDS)
    # Each place has an input, an output and scratch memory, a MiB apart from each other.
    steps = np.asarray(found.facts["placements"]) / KERNEL_S
    assert np.diff(steps) == pytest.approx([0.03] * (quick.PLACES - 1), abs=0.002)
    assert median(found.samples) == pytest.approx(KERNEL_S * 1.06, rel=0.01)
    assert len(set(context.scratch)) == quick.PLACES
    assert found.facts["one_place"] == ["weights"]
    assert found.facts["nodes"] == 1
    assert found.facts["sample_mhz"] == 1980
    assert device.now < 0.03


def test_a_quick_latency_frees_what_it_took(monkeypatch):
    device = fake_gpu.install(monkeypatch)
    timed, case, _ = engine(device)
    timed.measure(feeds_of(case), TimingPlan.quick("graph"))
    timed.close()
    cuda._BLOCKS.release()
    assert not any(device.alive.values())


def test_a_quick_latency_that_fails_frees_what_it_took(monkeypatch):
    device = fake_gpu.install(monkeypatch)
    timed, case, context = engine(device)
    context.refuses = True
    with pytest.raises(Refused, match="TensorRT said why"):
        timed.measure(feeds_of(case), TimingPlan.quick("graph"))
    timed.close()
    cuda._BLOCKS.release()
    assert not any(device.alive.values())


def test_an_engine_without_scratch_memory_keeps_its_context(monkeypatch):
    device = fake_gpu.install(monkeypatch)
    timed, case, second = engine(device, device_memory_size=0)
    found = timed.measure(feeds_of(case), TimingPlan.quick("graph"))
    assert len(found.samples) == quick.ROUNDS
    assert not second.addresses
    assert found.facts["one_place"] == ["weights"]


def test_scratch_memory_is_given_as_the_version_has_it():
    given = []
    newer = SimpleNamespace(set_device_memory=lambda address, size: given.append((address, size)))
    placing.give_scratch(newer, 512, 64)
    older = SimpleNamespace()
    placing.give_scratch(older, 512, 64)
    assert (given, older.device_memory) == ([(512, 64)], 512)


@pytest.mark.parametrize(
    ("seconds", "places", "rounds", "length"),
    [(2e-6, 5, 8, 100), (5e-6, 5, 8, 40), (50e-6, 5, 8, 4), (1e-3, 2, 6, 1), (1.0, 2, 6, 1)],
)
def test_how_much_is_sampled(seconds, places, rounds, length):
    assert quick.extent(seconds) == (places, rounds)
    assert quick.graph_length(seconds, places) == length


def test_a_clock_that_takes_long_to_read_is_read_twice(monkeypatch):
    device = fake_gpu.install(monkeypatch, 1980)
    monkeypatch.setattr(quick, "READ_S", -1.0)
    read, plain = [], clocks.Clocks.read
    monkeypatch.setattr(clocks.Clocks, "read", lambda self: read.append(1) or plain(self))
    timed, case, _ = engine(device)
    assert timed.measure(feeds_of(case), TimingPlan.quick("graph")).facts["sample_mhz"] == 1980
    assert len(read) == 3  # once to see whether the GPU was idle


def test_clocks_that_differ_are_not_filled_in():
    assert quick._filled([([1.0], 1980), ([1.0], None), ([1.0], 1980)]) == [([1.0], 1980)] * 3
    differ = [([1.0], 1980), ([1.0], None), ([1.0], 1755)]
    assert quick._filled(differ) == differ
    assert gpu.sample_clocks([clock for _, clock in differ]) == {}


class Trace:
    """CUPTI, which records two kernels an enqueue."""

    fault = None

    def __enter__(self):
        if Trace.fault is not None:
            raise Trace.fault
        return self

    def __exit__(self, *_):
        return None

    @staticmethod
    def is_available():
        return True

    def take(self):
        return [Kernel(0.0, name, seconds) for name, seconds in (("xmma_fprop", 4e-6), ("copyPacked", 1e-6)) * 40]


def test_cupti_adds_kernel_durations_to_a_quick_latency(monkeypatch):
    device = fake_gpu.install(monkeypatch)
    monkeypatch.setattr(kernel_durations, "KernelTrace", Trace)
    monkeypatch.setattr(quick, "_DURATIONS", kernel_durations.KernelDurations())
    monkeypatch.setattr(quick, "graph_length", lambda *_: 40)
    timed, case, _ = engine(device)
    kernels = timed.measure(feeds_of(case), TimingPlan.quick("graph")).facts["kernels"]
    assert kernels == [
        {"name": "xmma_fprop", "seconds": pytest.approx(4e-6), "class": "convolution"},
        {"name": "copyPacked", "seconds": pytest.approx(1e-6), "class": "reformat"},
    ]


def test_cupti_is_left_out_once_it_is_slow_or_fails(monkeypatch):
    monkeypatch.setattr(kernel_durations, "KernelTrace", Trace)
    times = iter([0.0, 9.0, 9.1, 9.2, 9.2, 9.2])
    slow = kernel_durations.KernelDurations(lambda: next(times))
    assert [bool(slow.facts(lambda: None, 40)) for _ in range(3)] == [True, True, False]
    monkeypatch.setattr(Trace, "fault", RuntimeError("in use"))
    failing = kernel_durations.KernelDurations()
    assert failing.facts(lambda: None, 40) == {"notes": ["CUPTI is not used any more: RuntimeError: in use"]}
    assert failing.facts(lambda: None, 40) == {}


def test_a_trace_that_is_not_of_whole_enqueues_is_dropped(monkeypatch):
    monkeypatch.setattr(kernel_durations, "KernelTrace", Trace)
    assert kernel_durations.KernelDurations().facts(lambda: None, 33) == {}


def test_an_idle_gpu_is_waited_for(monkeypatch):
    device = fake_gpu.install(monkeypatch, *[345] * 20, 1980)
    timed, case, _ = engine(device)
    found = timed.measure(feeds_of(case), TimingPlan.quick("graph"))
    assert found.facts["sample_mhz"] == 1980
    assert not found.facts["notes"]


def test_a_gpu_that_stays_slow_is_noted(monkeypatch):
    device = fake_gpu.install(monkeypatch, 345)
    monkeypatch.setattr(quick, "WARMUP_S", 0.0)
    timed, case, _ = engine(device)
    found = timed.measure(feeds_of(case), TimingPlan.quick("graph"))
    assert len(found.samples) == quick.ROUNDS
    assert found.facts["notes"] == ["the SM clock was low, 345 MHz"]


@pytest.mark.parametrize(
    "plan", [replace(TimingPlan.quick("enqueue")), replace(TimingPlan.quick("graph"), cold_l2=True)]
)
def test_other_quick_latencies_are_refused(monkeypatch, plan):
    device = fake_gpu.install(monkeypatch)
    timed, case, _ = engine(device)
    with pytest.raises(ValueError, match="a quick latency is of mode graph with warm caches"):
        timed.measure(feeds_of(case), plan)
