"""The latencies of whole models as the gate compares them: each is one timing, the sum over the model's layers.

The samples of different layers are independent, so the errors of the layers add as those of independent measurements.
What varies between runs may be common to all layers; the gate assumes of it as much as of a single layer, or measures
it in repeated runs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from trt_conformance.core.target_name import TargetName
from trt_conformance.numerics.samples import summarize
from trt_conformance.results.latency.models import ModelLatency, model_latencies, whole
from trt_conformance.results.latency.recorded import Key, Timing, timings
from trt_conformance.results.record.record import Record


def model_timings(record: Record) -> dict[Key, Timing]:
    """The sums of a record's whole models, under the models' names with the numbers of their convolutions."""
    models = whole(model_latencies(record.verdicts))
    if not models:
        return {}
    layers = timings(record)
    return {_key(model): _sum(model, {case: layers[_key(model, case)] for case in model.counts}) for model in models}


def model_medians(record: Record) -> dict[Key, float]:
    """The sums alone, in seconds."""
    return {_key(model): model.seconds for model in whole(model_latencies(record.verdicts))}


def _key(model: ModelLatency, case: str = "") -> Key:
    """The key of a model, or of one of its layers."""
    about = model.key
    return Key(case or model.title, TargetName.parse(about.target).flavor, about.mode, about.cache, about.effort)


def _sum(model: ModelLatency, layers: Mapping[str, Timing]) -> Timing:
    """The layers as one timing. Its ``placements`` only say whether each layer was timed at several places in memory.

    What the places leave of each layer is in the error of the sum.
    """
    errors = [
        model.counts[case] * timing.summary.median * max(timing.summary.error, timing.placing)
        for case, timing in layers.items()
    ]
    summary = replace(
        summarize([model.seconds]),
        count=min(timing.summary.count for timing in layers.values()),
        error=math.sqrt(sum(error**2 for error in errors)) / model.seconds,
    )
    is_placed = all(len(timing.placements) > 1 for timing in layers.values())
    return Timing(
        target=model.key.target,
        summary=summary,
        kernels={},
        yardstick=_median([timing.yardstick for timing in layers.values()]),
        placements=(model.seconds, model.seconds) if is_placed else (),
        cycles=_cycles(model.counts, layers),
    )


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value]
    return float(np.median(known)) if known else None


def _cycles(counts: Mapping[str, int], layers: Mapping[str, Timing]) -> float | None:
    """The clock cycles of the sum; None if those of a layer are not known."""
    total = 0.0
    for case, timing in layers.items():
        if timing.cycles is None:
            return None
        total += counts[case] * timing.cycles
    return total
