"""The latencies and counts of a run for github-action-benchmark, and its latencies for pytest-benchmark."""

from __future__ import annotations

import json
import math
from typing import Any

from trt_conformance import __version__
from trt_conformance.core.errors import ConformanceError
from trt_conformance.core.words import counted, memory
from trt_conformance.results.engine_costs import engine_costs
from trt_conformance.results.latency.models import ModelLatency
from trt_conformance.results.report.exports.series import Latency, latencies, models_of, series_names
from trt_conformance.results.report.view import Column, View

DIGITS = 6
"""Significant digits of a median: more than any measurement has."""


def github_benchmark(view: View) -> str:
    """JSON of github-action-benchmark's format customSmallerIsBetter: the median of each latency, with its error.

    Raises:
        ConformanceError: the run has no latency.
    """
    models = [_model(column, model, series_names(view)[column]) for column, model in models_of(view)]
    return _json([*(_median(latency) for latency in _some(view)), *models])


def benchmark_counts(view: View) -> str:
    """JSON of its format customBiggerIsBetter: per target, how many checks pass and how many claims hold.

    A target on which nothing had a result has no entry, rather than a series of zeros.

    Raises:
        ConformanceError: no target has a result.
    """
    names, entries = series_names(view), []
    for column in view.targets:
        decided = column.counts["pass"] + column.faults + column.counts["known"]
        if not decided:
            continue
        extra = f"{column.name}: {column.faults} of {counted(decided, 'check')} with a result fail"
        entries.append(_count(f"checks that pass on {names[column]}", "checks", column.counts["pass"], extra))
        claims = view.claim_counts(column)
        if column.claims:
            extra = f"{column.name}: {claims['differs']} of {counted(len(view.claim_ids), 'claim')} differ"
            entries.append(_count(f"claims that hold on {names[column]}", "claims", claims["holds"], extra))
    if not entries:
        raise ConformanceError("no check of this run has a result, so there is nothing to count")
    return _json(entries)


def benchmark_engines(view: View) -> str:
    """JSON of its format customSmallerIsBetter: bytes of each engine's plan and of its device memory.

    Raises:
        ConformanceError: the run has no engine whose size is recorded.
    """
    names, entries = series_names(view), []
    for column in view.targets:
        for cost in engine_costs(column.verdicts):
            for what, size in (("plan", cost.plan), ("device memory", cost.device_memory)):
                if size is not None:
                    name = f"{what} of {cost.case} on {names[column]}"
                    entries.append(_count(name, "bytes", size, f"{column.name}: {memory(size)}, {cost.engine}"))
    if not entries:
        raise ConformanceError("this run has no engine whose size is recorded: run `pytest cases/test_build.py` first")
    return _json(entries)


def pytest_benchmark(view: View) -> str:
    """The JSON of pytest-benchmark, for its command `compare` and for programs that read it.

    Raises:
        ConformanceError: the run has no latency.
    """
    found = list(_some(view))
    record = view.records[0]
    environment = record.header.environment
    return _json(
        {
            "machine_info": {
                "node": "",
                "machine": environment.machine or "",
                "system": environment.platform or "",
                "python_version": environment.python or "",
                "cpu": {},
                "gpu": environment.device.gpu or "",
            },
            "commit_info": {"id": environment.source.commit or "unversioned", "dirty": not environment.source.clean},
            "benchmarks": [_benchmark(latency) for latency in found],
            "datetime": record.header.started,
            "version": _pytest_benchmark_version(),
            "trt_conformance": __version__,
        }
    )


def _some(view: View) -> list[Latency]:
    found = list(latencies(view))
    if not found:
        raise ConformanceError("this run has no latency: run `pytest cases/test_latency.py --latency` first")
    return found


def _median(latency: Latency) -> dict[str, Any]:
    summary = latency.timing.summary
    entry: dict[str, Any] = {
        "name": latency.series,
        "unit": "µs",
        "value": float(f"{summary.median * 1e6:.{DIGITS}g}"),
        "extra": f"{latency.column.name}: {summary.text()}",
    }
    if math.isfinite(latency.error):
        entry["range"] = f"± {summary.median * latency.error * 1e6:.3g}"
    return entry


def _model(column: Column, model: ModelLatency, series: str) -> dict[str, Any]:
    key = model.key
    entry: dict[str, Any] = {
        "name": f"{key.name} on {series}, {key.timing_mode}",
        "unit": "µs",
        "value": float(f"{model.seconds * 1e6:.{DIGITS}g}"),
        "extra": f"{column.name}: {model.text}",
    }
    if math.isfinite(model.error):
        entry["range"] = f"± {model.seconds * model.error * 1e6:.3g}"
    return entry


def _count(name: str, unit: str, value: int, extra: str) -> dict[str, Any]:
    return {"name": name, "unit": unit, "value": value, "extra": extra}


def _benchmark(latency: Latency) -> dict[str, Any]:
    """One entry, with the statistics that pytest-benchmark computes itself."""
    from pytest_benchmark.stats import Stats

    stats = Stats()
    for sample in latency.verdict.figures["samples"]:
        stats.update(sample)
    figures = {key: value for key, value in latency.verdict.figures.items() if key != "samples"}
    parameters = {"case": latency.key.case, "target": latency.column.name}
    return {
        "group": f"{latency.key.timing_mode} cache",
        "name": f"test_latency[{latency.series}]",
        "fullname": f"cases/test_latency.py::test_latency[{latency.series}]",
        "params": parameters,
        "param": latency.series,
        "extra_info": parameters | figures,
        "options": {},
        "stats": stats.as_dict() | {"data": list(stats.data), "iterations": 1},
    }


def _pytest_benchmark_version() -> str:
    import pytest_benchmark

    return str(pytest_benchmark.__version__)


def _json(value: Any) -> str:
    return json.dumps(value, indent=1) + "\n"
