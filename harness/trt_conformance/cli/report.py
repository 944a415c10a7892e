"""``trt-conformance report``: one self-contained HTML file from run records."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Runs = Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run records, or the folders that hold them.")]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="Where to write.", show_default="report.html beside the first"),
]


def report(runs: Runs, output: Output = None) -> None:
    """Write a report of one or more runs: one HTML file that needs nothing from outside itself."""
    from trt_conformance.core.paths import relative
    from trt_conformance.results import report as reports
    from trt_conformance.results.record.record import read_record
    from trt_conformance.results.report.page import report_page

    records = [read_record(run) for run in runs]
    first = runs[0]
    path = output or (first if first.is_dir() else first.parent) / reports.FILE_NAME
    reports.write(path, report_page(reports.view_of(records)))
    typer.echo(relative(path))
