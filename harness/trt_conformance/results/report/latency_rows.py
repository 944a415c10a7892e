"""The latencies of a report, one row for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from trt_conformance.core.types import Effort
from trt_conformance.core.verdict import Verdict
from trt_conformance.core.words import cache_word, percent, seconds
from trt_conformance.numerics.samples import Summary, summarize
from trt_conformance.results.latency.models import ModelLatency, model_latencies
from trt_conformance.results.latency.recorded import device_of, effort_of
from trt_conformance.results.report.view import Column, View

LARGEST = 3
"""How many layers of a model are named."""
SERIES = 6
"""The number of styles that distinguish targets; after these they repeat."""


@dataclass(frozen=True, eq=False)
class LatencyRow:
    """One measured latency. Its rates follow from the median, so the relative error of the median is theirs."""

    column: Column
    series: int
    device: str
    verdict: Verdict

    @cached_property
    def summary(self) -> Summary:
        return summarize(self.samples)

    @property
    def samples(self) -> Sequence[float]:
        found: list[float] = self.verdict.figures["samples"]
        return found

    @property
    def case(self) -> str:
        return self.verdict.case

    @property
    def mode(self) -> str:
        """What was timed: ``graph``, or ``quick graph``."""
        mode = str(self.verdict.figures.get("mode", "")).replace("_", " ")
        return f"quick {mode}" if self.effort == "quick" else mode

    @property
    def effort(self) -> Effort:
        """How long it was measured."""
        return effort_of(self.verdict)

    @property
    def relative_error(self) -> float:
        """The standard error of the median as a fraction; of a quick latency with what its places in memory leave."""
        stated = self.verdict.figures.get("uncertainty")
        return self.summary.error if stated is None else float(stated)

    @property
    def words(self) -> str:
        """``graph, warm: 67.1 µs ±0.3 %``."""
        return f"{self.mode}, {self.cache}: {seconds(self.summary.median)} {self.error}"

    @property
    def occurrences(self) -> int | None:
        """How often the layer occurs in its model."""
        return self.verdict.figures.get("occurrences")

    @property
    def cache(self) -> str:
        return cache_word(self.verdict.figures)

    @property
    def work(self) -> Mapping[str, Any]:
        return self.verdict.figures.get("work") or {}

    @property
    def precision(self) -> str:
        return str(self.work.get("precision", ""))

    @property
    def error(self) -> str:
        """The standard error of the median."""
        return f"±{percent(self.relative_error)}"

    @property
    def flops_per_s(self) -> float | None:
        return self.work["flops"] / self.summary.median if self.work.get("flops") else None

    @property
    def bytes_per_s(self) -> float | None:
        return self.work["bytes"] / self.summary.median if self.work.get("bytes") else None

    @property
    def intensity(self) -> float | None:
        """FLOP for each byte."""
        return self.work["flops"] / self.work["bytes"] if self.flops_per_s and self.bytes_per_s else None

    @property
    def floor(self) -> tuple[float, str] | None:
        """How much of the median the floor explains, and which ceiling sets the floor."""
        floor = self.verdict.figures.get("floor")
        return (floor["seconds"] / self.summary.median, floor["bound"]) if floor else None

    @property
    def ceilings(self) -> Mapping[str, float]:
        return (self.verdict.figures.get("facts") or {}).get("ceilings") or {}

    @property
    def _kernels(self) -> list[dict[str, Any]]:
        return self.verdict.figures.get("kernels") or []

    @property
    def reformat(self) -> float | None:
        """The part of the traced kernels' time that goes into copies between layouts."""
        total = sum(kernel["seconds"] for kernel in self._kernels)
        copies = sum(kernel["seconds"] for kernel in self._kernels if kernel.get("class") == "reformat")
        return copies / total if total else None

    @property
    def kernel(self) -> str:
        """The kernel that the engine reports, or else the traced kernel that takes longest and is not a reformat."""
        traced = [kernel for kernel in self._kernels if kernel.get("class") != "reformat"] or self._kernels
        longest = max(traced, key=lambda kernel: float(kernel["seconds"]), default={"name": ""})
        return str(self.verdict.figures.get("kernel") or longest["name"])

    @property
    def notes(self) -> tuple[str, ...]:
        figures = self.verdict.figures
        notes = [str(note) for note in figures.get("notes") or ()]
        if figures.get("stopped") == "limit":
            notes.insert(0, "unstable")
        running = sum(kernel["seconds"] for kernel in self._kernels)
        if figures.get("mode") == "enqueue" and 0 < running < self.summary.median / 2:
            notes.insert(0, "enqueue-bound")
        return tuple(dict.fromkeys(notes))


@dataclass(frozen=True, eq=False)
class ModelRow:
    """The latency of a model's layers on a target."""

    column: Column
    device: str
    found: ModelLatency

    @property
    def mode(self) -> str:
        """What was timed: ``graph``, or ``quick graph``."""
        mode = self.found.key.mode.replace("_", " ")
        return f"quick {mode}" if self.found.key.effort == "quick" else mode

    @property
    def largest(self) -> str:
        """The layers that take most of the time, with their parts."""
        shares = list(self.found.shares.items())[:LARGEST]
        return ", ".join(f"{case.partition('/')[2].rpartition('-')[0]} {percent(part)}" for case, part in shares)


def model_rows(view: View) -> tuple[ModelRow, ...]:
    """The models of the runs, one row for each target and way of timing."""
    return tuple(
        ModelRow(column, device_of(view.records[column.run - 1]), found)
        for column in view.targets
        for found in model_latencies(column.verdicts)
    )


def latency_rows(view: View) -> tuple[LatencyRow, ...]:
    """All latencies of the runs, those of one case next to each other."""
    place = {case: index for index, case in enumerate(view.cases)}
    found = []
    for number, column in enumerate(view.targets):
        device = device_of(view.records[column.run - 1])
        for verdict in column.verdicts:
            if verdict.phase == "latency" and verdict.status in ("pass", "fallback") and verdict.figures.get("samples"):
                found += [LatencyRow(column, number % SERIES, device, verdict)]
    return tuple(sorted(found, key=lambda row: (place.get(row.case, len(place)), row.case, row.precision)))
