"""A run in Prometheus's text format."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from trt_conformance.core.types import PHASES
from trt_conformance.results.record.record import Record
from trt_conformance.results.report.view import ORDER, WORDS, Column, View
from trt_conformance.results.summary import outcome


def prometheus(view: View) -> str:
    """Gauges for a textfile collector or a push gateway."""
    lines: list[str] = []

    def metric(name: str, about: str, samples: Iterable[tuple[Mapping[str, str], float]]) -> None:
        lines.extend((f"# HELP trt_conformance_{name} {about}", f"# TYPE trt_conformance_{name} gauge"))
        for labels, value in samples:
            inside = ",".join(f'{key}="{_label(text)}"' for key, text in labels.items())
            lines.append(f"trt_conformance_{name}{{{inside}}} {_sample(value)}")

    metric("checks", "Checks by target, phase and outcome.", _checks(view))
    metric("claims", "Claims of the document by target and state.", _claims(view))
    metric("bound_fraction_max", "Largest fraction of an error bound used, by target and precision.", _fractions(view))
    runs = list(enumerate(view.records, start=1))
    metric("run_info", "Where a run ran.", [({"run": str(n)} | _info(record), 1) for n, record in runs])
    metric(
        "run_complete", "1, or 0 where a run was killed.", [({"run": str(n)}, record.complete) for n, record in runs]
    )
    metric("run_start_time_seconds", "When a run started.", [({"run": str(n)}, _start(record)) for n, record in runs])
    return "\n".join(lines) + "\n"


def _checks(view: View) -> Iterator[tuple[Mapping[str, str], float]]:
    for column in view.columns:
        found = Counter((str(verdict.phase), outcome(verdict)) for verdict in column.verdicts)
        for phase in PHASES:
            for status in ORDER:
                if found[phase, status] or (status in ("fail", "error") and phase == "compare"):
                    yield {"target": column.name, "phase": phase, "outcome": status}, found[phase, status]


def _claims(view: View) -> Iterator[tuple[Mapping[str, str], float]]:
    for column in view.targets if view.claim_ids else ():
        for state in WORDS:
            yield {"target": column.name, "state": state}, view.claim_counts(column)[state]


def _fractions(view: View) -> Iterator[tuple[Mapping[str, str], float]]:
    largest: dict[tuple[Column, str], float] = {}
    for row in view.measured:
        key = (row.column, row.precision)
        largest[key] = max(largest.get(key, 0.0), row.fraction or 0.0)
    for (column, precision), fraction in largest.items():
        yield {"target": column.name, "precision": precision}, fraction


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


def _label(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _sample(value: float) -> str:
    return "+Inf" if math.isinf(value) else f"{float(value):.10g}"
