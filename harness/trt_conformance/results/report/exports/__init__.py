"""A run in the formats of other programs."""

from __future__ import annotations

from collections.abc import Callable

from trt_conformance.results.report.exports.benchmark import (
    benchmark_counts,
    benchmark_engines,
    github_benchmark,
    pytest_benchmark,
)
from trt_conformance.results.report.exports.junit import junit
from trt_conformance.results.report.exports.markdown import markdown
from trt_conformance.results.report.exports.prometheus import prometheus
from trt_conformance.results.report.exports.table import as_csv
from trt_conformance.results.report.exports.table import parquet as parquet
from trt_conformance.results.report.view import View

FORMATS: dict[str, Callable[[View], str]] = {
    "junit": junit,
    "markdown": markdown,
    "csv": as_csv,
    "prometheus": prometheus,
    "github-benchmark": github_benchmark,
    "github-benchmark-counts": benchmark_counts,
    "github-benchmark-engines": benchmark_engines,
    "pytest-benchmark": pytest_benchmark,
}
