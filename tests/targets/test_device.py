"""The device layer with fakes of CUDA and NVML: what happens where they fail, and which GPU is read."""

from types import SimpleNamespace

import pytest

from trt_conformance.targets.device import clocks, cuda
from trt_conformance.targets.errors import Refused

GRAPH, EXECUTABLE = 7, 8
RESULTS = {
    "cudaStreamEndCapture": (GRAPH,),
    "cudaGraphGetNodes": ([], 3),
    "cudaGraphInstantiate": (EXECUTABLE,),
}
DEFAULT_MHZ = {b"0000:3B:00.0": 2000, b"0000:86:00.0": 1000}


class Runtime:
    """CUDA's runtime: notes the calls, and fails those that it is given a status for."""

    cudaStreamCaptureMode = SimpleNamespace(cudaStreamCaptureModeThreadLocal=2)

    def __init__(self, **failures):
        self.calls, self.failures = [], failures

    def __getattr__(self, name):
        def function(*arguments):
            self.calls.append((name, *arguments))
            if name in self.failures:
                return (Status(self.failures[name]), None)
            return (0, *RESULTS.get(name, ()))

        return function


class Status:
    def __init__(self, name):
        self.name = name

    def __int__(self):
        return 900


STREAM = SimpleNamespace(handle=5)
BEGIN, END = ("cudaStreamBeginCapture", 5, 2), ("cudaStreamEndCapture", 5)
DESTROY = ("cudaGraphDestroy", GRAPH)


def capture(monkeypatch, enqueue=lambda: None, **failures):
    fake = Runtime(**failures)
    monkeypatch.setattr(cuda, "runtime", lambda: fake)
    return fake, lambda: cuda.Graph(STREAM, enqueue)


def test_a_graph_is_captured_and_freed(monkeypatch):
    fake, captured = capture(monkeypatch)
    with captured() as graph:
        assert graph.nodes == 3
        assert fake.calls == [BEGIN, END, ("cudaGraphGetNodes", GRAPH), ("cudaGraphInstantiate", GRAPH, 0), DESTROY]
    assert fake.calls[-1] == ("cudaGraphExecDestroy", EXECUTABLE)


def refuse():
    raise Refused("run", "the enqueue failed")


@pytest.mark.parametrize("fault", [refuse, lambda: (_ for _ in ()).throw(KeyboardInterrupt)], ids=["refusal", "ctrl-c"])
def test_a_capture_that_fails_ends_and_is_freed(monkeypatch, fault):
    fake, captured = capture(monkeypatch, fault)
    with pytest.raises((Refused, KeyboardInterrupt)):
        captured()
    assert fake.calls == [BEGIN, END, DESTROY]


def test_the_failure_is_reported_and_not_the_end_of_its_capture(monkeypatch):
    """CUDA reports an invalidated capture where it is ended, and returns no graph."""
    fake, captured = capture(monkeypatch, refuse, cudaStreamEndCapture="cudaErrorStreamCaptureInvalidated")
    with pytest.raises(Refused, match="the enqueue failed"):
        captured()
    assert fake.calls == [BEGIN, END]


@pytest.mark.parametrize("call", ["cudaGraphGetNodes", "cudaGraphInstantiate"])
def test_a_graph_that_cannot_be_used_is_freed(monkeypatch, call):
    fake, captured = capture(monkeypatch, **{call: "cudaErrorMemoryAllocation"})
    with pytest.raises(cuda.CudaError, match=f"{call} failed: cudaErrorMemoryAllocation"):
        captured()
    assert fake.calls[-1] == DESTROY


def test_a_capture_that_does_not_begin_is_not_ended(monkeypatch):
    fake, captured = capture(monkeypatch, cudaStreamBeginCapture="cudaErrorIllegalState")
    with pytest.raises(cuda.CudaError, match="cudaStreamBeginCapture failed"):
        captured()
    assert fake.calls == [BEGIN]


class Nvml:
    """NVML with two GPUs in another order than CUDA's: clocks in MHz by PCI bus id."""

    NVML_CLOCK_SM = 1

    class NVMLError(Exception):
        pass

    def __init__(self, clock=2000, has_default=True):
        self.clock, self.has_default = clock, has_default

    def nvmlInit(self):
        pass

    def nvmlDeviceGetHandleByPciBusId(self, bus):
        if bus not in DEFAULT_MHZ:
            raise self.NVMLError(f"no GPU at {bus!r}")
        return bus

    def nvmlDeviceGetDefaultApplicationsClock(self, handle, clock):
        assert clock == self.NVML_CLOCK_SM
        if not self.has_default:
            raise self.NVMLError("not supported")
        return DEFAULT_MHZ[handle]

    def nvmlDeviceGetMaxClockInfo(self, handle, clock):
        return DEFAULT_MHZ[handle] + 500

    def nvmlDeviceGetClockInfo(self, handle, clock):
        assert handle in DEFAULT_MHZ
        return self.clock


@pytest.fixture
def bus(monkeypatch):
    """Sets what CUDA gives as the PCI bus id of its first GPU."""

    def give(text):
        monkeypatch.setattr(cuda, "call", lambda name, size, device: {"cudaDeviceGetPCIBusId": text}[name])

    give(b"0000:3B:00.0\0\0\0")
    return give


def read_clocks(monkeypatch, nvml):
    monkeypatch.setitem(__import__("sys").modules, "pynvml", nvml)
    monkeypatch.setattr(clocks, "_gpu", clocks._gpu.__wrapped__)
    return clocks.Clocks()


@pytest.mark.parametrize("text", [b"0000:86:00.0\0\0\0\0", b"0000:86:00.0", "0000:86:00.0\0", "0000:86:00.0\0        "])
def test_the_gpu_is_found_by_its_bus_id(bus, text):
    bus(text)
    assert clocks.nvml_handle(Nvml()) == b"0000:86:00.0"


def test_a_gpu_that_nvml_does_not_know(bus, monkeypatch):
    bus(b"0000:01:00.0\0")
    with pytest.raises(Nvml.NVMLError):
        clocks.nvml_handle(Nvml())
    held = read_clocks(monkeypatch, Nvml())
    assert held.read() is None
    assert not held.is_too_low(None)
    assert held.facts() == {"available": False, "reason": "no GPU at b'0000:01:00.0'"}


@pytest.mark.parametrize(("clock", "is_too_low"), [(2000, False), (1500, False), (1499, True)])
def test_a_low_clock_does_not_count(bus, monkeypatch, clock, is_too_low):
    held = read_clocks(monkeypatch, Nvml(clock))
    assert held.facts() == {"available": True, "default_mhz": 2000}
    assert held.is_too_low(held.read()) is is_too_low
    facts = {"available": True, "default_mhz": 2000, "median_mhz": clock, "min_mhz": clock, "max_mhz": clock}
    facts["bus"] = "0000:3B:00.0"
    assert held.facts() == facts


def test_a_clock_that_can_no_longer_be_read_ends_no_measurement(bus, monkeypatch):
    nvml = Nvml()
    held = read_clocks(monkeypatch, nvml)
    assert held.read() == 2000
    nvml.nvmlDeviceGetClockInfo = lambda *_: refuse()
    assert held.read() is None
    assert held.facts() == {"available": False, "reason": "the enqueue failed"}


def test_a_gpu_without_a_default_clock_is_held_against_its_highest(bus, monkeypatch):
    assert read_clocks(monkeypatch, Nvml(has_default=False)).facts()["default_mhz"] == 2500
