"""Times an engine on the GPU briefly: in about 10 ms, with its tensors in several places of memory.

Each place has a CUDA graph of many enqueues. A round launches the graphs of all places one after another, with an
event between them; a sample is the mean of a round. The SM clock is read while the GPU works on a round, so reading it
costs no time. No engine is loaded for it, unlike in `targets.timing.gpu`: the weights stay where they are.

Between an event and a graph's first kernel lie one or two microseconds, which is up to 1 % of a graph of 0.2 ms. The
graphs of a full latency are ten times as long. This is one reason why the two are never compared.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from itertools import pairwise
from statistics import fmean, median
from typing import Any, Protocol

from trt_conformance.targets.device import cuda
from trt_conformance.targets.device.clocks import Clocks
from trt_conformance.targets.timing.gpu import sample_clocks
from trt_conformance.targets.timing.kernel_durations import KernelDurations
from trt_conformance.targets.timing.measurement import QUICK_S, Measurement, TimingPlan

PLACES = 5
ROUNDS = 8
FEWEST_ROUNDS = 6
"""Six samples are the fewest that bound a median with 95 % confidence."""
FEWEST_PLACES = 2
READ_S = 1.5e-3
"""The duration from which the clock is read only in the first and the last round."""
WARM_ROUNDS = 2
WARMUP_S = 0.1
"""The longest wait for the clock of a GPU that was idle."""
PROBE = 16
"""Enqueues in the graph with which the duration of one is estimated."""
LONG = 1e-4
"""The duration of an enqueue that can be timed roughly without a graph."""
MAX_LENGTH = 200
_DURATIONS = KernelDurations()


class Place(Protocol):
    """One engine with its tensors in one place of memory."""

    stream: cuda.Stream

    def take(self) -> None:
        """Let later enqueues use this place."""
        ...

    def enqueue(self) -> None: ...
    def close(self) -> None: ...


def graph_length(seconds: float, places: int) -> int:
    """How many enqueues of this duration the graph of each place has."""
    return max(1, min(MAX_LENGTH, int(QUICK_S / (ROUNDS * places * max(seconds, 1e-7)))))


def extent(seconds: float) -> tuple[int, int]:
    """Places and rounds for an enqueue of this duration: fewer if one enqueue in each takes too long."""
    places = max(FEWEST_PLACES, min(PLACES, int(QUICK_S / (FEWEST_ROUNDS * max(seconds, 1e-7)))))
    rounds = max(FEWEST_ROUNDS, min(ROUNDS, int(QUICK_S / (places * max(seconds, 1e-7)))))
    return places, rounds


def measure(new_place: Callable[[], Place], plan: TimingPlan, unmoved: Sequence[str] = ("weights",)) -> Measurement:
    """A quick latency in mode graph. Samples are seconds for one enqueue.

    Args:
        new_place: gives the engine a further place in memory; all places have one stream.
        unmoved: what is in the same memory in all places.

    Raises:
        CudaError: CUDA failed.
        ValueError: the plan asks for another mode, or a cold cache.
    """
    if plan.mode != "graph" or plan.cold_l2:
        raise ValueError(f"a quick latency is of mode graph with warm caches, not of mode {plan.mode}")
    clocks = Clocks()
    with ExitStack() as scope:
        first = scope.enter_context(closing(new_place()))
        seconds, graph = _probed(scope, first)
        number, rounds = extent(seconds)
        length = graph_length(seconds, number)
        places = [first, *(scope.enter_context(closing(new_place())) for _ in range(number - 1))]
        known = [graph] if graph is not None and length == PROBE else [_captured(scope, first, length)]
        graphs = [*known, *(_captured(scope, one, length) for one in places[1:])]
        taken = _sampled(scope, first.stream, graphs, rounds, clocks)
        nodes = graphs[0].nodes // length

        def once() -> None:
            graphs[0].launch()
            first.stream.synchronize()

        traced = _DURATIONS.facts(once, length)
    low = [clock for _, clock in taken if clock is not None and clocks.is_too_low(clock)]
    facts: dict[str, Any] = {
        "transfers": False,
        "graph_length": length,
        "nodes": nodes,
        "placements": [median(one) / length for one in zip(*(each for each, _ in taken), strict=True)],
        "one_place": list(unmoved),
        "clocks": clocks.facts(),
        **sample_clocks([clock for _, clock in taken]),
        **traced,
        "notes": [*traced.get("notes", ()), *([f"the SM clock was low, {min(low)} MHz"] if low else [])],
    }
    return Measurement("graph", False, tuple(fmean(each) / length for each, _ in taken), 0, "limit", facts)


def _probed(scope: ExitStack, place: Place) -> tuple[float, cuda.Graph | None]:
    """Seconds of one enqueue, and the graph of `PROBE` enqueues that told; None if a plain one is long enough."""
    stopwatch = cuda.Stopwatch(place.stream)
    scope.callback(stopwatch.close)
    place.take()
    place.enqueue()
    plain = stopwatch.time(place.enqueue)
    if plain > LONG:  # some 10 microseconds too much, which hardly count here
        return plain, None
    graph = _captured(scope, place, PROBE)
    graph.launch()  # the first launch of a graph uploads it
    return stopwatch.time(graph.launch) / PROBE, graph


def _captured(scope: ExitStack, place: Place, length: int) -> cuda.Graph:
    """A graph of so many enqueues in a place, after a plain one, as TensorRT asks for."""

    def enqueues() -> None:
        for _ in range(length):
            place.enqueue()

    place.take()
    place.enqueue()
    return scope.enter_context(cuda.Graph(place.stream, enqueues))


def _sampled(
    scope: ExitStack, stream: cuda.Stream, graphs: Sequence[cuda.Graph], rounds: int, clocks: Clocks
) -> list[tuple[list[float], int | None]]:
    """Of each round, the seconds of each graph and the SM clock."""
    events = []
    for _ in range(len(graphs) + 1):
        events.append(cuda.Event())
        scope.callback(events[-1].close)

    def launch() -> None:
        events[0].record(stream)
        for graph, event in zip(graphs, events[1:], strict=True):
            graph.launch(stream)
            event.record(stream)

    warm_until = time.monotonic() + WARMUP_S
    for _ in range(WARM_ROUNDS):
        launch()
    events[-1].synchronize()
    while clocks.is_too_low(clocks.read()) and time.monotonic() < warm_until:
        launch()
        events[-1].synchronize()
    taken: list[tuple[list[float], int | None]] = []
    is_slow = False  # to read the clock takes longer than a round
    for number in range(rounds):
        launch()
        began = time.monotonic()
        clock = clocks.read() if not is_slow or number == rounds - 1 else None
        is_slow = is_slow or time.monotonic() - began > READ_S
        events[-1].synchronize()
        taken.append(([after.seconds_since(before) for before, after in pairwise(events)], clock))
    return _filled(taken)


def _filled(taken: list[tuple[list[float], int | None]]) -> list[tuple[list[float], int | None]]:
    """The clock of every round, where it was read in some of them and was the same each time."""
    read = {clock for _, clock in taken if clock is not None}
    return [(each, read.copy().pop()) for each, _ in taken] if len(read) == 1 else taken
