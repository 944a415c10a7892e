"""TensorRT on this machine's GPU, with a delay of 3 % behind each enqueue.

    pytest cases/test_latency.py --latency --target tensorrt
    pytest cases/test_latency.py --latency --target tests/doubles/slowed.py:Slowed
    trt-conformance compare BASE NEW

shows that the gate finds the delay. Values stay right. A kernel takes most of a microsecond by itself, so that cases
under 30 microseconds are slowed by more than 3 %.
"""

from dataclasses import replace
from statistics import median

from trt_conformance.targets.device import cuda
from trt_conformance.targets.tensorrt import TensorRTTarget
from trt_conformance.targets.tensorrt.execution import TensorRTEngine
from trt_conformance.targets.timing.yardstick import Spin

DELAY = 0.03
FEW, MANY, CHAIN = 1000, 5000, 50


class _Engine(TensorRTEngine):
    """An engine that runs the spinning kernel behind each enqueue that is timed."""

    spin, steps = None, 0

    def _measured(self, feeds, plan):
        plain = super()._measured(feeds, replace(plan, mode="graph", limit_s=1.0))
        self.spin = Spin()
        try:
            self.steps = _steps(self.spin, DELAY * median(plain.samples))
            return super()._measured(feeds, plan)
        finally:
            self.steps = 0
            self.spin.close()

    def _copy(self):
        copy = super()._copy()
        copy.spin, copy.steps = self.spin, self.steps
        return copy

    def enqueue(self):
        super().enqueue()
        if self.steps:
            self.spin.launch(self._stream, self.steps)


class Slowed(TensorRTTarget):
    """The target ``tensorrt``, under its own name so that it is compared with the plain one."""

    engine_type = _Engine

    def __init__(self):
        super().__init__("tensorrt")


def _steps(spin, seconds):
    """How many steps of the kernel last so long, in a graph."""
    few, many = (_lasts(spin, steps) for steps in (FEW, MANY))
    step = (many - few) / (MANY - FEW)
    return max(1, round((seconds - (few - FEW * step)) / step))


def _lasts(spin, steps):
    stream = cuda.Stream()
    stopwatch = cuda.Stopwatch(stream)

    def chain():
        for _ in range(CHAIN):
            spin.launch(stream, steps)

    with cuda.Graph(stream, chain) as graph:
        return median(stopwatch.time(graph.launch) for _ in range(20)) / CHAIN
