"""The latencies of a run record, as they are compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from trt_conformance.core.target_name import TargetName
from trt_conformance.core.types import Effort, Mode
from trt_conformance.core.verdict import Verdict
from trt_conformance.core.words import cache_word
from trt_conformance.numerics.samples import Summary, placing_error, summarize
from trt_conformance.results.record.record import Record

SameKernels = Literal["same kernel", "other kernel", "unknown"]

# Where a kernel's name comes from: the trace of a run, the engine's layers, or its convolution alone.
_SOURCES = {"kernels": "name", "layers": "kernel", "kernel": ""}


class Key(NamedTuple):
    """What must agree for two latencies to be compared.

    ``family`` is a target's name without version and GPU; ``cache`` is warm, cold, or cold weights.
    """

    case: str
    family: str
    mode: Mode
    cache: str
    effort: Effort = "full"

    @property
    def timing_mode(self) -> str:
        """``graph, warm``; ``quick graph, warm`` of a quick latency."""
        mode = f"quick {self.mode}" if self.effort == "quick" else self.mode
        return f"{mode}, {self.cache}"

    def __str__(self) -> str:
        return f"{self.case} [{self.family}, {self.timing_mode}]"


@dataclass(frozen=True)
class Timing:
    """One latency: of which target, its samples' summary, kernel names by source, and the yardstick in seconds.

    ``cycles`` is the median of the samples, each times its SM clock; None if the clocks were not recorded.
    ``placements`` are the medians of copies at other places in memory, where there were several. ``weights_stay``:
    the weights were in one place throughout.
    """

    target: str
    summary: Summary
    kernels: Mapping[str, frozenset[str]]
    yardstick: float | None
    placements: tuple[float, ...] = ()
    weights_stay: bool = False
    cycles: float | None = None

    @property
    def placing(self) -> float:
        """The standard error that the places of tensors in memory leave, as a fraction of the median."""
        return placing_error(self.placements, self.weights_stay)


def timings(record: Record) -> dict[Key, Timing]:
    """The latencies of a record."""
    return {_key(verdict): _timing(verdict) for verdict in record.verdicts if _is_latency(verdict)}


def medians(record: Record) -> dict[Key, float]:
    """The medians alone, in seconds."""
    return {_key(v): float(np.median(v.figures["samples"])) for v in record.verdicts if _is_latency(v)}


def device_of(record: Record) -> str:
    """The GPU of a run, or the machine where there is none."""
    environment = record.header.environment
    return environment.device.gpu or f"{environment.machine or 'a machine'} without a GPU"


def kernel_change(before: Timing, after: Timing) -> tuple[SameKernels, tuple[str, ...], tuple[str, ...]]:
    """Whether both ran the same kernels, by the best source that both have; and the names of one side alone."""
    for source in _SOURCES:
        if source in before.kernels and source in after.kernels:
            old, new = before.kernels[source], after.kernels[source]
            same: SameKernels = "same kernel" if old == new else "other kernel"
            return same, tuple(sorted(old - new)), tuple(sorted(new - old))
    return "unknown", (), ()


def effort_of(verdict: Verdict) -> Effort:
    """How long a latency was measured. Older records know full latencies only."""
    return "quick" if verdict.figures.get("effort") == "quick" else "full"


def _is_latency(verdict: Verdict) -> bool:
    measured = verdict.phase == "latency" and verdict.status in ("pass", "fallback")
    return measured and bool(verdict.figures.get("samples")) and "mode" in verdict.figures


def _key(verdict: Verdict) -> Key:
    figures, family = verdict.figures, TargetName.parse(verdict.target).flavor
    return Key(verdict.case, family, figures["mode"], cache_word(figures), effort_of(verdict))


def _timing(verdict: Verdict) -> Timing:
    figures, facts = verdict.figures, verdict.figures.get("facts") or {}
    kernels = {source: _names(figures.get(source), name) for source, name in _SOURCES.items()}
    return Timing(
        target=verdict.target,
        summary=summarize(figures["samples"]),
        kernels={source: names for source, names in kernels.items() if names},
        yardstick=float(np.median(figures["yardstick"])) if figures.get("yardstick") else None,
        placements=tuple(facts.get("placements", ())),
        weights_stay="weights" in (facts.get("one_place") or ()),
        cycles=_cycles(figures["samples"], facts.get("sample_mhz")),
    )


def _cycles(samples: Sequence[float], mhz: int | Sequence[int] | None) -> float | None:
    """The median number of clock cycles; None if the clock of a sample is not known."""
    clocks = np.asarray(mhz or [], dtype=np.float64)
    if not clocks.size or (clocks.ndim and clocks.size != len(samples)):
        return None
    return float(np.median(np.asarray(samples) * clocks * 1e6))


def _names(given: Any, name: str) -> frozenset[str]:
    if isinstance(given, str):
        return frozenset({given} - {""})
    return frozenset(part[name] for part in given or () if part.get(name))
