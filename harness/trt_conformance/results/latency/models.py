"""The latency of whole models: the sum over their layers of the median times how often the layer occurs.

The layers of a model are the cases of one file that say how often they occur. Sums are of layers that were timed in the
same way, in one precision and batch size. Other operations of a model are not included.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from trt_conformance.core.check_names import QUICK_LATENCY
from trt_conformance.core.types import Effort, Mode
from trt_conformance.core.verdict import Verdict
from trt_conformance.core.words import cache_word, counted
from trt_conformance.numerics.samples import summarize
from trt_conformance.results.bound_use import precision_of
from trt_conformance.results.latency.recorded import effort_of

_EFFORTS: Mapping[str, Effort] = {"latency": "full", QUICK_LATENCY: "quick"}
_Untimed = dict[tuple[str, str, str, Effort], list[str]]
"""Cases without a latency, by model, precision, target and effort."""


class ModelKey(NamedTuple):
    """What the layers of a sum have in common. ``batch`` is None if the file states no batch size."""

    model: str
    precision: str
    batch: int | None
    target: str
    mode: Mode
    cache: str
    effort: Effort

    @property
    def timing_mode(self) -> str:
        """``graph, warm``; ``quick graph, warm`` of quick latencies."""
        return f"{'quick ' * (self.effort == 'quick')}{self.mode}, {self.cache}"

    @property
    def name(self) -> str:
        """``resnet50_n8-fp16``: as its layers' ids, without the layer."""
        return f"{self.model}{'' if self.batch is None else f'_n{self.batch}'}-{self.precision}"


@dataclass(frozen=True)
class ModelLatency:
    """The sum for a model: of ``convolutions`` in ``layers`` different ones, in seconds.

    ``error`` is the standard error of the sum as a fraction of it. ``shares`` is the part of each layer, largest first,
    and ``counts`` how often it occurs. ``missing`` are layers that have no latency here, so that the sum is not that of
    the whole model.
    """

    key: ModelKey
    convolutions: int
    layers: int
    seconds: float
    error: float
    shares: Mapping[str, float]
    missing: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """``resnet50_n8-fp16 (53 convolutions)``: sums of other convolutions have other titles."""
        return f"{self.key.name} ({counted(self.convolutions, 'convolution')})"

    @property
    def text(self) -> str:
        """``53 convolutions in 20 layers``, and how many layers are missing."""
        missing = f"; {counted(len(self.missing), 'layer')} without a latency" if self.missing else ""
        return f"{counted(self.convolutions, 'convolution')} in {counted(self.layers, 'layer')}{missing}"


@dataclass
class _Sum:
    medians: dict[str, float] = field(default_factory=dict)
    errors: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)


def model_latencies(verdicts: Iterable[Verdict]) -> list[ModelLatency]:
    """The sums for all models in the verdicts of one run, in the order of their first layers."""
    sums: dict[ModelKey, _Sum] = {}
    without: _Untimed = {}
    for verdict in verdicts:
        figures, model = verdict.figures, verdict.case.partition("/")[0]
        occurrences = figures.get("occurrences")
        timed = verdict.phase == "latency" and verdict.status in ("pass", "fallback") and bool(figures.get("samples"))
        if timed and occurrences:
            key = ModelKey(
                model,
                precision_of(verdict.case),
                figures.get("batch"),
                verdict.target,
                figures["mode"],
                cache_word(figures),
                effort_of(verdict),
            )
            summary = summarize(figures["samples"])
            found = sums.setdefault(key, _Sum())
            found.medians[verdict.case] = summary.median
            found.errors[verdict.case] = summary.median * float(figures.get("uncertainty", summary.error))
            found.counts[verdict.case] = occurrences
        elif verdict.check in _EFFORTS and not timed:
            place = (model, precision_of(verdict.case), verdict.target, _EFFORTS[verdict.check])
            without.setdefault(place, []).append(verdict.case)
    return [_model_latency(key, found, without) for key, found in sums.items()]


def whole(found: Iterable[ModelLatency]) -> list[ModelLatency]:
    """Those of whole models, which can be compared from run to run."""
    return [each for each in found if not each.missing]


def _model_latency(key: ModelKey, found: _Sum, without: _Untimed) -> ModelLatency:
    parts = {case: found.counts[case] * median for case, median in found.medians.items()}
    total = sum(parts.values())
    error = math.sqrt(sum((found.counts[case] * error) ** 2 for case, error in found.errors.items()))
    shares = sorted(parts.items(), key=lambda part: -part[1])
    suffix = "" if key.batch is None else f"_n{key.batch}-"
    missing = (case for case in without.get((key.model, key.precision, key.target, key.effort), ()) if suffix in case)
    return ModelLatency(
        key=key,
        convolutions=sum(found.counts.values()),
        layers=len(parts),
        seconds=total,
        error=error / total if total else 0.0,
        shares={case: part / total if total else 0.0 for case, part in shares},
        missing=tuple(dict.fromkeys(case for case in missing if case not in parts)),
        counts=dict(found.counts),
    )
