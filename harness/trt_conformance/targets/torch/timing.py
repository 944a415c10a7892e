"""Times PyTorch on a GPU: many calls in one CUDA graph between two events, divided by their number.

Which kernels ran is what PyTorch's profiler records.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

from trt_conformance.targets.device.clocks import Clocks
from trt_conformance.targets.device.kernels import classify
from trt_conformance.targets.errors import Unsupported
from trt_conformance.targets.timing import quick
from trt_conformance.targets.timing.gpu import ALONE, MAX_GRAPH, PLACEMENTS, graph_length, sample_clocks
from trt_conformance.targets.timing.measurement import Measurement, TimingPlan
from trt_conformance.targets.timing.sampling import collect

TRACED = 20


def measure(prepare: Callable[[], Callable[[], Any]], plan: TimingPlan) -> Measurement:
    """Time calls that ``prepare`` gives, each on tensors of its own.

    Several are captured in a graph each, and a sample is their mean, as in `targets.timing.gpu`. For a cold
    cache, as many as hold twice the L2 cache take turns in one graph.

    Raises:
        Unsupported: another mode than graph, or cold weights with a warm input.
    """
    if plan.cold == "weights":
        raise Unsupported("PyTorch's caches are emptied for all tensors, not for the weights alone")
    if plan.mode != "graph":
        raise Unsupported(f"PyTorch cannot be timed in mode {plan.mode}, only in mode graph")
    calls, notes = _calls(prepare, plan.cold_l2)
    seconds = _stopwatch()
    length = _length(min(seconds(calls[0]) for _ in range(5)), len(calls), plan)
    graphs = [_Captured(turns, length) for turns in ([calls] if plan.cold_l2 else [[call] for call in calls])]
    clocks, read = Clocks(), list[int | None]()

    def launch(some: Sequence[_Captured]) -> float:
        """Seconds of one call."""
        return seconds(lambda: [one.graph.replay() for one in some]) / (length * len(some))

    def sample() -> float | None:
        taken, clock = launch(graphs), clocks.read()
        if clocks.is_too_low(clock):
            return None
        read.append(clock)
        return taken

    samples, discarded, stopped = collect(sample, plan)
    facts: dict[str, Any] = {
        "transfers": False,
        "graph_length": length,
        "placements": [median(launch([one]) for _ in range(ALONE)) for one in graphs],
        "rotation": len(calls) // len(graphs),
        "clocks": clocks.facts(),
        "notes": notes,
        **sample_clocks(read[len(read) - len(samples) :]),
    }
    if plan.effort == "full":  # the profiler takes much longer than a quick latency
        facts["kernels"] = kernels(calls[0])
    return Measurement(plan.mode, plan.cold_l2, tuple(samples), discarded, stopped, facts)


def _stopwatch() -> Callable[[Callable[[], object]], float]:
    """What gives the seconds between two events around an action."""
    import torch

    first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))

    def seconds(action: Callable[[], object]) -> float:
        first.record()
        action()
        last.record()
        last.synchronize()
        return float(first.elapsed_time(last)) * 1e-3

    return seconds


def _length(call_s: float, calls: int, plan: TimingPlan) -> int:
    """How many calls a graph holds, of which one takes ``call_s`` seconds."""
    length = quick.graph_length(call_s, calls) if plan.effort == "quick" else graph_length(call_s)
    return max(length, calls) if plan.cold_l2 else length


class _Captured:
    """A CUDA graph of calls that take turns."""

    def __init__(self, turns: Sequence[Callable[[], Any]], length: int) -> None:
        import torch

        self.graph, self._outputs = torch.cuda.CUDAGraph(), [None] * len(turns)
        with torch.cuda.graph(self.graph):
            for index in range(length):
                # The last output of each call is held, so that calls in turn write to different memory.
                self._outputs[index % len(turns)] = turns[index % len(turns)]()


def _calls(prepare: Callable[[], Callable[[], Any]], cold: bool) -> tuple[list[Callable[[], Any]], list[str]]:
    """Calls on tensors of their own, each run until cuDNN has chosen its algorithm; and what to know of them."""
    import torch

    before = torch.cuda.memory_allocated()
    calls = [prepare()]
    output = calls[0]()
    used = torch.cuda.memory_allocated() - before
    wanted = math.ceil(2 * torch.cuda.get_device_properties(0).L2_cache_size / used) if cold else PLACEMENTS
    calls += [prepare() for _ in range(min(wanted, MAX_GRAPH) - 1)]
    for call in calls:
        call()
    torch.cuda.synchronize()
    del output
    return calls, [f"{MAX_GRAPH} copies do not fill the cache twice: partly warm"] if wanted > MAX_GRAPH else []


def kernels(call: Callable[[], Any], times: int = TRACED) -> list[dict[str, Any]]:
    """The kernels of one call, with the mean of their seconds."""
    import torch
    from torch.autograd import DeviceType
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CUDA]) as trace:
        for _ in range(times):
            call()
        torch.cuda.synchronize()
    return [
        {"name": e.key, "seconds": e.self_device_time_total * 1e-6 / times, "class": classify(e.key)}
        for e in trace.key_averages()
        if e.device_type == DeviceType.CUDA and e.self_device_time_total > 0
    ]
