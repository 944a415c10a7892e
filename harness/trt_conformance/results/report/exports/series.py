"""What several formats share: names that stay the same from run to run, and the latencies of a view."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from trt_conformance.core.target_name import TargetName
from trt_conformance.core.verdict import Verdict
from trt_conformance.results.latency.models import ModelLatency, model_latencies, whole
from trt_conformance.results.latency.recorded import Key, Timing, timings
from trt_conformance.results.report.view import Column, View


def series_names(view: View) -> Mapping[Column, str]:
    """By target, the name under which other programs follow it over many runs.

    That is its name without version and GPU, so that a series continues after an upgrade; the whole name where
    several targets of the view would share it.
    """
    flavors = {column: TargetName.parse(column.target).flavor for column in view.columns}
    shared = Counter(flavors.values())
    return {column: column.name if shared[flavor] > 1 else flavor for column, flavor in flavors.items()}


def models_of(view: View) -> Iterator[tuple[Column, ModelLatency]]:
    """The latency of each whole model on each target."""
    for column in view.targets:
        for found in whole(model_latencies(column.verdicts)):
            yield column, found


@dataclass(frozen=True)
class Latency:
    """One latency of a target, its verdict, and the name of its series."""

    column: Column
    key: Key
    timing: Timing
    verdict: Verdict
    series: str

    @property
    def error(self) -> float:
        """The standard error of the median as a fraction of it; of a quick latency, with what its places leave."""
        samples = self.timing.summary.error
        return max(samples, self.timing.placing) if self.key.effort == "quick" else samples


def latencies(view: View) -> Iterator[Latency]:
    """Every latency in the order of the records; the last one where a run measured the same thing twice."""
    names = series_names(view)
    for column in view.targets:
        found: dict[Key, tuple[Timing, Verdict]] = {}
        for verdict in column.verdicts:
            measured = timings(replace(view.records[column.run - 1], verdicts=(verdict,)))
            found |= {key: (timing, verdict) for key, timing in measured.items()}
        for key, (timing, verdict) in found.items():
            yield Latency(column, key, timing, verdict, f"{key.case} on {names[column]}, {key.timing_mode}")
