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
    from harness import report as reports
    from harness.paths import relative
    from harness.record import read
    from harness.report.page import report_page

    records = [read(run) for run in runs]
    first = runs[0]
    path = output or (first if first.is_dir() else first.parent) / reports.FILE_NAME
    reports.write(path, report_page(reports.view_of(records)))
    typer.echo(relative(path))
