"""A run in Prometheus's text format."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from prometheus_client import generate_latest
from prometheus_client.core import GaugeMetricFamily

from trt_conformance.core.types import PHASES
from trt_conformance.results.bound_use import precision_of, right_fraction
from trt_conformance.results.claims import WORDS
from trt_conformance.results.engine_costs import engine_costs
from trt_conformance.results.record.record import Record
from trt_conformance.results.report.exports.series import Latency, latencies, models_of
from trt_conformance.results.report.view import ORDER, View
from trt_conformance.results.summary import outcome

Samples = Iterable[tuple[Mapping[str, str], float]]


def prometheus(view: View) -> str:
    """Gauges for a textfile collector or a push gateway."""
    return generate_latest(_Gauges(view)).decode("utf-8")


class _Gauges:
    """What `generate_latest` reads of a registry. A real one would have to be emptied for the next view."""

    def __init__(self, view: View) -> None:
        self._view = view

    def collect(self) -> Iterator[GaugeMetricFamily]:
        view = self._view
        runs = list(enumerate(view.records, start=1))
        measured = list(latencies(view))
        fractions = "Largest fraction of an error bound that a right output uses, by target and precision."
        for name, about, samples in (
            ("checks", "Checks by target, phase and outcome.", _checks(view)),
            (
                "checks_known_today",
                "Checks that failed when run and are known differences today, by target.",
                _known_today(view),
            ),
            ("claims", "Claims by target, document and state.", _claims(view)),
            ("bound_fraction_max", fractions, _fractions(view)),
            ("latency_seconds", "Median latency by target, case, mode and cache.", _medians(measured)),
            ("latency_error_seconds", "Standard error of the median latency.", _errors(measured)),
            ("engine_bytes", "Sizes of an engine by target, case and kind.", _sizes(view)),
            (
                "engine_build_seconds",
                "Seconds of a build, now or before it was cached.",
                _builds(view),
            ),
            ("model_latency_seconds", "Sum of a model's layers, each times how often it occurs.", _models(view)),
            ("run_info", "Where a run ran.", (({"run": str(n)} | _info(record), 1) for n, record in runs)),
            (
                "run_complete",
                "1, or 0 where a run did not finish.",
                (({"run": str(n)}, record.complete) for n, record in runs),
            ),
            (
                "run_start_time_seconds",
                "When a run started.",
                (({"run": str(n)}, _start(record)) for n, record in runs),
            ),
        ):
            yield from _family(f"trt_conformance_{name}", about, samples)


def _family(name: str, about: str, samples: Samples) -> Iterator[GaugeMetricFamily]:
    """A gauge with its samples; none where it has no sample."""
    given = list(samples)
    if given:
        family = GaugeMetricFamily(name, about, labels=list(given[0][0]))
        for labels, value in given:
            family.add_metric([_utf8(text) for text in labels.values()], float(value))
        yield family


def _checks(view: View) -> Iterator[tuple[Mapping[str, str], float]]:
    for column in view.columns:
        found = Counter((str(verdict.phase), outcome(verdict)) for verdict in column.verdicts)
        for phase in PHASES:
            for status in ORDER:
                if found[phase, status] or (status in ("fail", "error") and phase == "compare"):
                    yield {"target": column.name, "phase": phase, "outcome": status}, found[phase, status]


def _known_today(view: View) -> Iterator[tuple[Mapping[str, str], float]]:
    for column in view.targets:
        yield {"target": column.name}, view.known_today(column).known


def _claims(view: View) -> Iterator[tuple[Mapping[str, str], float]]:
    for column in view.targets:
        for document in view.documents:
            found = view.claim_counts(column, document)
            for state in WORDS:
                yield {"target": column.name, "document": document.name, "state": state}, found[state]


def _fractions(view: View) -> Iterator[tuple[Mapping[str, str], float]]:
    largest: dict[tuple[str, str], float] = {}
    for column in view.targets:
        for verdict in column.verdicts:
            if (used := right_fraction(verdict)) is not None:
                key = (column.name, precision_of(verdict.case))
                largest[key] = max(largest.get(key, 0.0), used)
    for (target, precision), fraction in largest.items():
        yield {"target": target, "precision": precision}, fraction


def _medians(measured: Sequence[Latency]) -> Iterator[tuple[Mapping[str, str], float]]:
    for latency in measured:
        yield _labels(latency), latency.timing.summary.median


def _errors(measured: Sequence[Latency]) -> Iterator[tuple[Mapping[str, str], float]]:
    for latency in measured:
        if math.isfinite(latency.error):  # not of a single sample
            yield _labels(latency), latency.timing.summary.median * latency.error


def _sizes(view: View) -> Iterator[tuple[Mapping[str, str], float]]:
    for column in view.targets:
        for cost in engine_costs(column.verdicts):
            sizes = {
                "plan": cost.plan,
                "weights": cost.weights,
                "stored_weights": cost.stored,
                "device_memory": cost.device_memory,
                "workspace": cost.workspace,
            }
            for kind, size in sizes.items():
                if size is not None:
                    yield {"target": column.name, "case": cost.case, "kind": kind}, size


def _builds(view: View) -> Iterator[tuple[Mapping[str, str], float]]:
    for column in view.targets:
        for cost in engine_costs(column.verdicts):
            if cost.build_s is not None:
                yield {"target": column.name, "case": cost.case, "engine": cost.engine}, cost.build_s


def _models(view: View) -> Iterator[tuple[Mapping[str, str], float]]:
    for column, model in models_of(view):
        key = model.key
        labels = {"target": column.name, "model": key.name, "mode": key.mode, "cache": key.cache}
        yield labels | {"effort": key.effort}, model.seconds


def _labels(latency: Latency) -> dict[str, str]:
    key = latency.key
    labels = {"target": latency.column.name, "case": key.case, "mode": key.mode, "cache": key.cache}
    return labels | {"effort": key.effort}


def _info(record: Record) -> dict[str, str]:
    environment = record.header.environment
    return {
        "targets": " ".join(record.header.targets),
        "gpu": environment.device.gpu or "",
        "driver": environment.device.driver or "",
        "commit": environment.source.commit or "",
    }


def _start(record: Record) -> float:
    return datetime.fromisoformat(record.header.started).timestamp()


def _utf8(text: str) -> str:
    """The text with an escape for half a surrogate pair, which UTF-8 cannot encode."""
    return text.encode("utf-8", errors="backslashreplace").decode("utf-8")
