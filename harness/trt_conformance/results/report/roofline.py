"""Rooflines: measured rates against the copy bandwidth and the matrix rate of the same GPU."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from trt_conformance.core.types import Effort
from trt_conformance.numerics.roofline import MEMORY
from trt_conformance.results.report.axis import PlotAxis, Tick
from trt_conformance.results.report.latency_rows import LatencyRow


@dataclass(frozen=True)
class RooflinePoint:
    """A latency in the roofline plot; ``low`` and ``high`` are where its 95th and 5th percentile lie."""

    row: LatencyRow
    x: float
    y: float
    low: float
    high: float


class Roof(NamedTuple):
    """A ceiling as a line."""

    name: str
    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True)
class Roofline:
    """FLOP a second over FLOP for each byte, of one precision on one device, of quick latencies or of full ones.

    ``links`` join a case's targets.
    """

    device: str
    precision: str
    effort: Effort
    points: tuple[RooflinePoint, ...]
    links: tuple[tuple[float, float, float], ...]
    roofs: tuple[Roof, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    left: float = 62
    right: float = 500
    top: float = 14
    bottom: float = 290
    width: float = 520
    height: float = 330


def rooflines(found: Sequence[LatencyRow]) -> tuple[Roofline, ...]:
    """A plot for each precision, device and effort.

    Ceilings are measured beside full latencies of a target, and are drawn above its quick ones too. Of one that was
    measured more than once, the highest counts.
    """
    groups: dict[tuple[str, str, Effort], list[LatencyRow]] = {}
    for one in found:
        if one.intensity:
            groups.setdefault((one.device, one.precision, one.effort), []).append(one)
    plots = []
    for (device, precision, effort), mine in groups.items():
        targets = {one.column for one in mine}
        beside = [one.ceilings for one in found if one.column in targets]
        ceilings = [max((known.get(name, 0.0) for known in beside), default=0.0) for name in (MEMORY, precision)]
        plots.append(_roofline(device, precision, effort, mine, ceilings))
    return tuple(plots)


def _roofline(
    device: str, precision: str, effort: Effort, mine: Sequence[LatencyRow], ceilings: Sequence[float]
) -> Roofline:
    memory, compute = ceilings
    ridge = [compute / memory] if memory and compute else []
    x = PlotAxis([*(one.intensity or 0.0 for one in mine), *ridge], Roofline.left, Roofline.right)
    speeds = [_speed(one, part) for one in mine for part in (one.summary.p5, one.summary.median, one.summary.p95)]
    least = min(one.intensity or math.inf for one in mine)
    tops = [top for top in (compute, min(compute or math.inf, memory * least)) if top]
    y = PlotAxis([*speeds, *tops], Roofline.bottom, Roofline.top, roomy=60)

    points = []
    for one in mine:
        places = (_speed(one, part) for part in (one.summary.median, one.summary.p95, one.summary.p5))
        points.append(RooflinePoint(one, x.at(one.intensity or 0.0), *map(y.at, places)))
    peers: dict[tuple[str, float], list[float]] = {}
    for point in points:
        peers.setdefault((point.row.case, point.x), []).append(point.y)
    return Roofline(
        device,
        precision,
        effort,
        tuple(points),
        tuple((at, min(ys), max(ys)) for (_, at), ys in peers.items() if len(ys) > 1),
        tuple(_roofs(memory, compute, x, y, precision)),
        tuple(Tick(x.at(place), _digits(place)) for place in x.ticks()),
        tuple(Tick(y.at(place), _rate(place)) for place in y.ticks()),
    )


def _speed(one: LatencyRow, taken: float) -> float:
    """FLOP a second; the time of a cold run is a difference, so that single samples may not be positive."""
    return float(one.work["flops"] / taken) if taken > 0 else math.inf


def _roofs(memory: float, compute: float, x: PlotAxis, y: PlotAxis, precision: str) -> Iterator[Roof]:
    """Each ceiling as far as it is the lower one; the axes' ends cut what is beyond them."""
    (left, right), (bottom, top) = x.ends, y.ends
    if memory:
        start = max(left, bottom / memory)
        end = min(right, (compute or top) / memory, top / memory)
        if start < end:
            yield Roof("memory", x.at(start), y.at(start * memory), x.at(end), y.at(end * memory))
    if compute:
        start = min(right, max(left, compute / memory)) if memory else left
        yield Roof(f"{precision} compute", x.at(start), y.at(compute), x.at(right), y.at(compute))


def _rate(flops_per_s: float) -> str:
    """FLOP a second in the unit that fits: ``20 T``."""
    for sign, size in (("P", 1e15), ("T", 1e12), ("G", 1e9), ("M", 1e6)):
        if flops_per_s >= 0.9995 * size:
            return f"{_digits(flops_per_s / size)} {sign}"
    return _digits(flops_per_s)


def _digits(value: float) -> str:
    """A number in three digits: ``10000``, ``0.125``."""
    return f"{float(f'{value:.3g}'):g}"
