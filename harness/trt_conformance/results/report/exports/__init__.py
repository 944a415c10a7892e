"""A run in the formats of other programs."""

from __future__ import annotations

from collections.abc import Callable

from trt_conformance.results.report.exports.csv import as_csv
from trt_conformance.results.report.exports.csv import parquet as parquet
from trt_conformance.results.report.exports.github import github_benchmark
from trt_conformance.results.report.exports.junit import junit
from trt_conformance.results.report.exports.markdown import markdown
from trt_conformance.results.report.exports.prometheus import prometheus
from trt_conformance.results.report.view import View

FORMATS: dict[str, Callable[[View], str]] = {
    "junit": junit,
    "markdown": markdown,
    "csv": as_csv,
    "prometheus": prometheus,
    "github-benchmark": github_benchmark,
}
