"""TensorRT on this machine's GPU, with a delay of 3 % behind each enqueue.

    pytest cases/test_latency.py --latency --target tensorrt
    pytest cases/test_latency.py --latency --target tests/targets/slowed.py:Slowed
    trt-conformance compare BASE NEW

shows that the gate finds the delay. Values stay right. A kernel takes most of a microsecond by itself, so that cases
under 30 microseconds are slowed by more than 3 %.
"""

from dataclasses import replace
from statistics import median
from typing import NamedTuple

from harness import cuda
from harness.latency.yardstick import Spin
from harness.targets.tensorrt import TensorRTTarget

DELAY = 0.03
FEW, MANY, CHAIN = 1000, 5000, 50


class Slowed(TensorRTTarget):
    """The target ``tensorrt``, under its own name so that it is compared with the plain one."""

    def __init__(self):
        super().__init__("tensorrt")

    def build(self, case):
        return _Engine(super().build(case))


class _Engine:
    def __init__(self, engine):
        self._engine = engine

    def __getattr__(self, name):
        return getattr(self._engine, name)

    def measure(self, feeds, plan):
        plain = self._engine.measure(feeds, replace(plan, mode="graph", limit_s=1.0))
        spin, context = Spin(), self._engine._context
        try:
            self._engine._context = _Context(context, spin, _steps(spin, DELAY * median(plain.samples)))
            return self._engine.measure(feeds, plan)
        finally:
            self._engine._context = context
            spin.close()


class _Context:
    """An execution context that runs the spinning kernel behind each enqueue."""

    def __init__(self, context, spin, steps):
        self._context, self._spin, self._steps = context, spin, steps

    def __getattr__(self, name):
        return getattr(self._context, name)

    def execute_async_v3(self, handle):
        done = self._context.execute_async_v3(handle)
        self._spin.launch(_Handle(handle), self._steps)
        return done


class _Handle(NamedTuple):
    """A stream that is known by its handle alone."""

    handle: int


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
