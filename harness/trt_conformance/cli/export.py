"""``trt-conformance export``: writes a run in the formats of other programs."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from trt_conformance.cli.folders import Cases, folders_of
from trt_conformance.core.errors import ConformanceError


class Format(str, Enum):
    """The formats of `results.report.exports.FORMATS`; repeated here so that ``--help`` imports nothing heavy."""

    junit = "junit"
    markdown = "markdown"
    csv = "csv"
    parquet = "parquet"
    prometheus = "prometheus"
    github_benchmark = "github-benchmark"
    github_benchmark_counts = "github-benchmark-counts"
    github_benchmark_engines = "github-benchmark-engines"
    pytest_benchmark = "pytest-benchmark"


Run = Annotated[Path, typer.Argument(metavar="RUN", help="A run record, or its folder.")]
Chosen = Annotated[
    Format,
    typer.Option(
        "--format", "-f", metavar="FORMAT", help=f"The format to write: {', '.join(one.value for one in Format)}."
    ),
]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to write; stdout by default.")
]


def export(run: Run, form: Chosen, output: Output = None, cases: Cases = None) -> None:
    """Write a run in the formats of other programs.

    The formats are JUnit XML, Markdown, CSV, Parquet, Prometheus metrics, and JSON for benchmark programs.

    Three formats are for github-action-benchmark: github-benchmark has latencies, and github-benchmark-engines sizes of
    plans and device memory (tool customSmallerIsBetter); github-benchmark-counts has numbers of passes (tool
    customBiggerIsBetter). pytest-benchmark has latencies for `pytest-benchmark compare`.
    """
    from trt_conformance.results import report as reports
    from trt_conformance.results.record.record import read_record
    from trt_conformance.results.report.exports import FORMATS, parquet

    view = reports.view_of([read_record(run)], folders_of(cases) if cases else ())
    if form is Format.parquet:
        if output is None:
            raise ConformanceError("Parquet is a binary format: give --output FILE")
        reports.write(output, parquet(view))
        return
    text = FORMATS[form.value](view)
    if output:
        reports.write(output, text)
    else:
        typer.echo(text, nl=False)
