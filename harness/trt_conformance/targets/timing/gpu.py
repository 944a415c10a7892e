"""Times an engine on the GPU by the device's own clock.

graph: many enqueues in one CUDA graph between two events, divided by their number; enqueue: an event pair
around one enqueue, which reads about 10 microseconds too much on a small kernel; end_to_end: host to
device, enqueue, device to host; kernel: the durations of an enqueue's kernels as CUPTI records them in such a
graph, without the time between them.
A cold run writes twice the L2 cache between enqueues and subtracts the time of these writes. Where only the weights
are to be cold, the input is written again after that, and this time is subtracted too.

Where tensors lie in memory decides how they share the caches: the same kernel at the same clock was up to 5 % faster
or slower in another process, and steady within it. So graph and kernel time several copies of the engine, each placed
anew, and a sample is their mean (Mytkowicz, Diwan, Hauswirth and Sweeney, Producing wrong data without doing anything
obviously wrong!, ASPLOS 2009).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from statistics import fmean, median
from typing import Any, Protocol

from trt_conformance.core.types import Mode
from trt_conformance.targets.device import cuda
from trt_conformance.targets.device.clocks import Clocks
from trt_conformance.targets.device.kernels import KernelTrace, classify, idle
from trt_conformance.targets.timing.measurement import Measurement, TimingPlan
from trt_conformance.targets.timing.sampling import collect

GRAPH_SECONDS = 2e-3
MIN_GRAPH, MAX_GRAPH = 4, 1000
PLACEMENTS = 5
"""Copies of an engine that are timed together."""
TRACE_ENQUEUES = 20
"""Enough that the first one, which finds the caches filled by another copy, hardly counts."""
ALONE = 5
"""How often each copy is timed separately, to find how much they differ."""


class GpuWork(Protocol):
    """What is timed: one enqueue on a stream, and the transfers around it."""

    stream: cuda.Stream

    def enqueue(self) -> None: ...
    def upload(self) -> None: ...
    def download(self) -> None: ...

    def rewrite_input(self) -> None:
        """Enqueue a copy of the input's values onto it, on the device, so that it is in the caches."""
        ...


@dataclass
class _Setting:
    works: Sequence[GpuWork]
    plan: TimingPlan
    scope: ExitStack
    facts: dict[str, Any]
    afterwards: list[Callable[[], None]] = field(default_factory=list)
    """What to measure after the samples, when the GPU is as warm as it was for them."""

    @property
    def stream(self) -> cuda.Stream:
        """Where everything is launched."""
        return self.works[0].stream


def modes() -> tuple[Mode, ...]:
    """The modes this machine can measure in; kernel needs CUPTI."""
    everywhere: tuple[Mode, ...] = ("graph", "enqueue", "end_to_end")
    return (*everywhere, "kernel") if KernelTrace.is_available() else everywhere


def graph_length(seconds: float) -> int:
    """How many enqueues of this duration a graph holds."""
    return max(MIN_GRAPH, min(MAX_GRAPH, int(GRAPH_SECONDS / max(seconds, 1e-6))))


def measure(works: Sequence[GpuWork], plan: TimingPlan) -> Measurement:
    """Sample until the plan is met. Samples are seconds for one enqueue.

    Args:
        works: copies of one engine, each with memory of its own; enqueue and end_to_end time the first.

    Raises:
        CudaError: CUDA failed.
        ValueError: the mode is none of `modes`.
    """
    if plan.mode not in modes():
        raise ValueError(f"mode {plan.mode} is not available here; there are {', '.join(modes())}")
    clocks = Clocks()
    with ExitStack() as scope:
        setting = _Setting(works, plan, scope, {"transfers": plan.mode == "end_to_end", "cold_l2": plan.cold_l2})
        if plan.cold == "weights":
            setting.facts["warm_input"] = True
        for work in works:
            work.upload()
            work.enqueue()
            work.stream.synchronize()
        once = _SAMPLERS[plan.mode](setting)

        read: list[int | None] = []

        def sample() -> float | None:
            seconds, clock = once(), clocks.read()
            if clocks.is_too_low(clock):
                return None
            read.append(clock)
            return seconds

        samples, discarded, stopped = collect(sample, plan)
        for finish in setting.afterwards:
            finish()
        facts = setting.facts | {"clocks": clocks.facts(), **sample_clocks(read[len(read) - len(samples) :])}
    return Measurement(plan.mode, plan.cold_l2, tuple(samples), discarded, stopped, facts)


def sample_clocks(read: Sequence[int | None]) -> dict[str, Any]:
    """The fact ``sample_mhz``: the SM clock of each sample, or one number where all are equal; none if one is unknown.

    A sample times its clock is its length in clock cycles.
    """
    known = [clock for clock in read if clock is not None]
    if not known or len(known) < len(read):
        return {}
    return {"sample_mhz": known[0] if len(set(known)) == 1 else known}


def _flusher(setting: _Setting) -> Callable[[GpuWork], None]:
    """Writes twice the L2 cache, so that nothing of a work is left in it; then its input, if that is to be warm."""
    size = 2 * cuda.gpus()[0][0].l2_bytes
    scratch = cuda.Buffer(size)
    setting.scope.callback(scratch.close)
    setting.facts["flush_bytes"] = size

    def flush(work: GpuWork) -> None:
        cuda.call("cudaMemsetAsync", scratch.address, 0, size, work.stream.handle)
        if setting.plan.warm_input:
            work.rewrite_input()

    return flush


def _stopwatch(setting: _Setting) -> Callable[[Callable[[], None]], float]:
    stopwatch = cuda.Stopwatch(setting.stream)
    setting.scope.callback(stopwatch.close)
    return stopwatch.time


def _captured(setting: _Setting, work: GpuWork, step: Callable[[], None], length: int) -> cuda.Graph:
    """A graph of many steps, captured from the work's own stream."""

    def steps() -> None:
        for _ in range(length):
            step()

    return setting.scope.enter_context(cuda.Graph(work.stream, steps))


def _graph(setting: _Setting) -> Callable[[], float]:
    works, stream = setting.works, setting.stream
    stopwatch = _stopwatch(setting)
    length = graph_length(min(stopwatch(works[0].enqueue) for _ in range(5)))
    setting.facts["graph_length"] = length

    def launch(graphs: Sequence[cuda.Graph]) -> float:
        """Seconds of one step."""

        def every() -> None:
            for graph in graphs:
                graph.launch(stream)

        return stopwatch(every) / (length * len(graphs))

    def tell_placements(seconds: Callable[[cuda.Graph], float], graphs: Sequence[cuda.Graph]) -> None:
        setting.facts["placements"] = [median(seconds(graph) for _ in range(ALONE)) for graph in graphs]

    if not setting.plan.cold_l2:
        graphs = [_captured(setting, work, work.enqueue, length) for work in works]
        setting.facts["nodes"] = graphs[0].nodes // length
        setting.afterwards.append(lambda: tell_placements(lambda graph: launch([graph]), graphs))
        return lambda: launch(graphs)
    flush = _flusher(setting)

    def flushed(work: GpuWork) -> cuda.Graph:
        def step() -> None:
            flush(work)
            work.enqueue()

        return _captured(setting, work, step, length)

    both = [flushed(work) for work in works]
    alone = [_captured(setting, works[0], lambda: flush(works[0]), length)]
    setting.afterwards.append(lambda: tell_placements(lambda graph: launch([graph]) - launch(alone), both))
    return lambda: launch(both) - launch(alone)


def _enqueue(setting: _Setting) -> Callable[[], float]:
    stopwatch = _stopwatch(setting)
    flush = _flusher(setting) if setting.plan.cold_l2 else None

    def once() -> float:
        if flush is not None:
            flush(setting.works[0])
        return stopwatch(setting.works[0].enqueue)

    return once


def _end_to_end(setting: _Setting) -> Callable[[], float]:
    work, stopwatch = setting.works[0], _stopwatch(setting)

    flush = _flusher(setting) if setting.plan.cold_l2 else None

    def there_and_back() -> None:
        work.upload()
        work.enqueue()
        work.download()

    def once() -> float:
        if flush is not None:
            flush(work)
        return stopwatch(there_and_back)

    return once


def _kernel(setting: _Setting) -> Callable[[], float]:
    """Traces the kernels of graphs of enqueues, so that they follow each other as in mode graph."""
    works, stream = setting.works, setting.stream
    flush = _flusher(setting) if setting.plan.cold_l2 else None

    def step_of(work: GpuWork) -> Callable[[], None]:
        def step() -> None:
            if flush is not None:
                flush(work)
            work.enqueue()

        return step

    graphs = [_captured(setting, work, step_of(work), TRACE_ENQUEUES) for work in works]
    trace = setting.scope.enter_context(KernelTrace())
    totals: dict[str, float] = {}
    placed = [0.0] * len(works)
    gaps: list[float] = []
    enqueues = TRACE_ENQUEUES * len(works)

    def once() -> float:
        for graph in graphs:
            graph.launch(stream)
        stream.synchronize()
        kernels = trace.take()
        share = len(kernels) // enqueues
        if share == 0 or len(kernels) != share * enqueues:
            raise RuntimeError(f"CUPTI recorded {len(kernels)} kernels for {enqueues} enqueues")
        each = share * TRACE_ENQUEUES
        gaps.append(fmean(idle(kernels[start : start + each]) for start in range(0, len(kernels), each)))
        for number, kernel in enumerate(kernels):
            totals[kernel.name] = totals.get(kernel.name, 0.0) + kernel.seconds
            placed[number // each] += kernel.seconds
        traced = len(gaps) * enqueues
        setting.facts["kernels"] = [
            {"name": name, "seconds": total / traced, "class": classify(name)} for name, total in totals.items()
        ]
        setting.facts["nodes"] = share
        setting.facts["idle_s"] = median(gaps)
        setting.facts["placements"] = [total / (len(gaps) * TRACE_ENQUEUES) for total in placed]
        return sum(kernel.seconds for kernel in kernels) / enqueues

    return once


_SAMPLERS: dict[Mode, Callable[[_Setting], Callable[[], float]]] = {
    "graph": _graph,
    "enqueue": _enqueue,
    "end_to_end": _end_to_end,
    "kernel": _kernel,
}
