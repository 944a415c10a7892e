"""Times an engine on the GPU by the device's own clock.

graph: many enqueues in one CUDA graph between two events, divided by their number; enqueue: an event pair
around one enqueue, which reads about 10 microseconds too much on a small kernel; end_to_end: host to
device, enqueue, device to host; kernel: the durations of an enqueue's kernels as CUPTI records them in such a
graph, without the time between them.
A cold run writes twice the L2 cache between enqueues and subtracts the time of these writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median
from typing import Any, Protocol

from harness import cuda
from harness.latency.clocks import Clocks
from harness.latency.kernels import KernelTrace, classify, idle
from harness.latency.measurement import Measurement, Mode, Plan
from harness.latency.sampling import collect

GRAPH_SECONDS = 2e-3
MIN_GRAPH, MAX_GRAPH = 20, 1000
TRACE_ENQUEUES = 20


class GpuWork(Protocol):
    """What is timed: one enqueue on a stream, and the transfers around it."""

    stream: cuda.Stream

    def enqueue(self) -> None: ...
    def upload(self) -> None: ...
    def download(self) -> None: ...


@dataclass
class _Setting:
    work: GpuWork
    plan: Plan
    scope: ExitStack
    facts: dict[str, Any]


def modes() -> tuple[Mode, ...]:
    """The modes this machine can measure in; kernel needs CUPTI."""
    everywhere: tuple[Mode, ...] = ("graph", "enqueue", "end_to_end")
    return (*everywhere, "kernel") if KernelTrace.is_available() else everywhere


def measure(work: GpuWork, plan: Plan) -> Measurement:
    """Sample until the plan is met. Samples are seconds for one enqueue.

    Raises:
        CudaError: CUDA failed.
        ValueError: the mode is none of `modes`.
    """
    if plan.mode not in modes():
        raise ValueError(f"mode {plan.mode} is not available here; there are {', '.join(modes())}")
    clocks = Clocks()
    with ExitStack() as scope:
        setting = _Setting(work, plan, scope, {"transfers": plan.mode == "end_to_end", "cold_l2": plan.cold_l2})
        work.upload()
        work.enqueue()
        work.stream.synchronize()
        once = _SAMPLERS[plan.mode](setting)

        def sample() -> float | None:
            seconds = once()
            return None if clocks.is_throttled() else seconds

        samples, discarded, stopped = collect(sample, plan)
        facts = setting.facts | {"clocks": clocks.facts()}
    return Measurement(plan.mode, plan.cold_l2, tuple(samples), discarded, stopped, facts)


def _flusher(setting: _Setting) -> Callable[[], None]:
    """Writes twice the L2 cache, so that nothing of the work is left in it."""
    size = 2 * cuda.gpus()[0][0].l2_bytes
    scratch = cuda.Buffer(size)
    setting.scope.callback(scratch.close)
    setting.facts["flush_bytes"] = size
    return lambda: cuda.call("cudaMemsetAsync", scratch.address, 0, size, setting.work.stream.handle)


def _stopwatch(setting: _Setting) -> Callable[[Callable[[], None]], float]:
    stopwatch = cuda.Stopwatch(setting.work.stream)
    setting.scope.callback(stopwatch.close)
    return stopwatch.time


def _graph(setting: _Setting) -> Callable[[], float]:
    work, stream = setting.work, setting.work.stream
    stopwatch = _stopwatch(setting)
    single = min(stopwatch(work.enqueue) for _ in range(5))
    length = max(MIN_GRAPH, min(MAX_GRAPH, int(GRAPH_SECONDS / max(single, 1e-6))))
    setting.facts["graph_length"] = length

    def captured(step: Callable[[], None]) -> cuda.Graph:
        def steps() -> None:
            for _ in range(length):
                step()

        return setting.scope.enter_context(cuda.Graph(stream, steps))

    if not setting.plan.cold_l2:
        graph = captured(work.enqueue)
        setting.facts["nodes"] = graph.nodes // length
        return lambda: stopwatch(graph.launch) / length
    flush = _flusher(setting)

    def flushed() -> None:
        flush()
        work.enqueue()

    both, alone = captured(flushed), captured(flush)
    return lambda: (stopwatch(both.launch) - stopwatch(alone.launch)) / length


def _enqueue(setting: _Setting) -> Callable[[], float]:
    stopwatch = _stopwatch(setting)
    flush = _flusher(setting) if setting.plan.cold_l2 else lambda: None

    def once() -> float:
        flush()
        return stopwatch(setting.work.enqueue)

    return once


def _end_to_end(setting: _Setting) -> Callable[[], float]:
    work, stopwatch = setting.work, _stopwatch(setting)

    def there_and_back() -> None:
        work.upload()
        work.enqueue()
        work.download()

    return lambda: stopwatch(there_and_back)


def _kernel(setting: _Setting) -> Callable[[], float]:
    """Traces the kernels of a graph of enqueues, so that they follow each other as in mode graph."""
    stream = setting.work.stream
    flush = _flusher(setting) if setting.plan.cold_l2 else lambda: None

    def enqueues() -> None:
        for _ in range(TRACE_ENQUEUES):
            flush()
            setting.work.enqueue()

    graph = setting.scope.enter_context(cuda.Graph(stream, enqueues))
    trace = setting.scope.enter_context(KernelTrace())
    totals: dict[str, float] = {}
    gaps: list[float] = []

    def batches() -> Iterator[float]:
        while True:
            graph.launch()
            stream.synchronize()
            kernels = trace.take()
            share = len(kernels) // TRACE_ENQUEUES
            if share == 0 or len(kernels) != share * TRACE_ENQUEUES:
                raise RuntimeError(f"CUPTI recorded {len(kernels)} kernels for {TRACE_ENQUEUES} enqueues")
            gaps.append(idle(kernels))
            for kernel in kernels:
                totals[kernel.name] = totals.get(kernel.name, 0.0) + kernel.seconds
            enqueued = len(gaps) * TRACE_ENQUEUES
            setting.facts["kernels"] = [
                {"name": name, "seconds": total / enqueued, "class": classify(name)} for name, total in totals.items()
            ]
            setting.facts["nodes"] = share
            setting.facts["idle_s"] = median(gaps)
            for start in range(0, len(kernels), share):
                yield sum(kernel.seconds for kernel in kernels[start : start + share])

    samples = batches()
    return lambda: next(samples)


_SAMPLERS: dict[Mode, Callable[[_Setting], Callable[[], float]]] = {
    "graph": _graph,
    "enqueue": _enqueue,
    "end_to_end": _end_to_end,
    "kernel": _kernel,
}
